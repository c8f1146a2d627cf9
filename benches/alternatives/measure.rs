//! Measures subjects in turns, so that whatever else the machine does meanwhile concerns all of them alike.
//!
//! Each round gives every subject a slice of some milliseconds; a subject's figure is the median of its slices, and the
//! ratio of two subjects is the median of the ratios within the rounds. Left out are confidence intervals: the range of
//! the middle half of the rounds says how much to believe.

#[expect(clippy::disallowed_types, reason = "real time is what is measured here")]
use std::time::Instant;

/// How many rounds there are.
const ROUNDS: usize = 21;

/// How long each subject works in a round, in seconds, unless doing it once takes longer.
const SLICE: f64 = 0.025;

/// Something that is measured.
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    /// What it should reach, in its unit.
    pub(crate) aim: Option<f64>,
    pub(crate) beside: Vec<Beside>,
    work: Work,
}

enum Work {
    /// Does it so many times.
    Done(Box<dyn FnMut(usize)>),
    /// Takes so much, which is known already.
    Known(f64),
}

/// Another subject to compare with.
#[derive(Clone, Copy)]
pub(crate) struct Beside {
    pub(crate) name: &'static str,
    /// How many times as fast as that one it should be.
    pub(crate) aim: Option<f64>,
}

/// How a subject's speed is told.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// How often in a second.
    Often,
    /// How many megabytes in a second, at so many bytes each time.
    Megabytes(usize),
    /// How long it takes.
    Time,
    /// How many bytes it takes.
    Bytes,
    /// How often it asks for memory.
    Allocations,
}

/// What was measured of a subject: seconds for doing it once, in each round.
pub(crate) struct Measured {
    pub(crate) name: String,
    pub(crate) unit: Unit,
    pub(crate) aim: Option<f64>,
    pub(crate) beside: Vec<Beside>,
    rounds: Vec<f64>,
}

impl Subject {
    /// A subject that does its work as often as it is told.
    pub(crate) fn new(name: &str, unit: Unit, work: impl FnMut(usize) + 'static) -> Self {
        let work = Work::Done(Box::new(work));
        Self { name: name.to_owned(), unit, aim: None, beside: Vec::new(), work }
    }

    /// A subject that does its work once each time that it is called.
    pub(crate) fn once(name: &str, unit: Unit, mut work: impl FnMut() + 'static) -> Self {
        Self::new(name, unit, move |times| (0..times).for_each(|_| work()))
    }

    /// Something that takes as much as it says.
    pub(crate) fn known(name: &str, unit: Unit, amount: f64) -> Self {
        let work = Work::Known(amount);
        Self { name: name.to_owned(), unit, aim: None, beside: Vec::new(), work }
    }

    pub(crate) fn aim(mut self, aim: f64) -> Self {
        self.aim = Some(aim);
        self
    }

    pub(crate) fn beside(mut self, name: &'static str, aim: Option<f64>) -> Self {
        self.beside.push(Beside { name, aim });
        self
    }

    pub(crate) fn run(&mut self, times: usize) {
        if let Work::Done(work) = &mut self.work {
            work(times);
        }
    }

    /// The seconds that doing it once takes, when it is done so many times.
    #[expect(clippy::disallowed_types, reason = "real time is what is measured here")]
    fn seconds(&mut self, times: usize) -> f64 {
        match &mut self.work {
            Work::Done(work) => {
                let begun = Instant::now();
                work(times);
                begun.elapsed().as_secs_f64() / times as f64
            }
            Work::Known(amount) => *amount,
        }
    }

    /// How many times fill a slice.
    fn times_in_a_slice(&mut self) -> usize {
        if matches!(self.work, Work::Known(_)) {
            return 1;
        }
        let mut times = 1;
        loop {
            let seconds = self.seconds(times);
            if seconds * times as f64 >= SLICE / 4.0 {
                return ((SLICE / seconds) as usize).max(1);
            }
            times *= 4;
        }
    }
}

/// Measures them all.
pub(crate) fn in_turns(mut subjects: Vec<Subject>) -> Vec<Measured> {
    let times: Vec<usize> = subjects.iter_mut().map(Subject::times_in_a_slice).collect();
    let mut rounds = vec![Vec::with_capacity(ROUNDS); subjects.len()];
    for _ in 0..ROUNDS {
        for ((subject, times), rounds) in subjects.iter_mut().zip(&times).zip(&mut rounds) {
            rounds.push(subject.seconds(*times));
        }
    }
    let measured = |(subject, rounds): (Subject, Vec<f64>)| {
        let Subject { name, unit, aim, beside, .. } = subject;
        Measured { name, unit, aim, beside, rounds }
    };
    subjects.into_iter().zip(rounds).map(measured).collect()
}

impl Measured {
    /// The seconds for doing it once: the shorter end of the middle half of the rounds, their median, the longer end.
    pub(crate) fn quartiles(&self) -> [f64; 3] {
        let mut rounds = self.rounds.clone();
        rounds.sort_unstable_by(f64::total_cmp);
        [1, 2, 3].map(|quarter| rounds[(rounds.len() - 1) * quarter / 4])
    }

    /// How many times as fast as the other: the median of the rounds.
    pub(crate) fn times_as_fast_as(&self, other: &Self) -> f64 {
        let mut ratios: Vec<f64> =
            self.rounds.iter().zip(&other.rounds).map(|(this, other)| other / this).collect();
        ratios.sort_unstable_by(f64::total_cmp);
        ratios[ratios.len() / 2]
    }
}

impl Unit {
    /// The speed of what takes so many seconds, in this unit.
    pub(crate) fn speed(self, seconds: f64) -> f64 {
        match self {
            Self::Often => 1.0 / seconds,
            Self::Megabytes(bytes) => bytes as f64 / seconds / 1e6,
            Self::Time | Self::Bytes | Self::Allocations => seconds,
        }
    }
}
