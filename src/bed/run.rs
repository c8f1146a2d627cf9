//! One run: a scenario under one schedule, in a runtime of its own on a paused clock.

use std::cell::RefCell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use tokio::runtime;
use tokio::time::Instant;

use crate::clients::{self, CallRecord, Channel, Inside, Plan};
use crate::net::{Incoming, Network, listen_observed};
use crate::tls;

use super::real::{self, Client, Session};
use super::schedule::Schedule;
use super::transcript::{Recorder, Transcript, What};

/// After so many events a run is usually called endless: two sides answering each other without time passing.
pub(crate) const MOST_EVENTS: usize = 200_000;

/// What a run with more events than it may have is said to be.
pub(crate) const TOO_MANY_EVENTS: &str = "two sides answer each other without end";

/// How a run's server is started: with its connections, its schedule and a place for its remarks.
pub(crate) type Start = Arc<dyn Fn(Incoming, Schedule, Instant, Recorder) + Send + Sync>;

/// What a run needs.
#[derive(Clone)]
pub(crate) struct Setting {
    pub(crate) clients: Vec<Caller>,
    /// So many of them connect at the same time. The others come when these are done, over a network without faults.
    pub(crate) come_first: usize,
    pub(crate) network: Network,
    pub(crate) start: Start,
    /// After so many events the run is called endless.
    pub(crate) most_events: usize,
}

/// Who connects.
#[derive(Clone)]
pub(crate) enum Caller {
    /// A plan, run by the machines of `clients`.
    Simulated(Arc<Plan>),
    /// Code.
    Real(Arc<dyn Client>),
}

impl Caller {
    /// Whether two failures that differ in their words alone are two results.
    pub(crate) fn words_matter(&self) -> bool {
        match self {
            Self::Simulated(plan) => plan.words_matter,
            Self::Real(_) => true,
        }
    }

    /// How many builds of it there are that say different things.
    pub(crate) fn builds(&self) -> usize {
        match self {
            Self::Simulated(plan) => plan.builds(),
            Self::Real(_) => 1,
        }
    }
}

/// What came of one run.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(crate) transcript: Arc<Transcript>,
    /// The calls of each client.
    pub(crate) calls: Vec<Vec<CallRecord>>,
    /// The message of a task that panicked.
    pub(crate) panicked: Option<String>,
    /// What ended the run, if it had no end of its own.
    pub(crate) failed: Option<String>,
}

/// Runs a setting under one schedule.
pub(crate) fn run(setting: &Setting, schedule: Schedule) -> Passage {
    run_on(runtime::Builder::new_current_thread().enable_time().start_paused(true), setting, schedule)
}

/// Runs a setting whose server stands behind real sockets: the clock goes as the wall's does, until the server's side pauses it.
pub(crate) fn run_awake(setting: &Setting) -> Passage {
    run_on(runtime::Builder::new_current_thread().enable_all(), setting, Schedule::default())
}

fn run_on(runtime: &mut runtime::Builder, setting: &Setting, schedule: Schedule) -> Passage {
    let watch = PanicWatch::begin();
    tls::begin_run();
    let runtime = runtime.build().expect("a runtime of one thread needs a few descriptors at most");
    let passage = panic::catch_unwind(AssertUnwindSafe(|| runtime.block_on(pass(setting, schedule))));
    // Tasks that are still there are dropped here, while the watch is on.
    drop(runtime);
    let panicked = watch.end();
    match passage {
        Ok(passage) => Passage { panicked, ..passage },
        // Not a task, but the bed itself, unless a client is code: then that is somebody's test. The watch has kept the
        // message from the hook that would have printed it.
        Err(_) if setting.clients.iter().any(|client| matches!(client, Caller::Real(_))) => {
            panic!("{}", panicked.unwrap_or_default())
        }
        Err(_) => Passage {
            transcript: Arc::default(),
            calls: vec![Vec::new(); setting.clients.len()],
            panicked: None,
            failed: Some(format!("it panicked: {}", panicked.unwrap_or_default())),
        },
    }
}

async fn pass(setting: &Setting, schedule: Schedule) -> Passage {
    let start = Instant::now();
    let recorder = Recorder::new(start);
    let network = setting.network.clone();
    let observing = recorder.clone();
    let calm = Arc::new(AtomicBool::new(false));
    let is_calm = Arc::clone(&calm);
    let (dialer, incoming) = listen_observed(
        move |connection| match is_calm.load(Ordering::Relaxed) {
            true => schedule.network(&Network::default(), connection),
            false => schedule.network(&network, connection),
        },
        move |connection| Some(observing.observer(connection)),
    );
    (setting.start)(incoming, schedule, start, recorder.clone());
    let mut running: Vec<Running> = Vec::new();
    for (client, caller) in setting.clients.iter().enumerate() {
        running.push(match caller {
            Caller::Simulated(plan) => {
                Running::Simulated(Box::new(Channel::new(Arc::clone(plan), schedule.paces())))
            }
            Caller::Real(code) => {
                let session = Session::new(client, dialer.clone(), start, recorder.clone());
                Running::Real(Arc::clone(code), session)
            }
        });
    }
    let mut drives = running.iter_mut().enumerate().map(|(client, running)| {
        let (dialer, recorder) = (&dialer, &recorder);
        async move {
            let channel = match running {
                Running::Simulated(channel) => channel,
                Running::Real(code, session) => return real::run(code.as_ref(), session).await,
            };
            let sealed = channel.hello().is_some();
            let dial = move || {
                let stream = dialer.dial()?;
                recorder.record(Instant::now() - start, stream.number(), What::Dialled { client, sealed });
                Ok(stream)
            };
            let ended = move |channel: &Channel, call: usize, at: Duration| {
                let CallRecord { failure, connection, .. } = &channel.records()[call];
                let number = connection.unwrap_or_default() as u32;
                let error = failure.as_ref().map(|failure| failure.text.clone());
                recorder.record(at, number, What::CallEnded { client, error });
            };
            let inside = move |connection: u32, at: Duration, inside: Inside| {
                let what = match inside {
                    Inside::Secured { protocol } => What::Secured { protocol },
                    Inside::Data { from, bytes } => What::Inside { from, bytes },
                };
                recorder.record(at, connection, what);
            };
            let weary = || recorder.len() > setting.most_events;
            clients::run(channel, start, dial, ended, inside, weary).await;
        }
    });
    all(drives.by_ref().take(setting.come_first)).await;
    calm.store(true, Ordering::Relaxed);
    all(drives).await;
    let failed = if recorder.len() > setting.most_events {
        Some(TOO_MANY_EVENTS.to_owned())
    } else {
        running.iter().any(Running::never_rests).then(|| "a client does nothing without end".to_owned())
    };
    let calls = running.into_iter().map(Running::into_records).collect();
    Passage { transcript: Arc::new(recorder.take()), calls, panicked: None, failed }
}

/// A client at work.
enum Running {
    Simulated(Box<Channel>),
    Real(Arc<dyn Client>, Session),
}

impl Running {
    fn never_rests(&self) -> bool {
        matches!(self, Self::Simulated(channel) if channel.never_rests())
    }

    fn into_records(self) -> Vec<CallRecord> {
        match self {
            Self::Simulated(channel) => channel.into_records(),
            Self::Real(_, session) => session.into_records(),
        }
    }
}

/// Polls all clients in their order until each has ended.
async fn all(futures: impl Iterator<Item = impl Future<Output = ()>>) {
    let mut left: Vec<_> = futures.map(|future| Some(Box::pin(future))).collect();
    std::future::poll_fn(|context| {
        for slot in &mut left {
            if slot.as_mut().is_some_and(|future| future.as_mut().poll(context).is_ready()) {
                *slot = None;
            }
        }
        if left.iter().all(Option::is_none) { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

thread_local! {
    static PANIC: RefCell<Option<Watched>> = const { RefCell::new(None) };
}

/// What a run on this thread knows of panics in its tasks.
#[derive(Default)]
struct Watched {
    message: Option<String>,
}

/// Catches the message of a panic in any task of the run on this thread. Tokio keeps a task's panic for whoever joins
/// it, and nobody joins the tasks that tonic spawns; the process's panic hook sees them all.
struct PanicWatch;

impl PanicWatch {
    fn begin() -> Self {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = panic::take_hook();
            panic::set_hook(Box::new(move |info| {
                let watched = PANIC.with_borrow_mut(|watched| {
                    watched.as_mut().map(|watched| {
                        let place =
                            info.location().map(|place| format!(" ({}:{})", place.file(), place.line()));
                        let message = payload_text(info.payload());
                        watched.message.get_or_insert(format!("{message}{}", place.unwrap_or_default()));
                    })
                });
                if watched.is_none() {
                    before(info);
                }
            }));
        });
        PANIC.set(Some(Watched::default()));
        Self
    }

    fn end(self) -> Option<String> {
        PANIC.take().and_then(|watched| watched.message)
    }
}

impl Drop for PanicWatch {
    fn drop(&mut self) {
        PANIC.set(None);
    }
}

/// What `panic!` was given; a payload of another type has no words.
fn payload_text(payload: &(dyn std::any::Any + Send)) -> &str {
    let literal = payload.downcast_ref::<&str>().copied();
    literal
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic without a message")
}
