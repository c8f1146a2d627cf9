//! Schedules: the orders in which the events of a run may happen.
//!
//! What happens first decides some handshakes: whether an answer is on its way before a surplus acknowledgement is read,
//! whether a call is written before a close is. In the bed everything takes no time at all unless it is told to, so an
//! order is chosen by giving one side a millisecond here or there. A small fixed family covers the orders in which the
//! recorded races went; the first schedule adds no time anywhere and gives the outcome that is reported first.
//!
//! Beside the family schedules can be drawn by a seed, as many as one likes: to look for orders that nobody thought of, and to
//! say how many it takes to see what the family was made to show.

use std::time::Duration;

use crate::clients::{Pace, Paces};
use crate::draw::Draw;
use crate::net::Network;
use crate::servers::ServerPace;

/// One schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    first: Leg,
    later: Leg,
    leaves_at_once: bool,
    notices_blinks: bool,
    build: usize,
}

/// The extra times on one connection, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Leg {
    to_server: u64,
    to_client: u64,
    between_writes: u64,
    before_call: u64,
    before_close: u64,
    hand_over: u64,
    handler: u64,
    closing: u64,
}

const PLAIN: Leg = Leg {
    to_server: 0,
    to_client: 0,
    between_writes: 0,
    before_call: 0,
    before_close: 0,
    hand_over: 0,
    handler: 0,
    closing: 0,
};

/// What one side may take its time for. Everything that was seen to race in the recordings is one of these against
/// none of them.
const LEGS: [Leg; 8] = [
    PLAIN,
    // What the client sends in answer to an answer arrives before it closes.
    Leg { to_server: 1, before_close: 2, ..PLAIN },
    Leg { handler: 1, ..PLAIN },
    Leg { before_call: 1, ..PLAIN },
    // Nothing that follows is there yet when the server has read enough to close.
    Leg { between_writes: 2, to_client: 1, ..PLAIN },
    Leg { closing: 1, before_call: 1, ..PLAIN },
    Leg { hand_over: 1, to_client: 1, ..PLAIN },
    // Who copies between client and back end leaves what comes then unread, and the close is a reset.
    Leg { closing: 1, ..PLAIN },
];

impl Leg {
    /// The time with this number; beyond the last, the last.
    fn place(&mut self, number: u64) -> &mut u64 {
        match number {
            0 => &mut self.to_server,
            1 => &mut self.to_client,
            2 => &mut self.between_writes,
            3 => &mut self.before_call,
            4 => &mut self.before_close,
            5 => &mut self.hand_over,
            6 => &mut self.handler,
            _ => &mut self.closing,
        }
    }
}

impl Schedule {
    /// The schedules under which a scenario is run, for a client of which there are so many `builds`, and one more if a
    /// seed draws it.
    pub(crate) fn family(builds: usize, seed: Option<u64>) -> Vec<Self> {
        let alike = LEGS.map(|leg| Self { first: leg, later: leg, ..Self::default() });
        // A connection may go one way and the next one the other.
        let answered = LEGS[1];
        let slow = LEGS[2];
        let mixed = [
            Self { first: answered, later: slow, ..Self::default() },
            Self { first: slow, later: answered, ..Self::default() },
            Self { first: answered, later: answered, leaves_at_once: true, ..Self::default() },
            Self { first: slow, later: answered, leaves_at_once: true, ..Self::default() },
            Self { first: LEGS[3], notices_blinks: true, ..Self::default() },
        ];
        // Builds differ where a call fails, if it does not fail at once then because its answer comes too late.
        let ways = [(PLAIN, PLAIN), (slow, slow), (answered, slow)];
        let builds = (1..builds)
            .flat_map(|build| ways.map(|(first, later)| Self { first, later, build, ..Self::default() }));
        alike.into_iter().chain(mixed).chain(seed.map(Self::drawn)).chain(builds).collect()
    }

    /// A schedule drawn by a seed: up to three milliseconds here and there.
    fn drawn(seed: u64) -> Self {
        let mut draw = Draw::of(seed);
        let mut leg = || Leg {
            to_server: draw.below(4),
            to_client: draw.below(4),
            between_writes: draw.below(4),
            before_call: draw.below(4),
            before_close: draw.below(4),
            hand_over: draw.below(4),
            handler: draw.below(4),
            closing: draw.below(4),
        };
        Self { first: leg(), later: leg(), ..Self::default() }
    }

    /// The schedule with this number of those that a seed draws. Number 0 is the first of the family. Of the others each
    /// second one interferes in few places, since most races need one delay or two and a delay everywhere hides them; the rest
    /// may take their time anywhere.
    pub(crate) fn searched(seed: u64, number: u64) -> Self {
        let mut draw = Draw::for_number(seed, number);
        match number {
            0 => Self::default(),
            odd if odd % 2 == 1 => Self::interfering(&mut draw),
            _ => Self {
                leaves_at_once: draw.below(4) == 0,
                notices_blinks: draw.below(4) == 0,
                ..Self::drawn(draw.below(u64::MAX))
            },
        }
    }

    /// One to three delays, of one to three milliseconds, on the first connection, later ones or all.
    fn interfering(draw: &mut Draw) -> Self {
        let mut schedule = Self::default();
        for _ in 0..=draw.below(3) {
            let (place, time, where_to) = (draw.below(10), 1 + draw.below(3), draw.below(3));
            match place {
                8 => schedule.leaves_at_once = true,
                9 => schedule.notices_blinks = true,
                _ => {
                    let legs = [(&mut schedule.first, where_to != 1), (&mut schedule.later, where_to != 0)];
                    for (leg, _) in legs.into_iter().filter(|(_, chosen)| *chosen) {
                        *leg.place(place) = time;
                    }
                }
            }
        }
        schedule
    }

    /// Whether it differs from the first only in the build of the client.
    pub(crate) fn is_other_build(self) -> bool {
        self.build > 0
    }

    /// The network of one connection.
    pub(crate) fn network(self, base: &Network, connection: u32) -> Network {
        let leg = self.leg(connection);
        let mut network = base.clone();
        network.to_server.latency += milliseconds(leg.to_server);
        network.to_client.latency += milliseconds(leg.to_client);
        network
    }

    pub(crate) fn paces(self) -> Paces {
        let pace = |leg: Leg| Pace {
            between_writes: milliseconds(leg.between_writes),
            before_call: milliseconds(leg.before_call),
            before_close: milliseconds(leg.before_close),
            build: self.build,
        };
        Paces {
            first: pace(self.first),
            later: pace(self.later),
            leaves_at_once: self.leaves_at_once,
            notices_blinks: self.notices_blinks,
        }
    }

    pub(crate) fn server_pace(self, connection: u32) -> ServerPace {
        let leg = self.leg(connection);
        ServerPace {
            hand_over: milliseconds(leg.hand_over),
            handler: milliseconds(leg.handler),
            closing: milliseconds(leg.closing),
        }
    }

    fn leg(self, connection: u32) -> Leg {
        if connection == 0 { self.first } else { self.later }
    }
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_schedules_again_and_another_seed_others() {
        let drawn = |seed| (0..100).map(|number| Schedule::searched(seed, number)).collect::<Vec<_>>();
        assert_eq!(drawn(7), drawn(7));
        assert_ne!(drawn(7), drawn(8));
        assert_eq!(drawn(7)[0], Schedule::default(), "first nobody takes any time");
    }

    #[test]
    fn each_second_schedule_interferes_in_few_places() {
        let times = |leg: Leg| {
            let mut leg = leg;
            (0..8).filter(|&number| *leg.place(number) > 0).count()
        };
        for number in (1..200).step_by(2) {
            let schedule = Schedule::searched(7, number);
            assert!(times(schedule.first) <= 3 && times(schedule.later) <= 3, "{schedule:?}");
            assert_ne!(schedule, Schedule::default());
        }
    }
}
