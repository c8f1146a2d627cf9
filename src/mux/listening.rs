//! A multiplexer at work: accepts connections, sniffs each in a task of its own, and gives it to its route.
//!
//! Nobody waits for anybody: a client that says nothing holds up its own task only, until its deadline, or until the
//! drain's if that is earlier. A full or closed route costs those connections that belong to it.

use std::future::poll_fn;
use std::io;
use std::panic;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, Sleep, sleep, timeout_at};
use tracing::{debug, warn};

use super::classifier::Route;
use super::connection::Connection;
use super::facts::Facts;
use super::handle::Handle;
use super::listener::Listener;
use super::observer::{AfterFailure, Closed, Observer};
use super::routes::{Connections, Overflow, Queues};
use super::sniff::{Mux, Sniffed};
use super::transport::Transport;

/// Takes connections to their routes.
pub trait Deliver<S>: Clone + Send + Sync + 'static {
    /// Takes one. If it can't be taken now, it may wait until then.
    fn deliver(
        &self,
        route: &Route,
        connection: Connection<Transport<S>>,
        until: Instant,
    ) -> impl Future<Output = Result<(), Undelivered>> + Send;
}

/// Why nobody took a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Undelivered {
    /// Nobody takes this route's connections.
    RouteClosed,
    /// As many of them wait as may.
    QueueFull,
}

/// A multiplexer with a listener, to be run.
///
/// ```no_run
/// # async fn example() -> std::io::Result<()> {
/// use muxbed::mux::{Mux, Rule, Rules};
///
/// let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
/// let mut listening = Mux::new(Rules::new().to("grpc", Rule::Grpc).to("web", Rule::Http1)).listen(listener);
/// let grpc = listening.route("grpc"); // for tonic's `serve_with_incoming`
/// let mut web = listening.route("web"); // for hyper: `web.accept().await`
/// let handle = listening.handle(); // to drain it later
/// tokio::spawn(listening.run());
/// # Ok(())
/// # }
/// ```
pub struct Listening<L: Listener> {
    listener: L,
    handle: Handle,
    queues: Arc<Queues<L::Stream>>,
    observer: Arc<dyn Observer>,
}

/// How a multiplexer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ended {
    /// How many connections were closed undecided because there was no more time.
    pub cut_off: usize,
}

/// How many connections wait for a route by default.
const QUEUE: usize = 1024;

impl Mux {
    /// Looks at this listener's connections.
    pub fn listen<L: Listener>(self, listener: L) -> Listening<L> {
        Listening { listener, handle: Handle::new(self), queues: Queues::new(), observer: Arc::new(()) }
    }
}

impl<L: Listener> Listening<L> {
    /// The connections of a route. Up to 1,024 wait there to be taken; more are closed.
    pub fn route(&mut self, name: &str) -> Connections<L::Stream> {
        self.route_with(name, QUEUE, Overflow::Close)
    }

    /// The connections of a route, with a queue of this length.
    pub fn route_with(&mut self, name: &str, queue: usize, overflow: Overflow) -> Connections<L::Stream> {
        self.queues.open(name, queue, overflow)
    }

    /// Who is told what happens.
    #[must_use]
    pub fn observer(mut self, observer: impl Observer + 'static) -> Self {
        self.observer = Arc::new(observer);
        self
    }

    /// To tell it something while it runs.
    pub fn handle(&self) -> Handle {
        self.handle.clone()
    }

    /// The listener.
    pub fn listener(&self) -> &L {
        &self.listener
    }

    /// Runs until it is told to [drain](Handle::drain), or the listener gives no more, and everything is decided.
    pub async fn run(self) -> Ended {
        let queues = Arc::clone(&self.queues);
        self.run_with(queues).await
    }

    /// The same with routes that somebody else takes connections to.
    pub async fn run_with(self, deliver: impl Deliver<L::Stream>) -> Ended {
        let Self { mut listener, handle, observer, queues } = self;
        drop(queues);
        let mut sniffing = Sniffing { tasks: JoinSet::new(), handle, observer };
        let mut told = sniffing.handle.told_to_drain();
        let within = {
            let mut told = pin!(told.wait_for(Option::is_some));
            let mut pause = Pause::default();
            loop {
                let next = poll_fn(|context| {
                    sniffing.reap(context);
                    if let Poll::Ready(told) = told.as_mut().poll(context) {
                        return Poll::Ready(Next::Drain(told.ok().and_then(|within| *within)));
                    }
                    if pause.poll(context).is_pending() {
                        return Poll::Pending;
                    }
                    listener.poll_accept(context).map(Next::of)
                })
                .await;
                match next {
                    Next::Connection(stream, facts) => {
                        pause.forget();
                        sniffing.begin(stream, facts, deliver.clone());
                    }
                    Next::Failed(error) => {
                        warn!(%error, "no connection could be accepted");
                        if sniffing.observer.accept_failed(&error) == AfterFailure::Stop {
                            break None;
                        }
                        pause.after(&error);
                    }
                    Next::NoMore => break None,
                    Next::Drain(within) => break within,
                }
            }
        };
        drop(listener);
        sniffing.end(within, &mut told).await
    }
}

enum Next<S> {
    Connection(S, Facts),
    Failed(io::Error),
    NoMore,
    Drain(Option<Duration>),
}

impl<S> Next<S> {
    fn of(accepted: io::Result<Option<(S, Facts)>>) -> Self {
        match accepted {
            Ok(Some((stream, facts))) => Self::Connection(stream, facts),
            Ok(None) => Self::NoMore,
            Err(error) => Self::Failed(error),
        }
    }
}

/// The connections that are being sniffed.
struct Sniffing {
    tasks: JoinSet<()>,
    handle: Handle,
    observer: Arc<dyn Observer>,
}

impl Sniffing {
    fn begin<S>(&mut self, stream: S, facts: Facts, deliver: impl Deliver<S>)
    where
        S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    {
        self.observer.accepted();
        let (mux, observer) = (self.handle.current(), Arc::clone(&self.observer));
        let arrival = mux.arrival(stream, facts);
        self.tasks.spawn(async move {
            let until = arrival.until();
            let Sniffed::Routed { route, connection } = mux.meet(arrival, &*observer).await else { return };
            // In a box, so that those that are not decided yet don't have its size.
            let why = match Box::pin(deliver.deliver(&route, connection, until)).await {
                Ok(()) => return,
                Err(Undelivered::RouteClosed) => Closed::RouteClosed,
                Err(Undelivered::QueueFull) => Closed::QueueFull,
            };
            debug!(%route, reason = why.reason(), "a connection is closed: {why}");
            observer.closed(&why);
        });
        self.handle.set_pending(self.tasks.len());
    }

    /// Forgets those that are done.
    fn reap(&mut self, context: &mut Context<'_>) {
        while let Poll::Ready(Some(done)) = self.tasks.poll_join_next(context) {
            self.done(done);
        }
        self.handle.set_pending(self.tasks.len());
    }

    fn done(&self, done: Result<(), JoinError>) {
        match done {
            Ok(()) => {}
            Err(error) if error.is_cancelled() => self.observer.closed(&Closed::Drained),
            // A rule of somebody's own, or an observer: not to be swallowed.
            Err(error) => panic::resume_unwind(error.into_panic()),
        }
    }

    /// Waits until all are decided, so long at most.
    async fn end(
        mut self,
        within: Option<Duration>,
        told: &mut tokio::sync::watch::Receiver<Option<Duration>>,
    ) -> Ended {
        if within.is_none() && !self.tasks.is_empty() {
            // Nobody is in a hurry, unless told so later.
            let mut told = pin!(told.wait_for(Option::is_some));
            let later = poll_fn(|context| {
                self.reap(context);
                if self.tasks.is_empty() {
                    return Poll::Ready(None);
                }
                told.as_mut().poll(context).map(|told| told.ok().and_then(|within| *within))
            });
            let later = later.await;
            return Box::pin(self.cut_off(later)).await;
        }
        self.cut_off(within).await
    }

    async fn cut_off(mut self, within: Option<Duration>) -> Ended {
        let until = Instant::now() + within.unwrap_or_default();
        let decided = poll_fn(|context| {
            self.reap(context);
            if self.tasks.is_empty() { Poll::Ready(()) } else { Poll::Pending }
        });
        if timeout_at(until, decided).await.is_ok() {
            return Ended { cut_off: 0 };
        }
        self.tasks.abort_all();
        let mut cut_off = 0;
        while let Some(done) = self.tasks.join_next().await {
            cut_off += usize::from(done.is_err());
            self.done(done);
        }
        self.handle.set_pending(0);
        Ended { cut_off }
    }
}

/// The pause after the system had no resources for another connection.
#[derive(Default)]
struct Pause {
    length: Duration,
    sleep: Option<Pin<Box<Sleep>>>,
}

impl Pause {
    const SHORTEST: Duration = Duration::from_millis(5);
    const LONGEST: Duration = Duration::from_secs(1);

    fn after(&mut self, error: &io::Error) {
        // The connection itself has failed, and the next may be good (accept(2)).
        use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
        if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted) {
            return;
        }
        self.length = (self.length * 2).clamp(Self::SHORTEST, Self::LONGEST);
        self.sleep = Some(Box::pin(sleep(self.length)));
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(pause) = &mut self.sleep else { return Poll::Ready(()) };
        let over = pause.as_mut().poll(context);
        if over.is_ready() {
            self.sleep = None;
        }
        over
    }

    fn forget(&mut self) {
        self.length = Duration::ZERO;
    }
}
