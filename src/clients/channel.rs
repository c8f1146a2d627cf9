//! A simulated client between its connections: a channel, in gRPC's word, with gRPC's connectivity states.
//!
//! It makes the calls it is asked to make, dials when it has to, and decides what a call sees of a connection's fate:
//! that is where versions of one library differ most after the handshake itself. Like the connection, it is a machine
//! without socket, clock or task.

mod calls;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::script::{AfterFailure, AfterLoss, Hello, WaitFrom};
use crate::tls::Trouble;

use super::connection::{CallEnd, Connection, Failure, News, Pace, Request};
use super::plan::Plan;

/// The least time from one dialling to the next: a server that ends each connection at once would else be dialled
/// without end at one moment of virtual time.
const DIALLING: Duration = Duration::from_millis(1);

/// More rounds than a client goes without time passing: each begins with an event or an answer to one, and long before
/// so many events a run counts as one without end.
const MOST_ROUNDS: usize = 1_000_000;

/// A client at work.
#[derive(Debug)]
pub(crate) struct Channel {
    plan: Arc<Plan>,
    paces: Paces,
    state: State,
    connections: Vec<Connection>,
    /// So many of them, from the first, are over. Who dials again and again would else spend its time asking the dead.
    settled: usize,
    opened: Vec<Duration>,
    call: Option<Call>,
    /// Why the call has failed, where its user is not told before its deadline.
    untold: Option<Failure>,
    next: Next,
    last_failure: Option<Failure>,
    /// How many connections have failed since the latest call began.
    failed_tries: u32,
    records: Vec<CallRecord>,
    /// The time that it was told last, and how often something has changed since then.
    moment: Duration,
    rounds: usize,
}

/// The paces of a channel's connections, and how long it stays when its calls are done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Paces {
    pub(crate) first: Pace,
    pub(crate) later: Pace,
    /// Whether it closes as soon as its last call is answered.
    pub(crate) leaves_at_once: bool,
    /// Whether a waiting call notices a TRANSIENT_FAILURE that lasts no time.
    pub(crate) notices_blinks: bool,
}

/// A call that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct CallRecord {
    /// When, counted from the start of the run.
    pub(crate) at: Duration,
    /// Why it failed, if it did.
    pub(crate) failure: Option<Failure>,
    /// The connection that it was on, by number.
    pub(crate) connection: Option<usize>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Connecting {
        connection: usize,
    },
    Ready {
        connection: usize,
        since: Duration,
    },
    /// Lost an established connection and dials again at this time; calls wait.
    Reconnecting {
        at: Duration,
    },
    TransientFailure {
        until: Duration,
    },
    Shutdown,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Call { at: Duration },
    Finish { at: Duration },
    Nothing,
}

#[derive(Clone, Copy, Debug)]
struct Call {
    started: Duration,
    deadline: Duration,
    on: Option<usize>,
    /// Whether it has taken its time before going onto a connection; it does so once.
    dawdled: bool,
    /// Whether it has been on a connection before, which did not process it. gRPC tries such a call once more on its
    /// own (gRFC A6, "transparent retries").
    retried: bool,
}

impl Channel {
    pub(crate) fn new(plan: Arc<Plan>, paces: Paces) -> Self {
        Self {
            plan,
            paces,
            state: State::Idle,
            connections: Vec::new(),
            settled: 0,
            opened: Vec::new(),
            call: None,
            untold: None,
            next: Next::Call { at: Duration::ZERO },
            last_failure: None,
            failed_tries: 0,
            records: Vec::new(),
            moment: Duration::ZERO,
            rounds: 0,
        }
    }

    /// The calls made so far.
    pub(crate) fn records(&self) -> &[CallRecord] {
        &self.records
    }

    /// The same, when it makes no more.
    pub(crate) fn into_records(self) -> Vec<CallRecord> {
        self.records
    }

    /// Whether all is done and closed.
    pub(crate) fn is_over(&self) -> bool {
        self.state == State::Shutdown && self.connections[self.settled..].iter().all(Connection::is_over)
    }

    /// How long it stays for what may never come.
    pub(crate) fn patience(&self) -> Duration {
        self.plan.work.patience
    }

    /// How many connections there are; one more than before means that the caller has to dial it.
    pub(crate) fn connections(&self) -> usize {
        self.connections.len()
    }

    /// What connection `number` wants done to its socket next.
    pub(crate) fn next_request(&mut self, number: usize) -> Option<Request> {
        self.connections[number].next_request()
    }

    /// Bytes on connection `number`.
    pub(crate) fn received(&mut self, number: usize, bytes: &Bytes, now: Duration) {
        self.connections[number].received(bytes, now);
        self.advance(now);
    }

    /// What the client says when it speaks TLS, if it does.
    pub(crate) fn hello(&self) -> Option<&Hello> {
        self.plan.hello.as_ref()
    }

    /// The TLS handshake on connection `number` is over, and the server has chosen this protocol or none.
    pub(crate) fn secured(&mut self, number: usize, protocol: Option<&str>, now: Duration) {
        self.connections[number].secured(protocol, now);
        self.advance(now);
    }

    /// TLS on connection `number` has failed.
    pub(crate) fn broke(&mut self, number: usize, trouble: Trouble, now: Duration) {
        self.connections[number].broke(trouble, now);
        self.advance(now);
    }

    /// The end of the stream on connection `number`.
    pub(crate) fn ended(&mut self, number: usize, now: Duration) {
        self.connections[number].ended(now);
        self.advance(now);
    }

    /// A reset of connection `number`.
    pub(crate) fn was_reset(&mut self, number: usize, now: Duration) {
        self.connections[number].was_reset(now);
        self.advance(now);
    }

    /// When time alone will change something.
    pub(crate) fn next_time(&self) -> Option<Duration> {
        let next = match self.next {
            Next::Call { at } | Next::Finish { at } => Some(at),
            Next::Nothing => None,
        };
        let retry = match self.state {
            State::Reconnecting { at } | State::TransientFailure { until: at } => Some(at),
            _ => None,
        };
        let waits = |call: &Call| call.on.is_none() || self.untold.is_some();
        let waiting = self.call.filter(waits).map(|call| call.deadline);
        let patience = self.call.map(|call| call.started + self.plan.work.patience);
        let connections = self.connections[self.settled..].iter().filter_map(Connection::next_time);
        [next, retry, waiting, self.dispatch_time(), patience].into_iter().flatten().chain(connections).min()
    }

    /// Whether it goes on and on without time passing. No plan asks for that: it is a fault of the bed, which else would
    /// never end.
    pub(crate) fn never_rests(&self) -> bool {
        self.rounds > MOST_ROUNDS
    }

    /// Does all that can be done at this time.
    pub(crate) fn advance(&mut self, now: Duration) {
        if self.moment != now {
            self.moment = now;
            self.rounds = 0;
        }
        loop {
            self.rounds += 1;
            let mut changed = self.take_news(now);
            changed |= self.start_or_finish(now);
            changed |= self.move_call(now);
            changed |= self.reconnect(now);
            for connection in &mut self.connections[self.settled..] {
                if connection.next_time().is_some_and(|at| at <= now) {
                    connection.tick(now);
                    changed = true;
                }
            }
            if !changed || self.never_rests() {
                break;
            }
        }
        let over = self.connections[self.settled..].iter().take_while(|connection| connection.is_over());
        self.settled += over.count();
    }

    fn take_news(&mut self, now: Duration) -> bool {
        let mut changed = false;
        for number in self.settled..self.connections.len() {
            while let Some(news) = self.connections[number].next_news() {
                self.hear(number, news, now);
                changed = true;
            }
        }
        changed
    }

    fn hear(&mut self, number: usize, news: News, now: Duration) {
        match news {
            News::Ready if self.state == (State::Connecting { connection: number }) => {
                self.state = State::Ready { connection: number, since: now };
            }
            News::Failed(failure) if self.state == (State::Connecting { connection: number }) => {
                let AfterFailure { wait, from } = self.plan.behaviour.after_failure;
                self.last_failure = Some(failure);
                self.failed_tries += 1;
                self.state = match self.back_off(number, wait, from, now) {
                    State::TransientFailure { until }
                        if self.failed_tries < self.plan.behaviour.tries.get() =>
                    {
                        State::Reconnecting { at: until }
                    }
                    state => state,
                };
            }
            News::Lost if matches!(self.state, State::Ready { connection, .. } if connection == number) => {
                let behaviour = &self.plan.behaviour;
                let early = behaviour.after_early_loss.filter(|_| !self.connections[number].has_settings());
                self.state = match early.unwrap_or(behaviour.after_loss) {
                    AfterLoss::Blink if self.paces.notices_blinks => State::TransientFailure { until: now },
                    AfterLoss::Connect | AfterLoss::Blink => self.redial(number, now),
                    AfterLoss::Wait(wait, from) => self.back_off(number, wait, from, now),
                    AfterLoss::Idle => State::Idle,
                };
                if let Some(call) = &mut self.call {
                    call.dawdled = true;
                }
            }
            News::CallEnded(end) if self.call.is_some_and(|call| call.on == Some(number)) => match end {
                CallEnd::Answered => self.end_call(None, now),
                CallEnd::Failed(failure) => self.end_call(Some(failure), now),
                CallEnd::FailedUntold(failure) => self.untold = Some(failure),
                CallEnd::Retry(failure) => match &mut self.call {
                    Some(call) if !call.retried => {
                        call.on = None;
                        call.retried = true;
                    }
                    _ => self.end_call(Some(failure), now),
                },
            },
            News::Ready | News::Failed(_) | News::Lost | News::CallEnded(_) => {}
        }
    }

    fn back_off(&self, number: usize, wait: Duration, from: WaitFrom, now: Duration) -> State {
        let until = match from {
            WaitFrom::Start => self.opened[number] + wait,
            WaitFrom::End => now + wait,
        };
        if until > now { State::TransientFailure { until } } else { self.redial(number, now) }
    }

    fn redial(&self, number: usize, now: Duration) -> State {
        State::Reconnecting { at: now.max(self.opened[number] + DIALLING) }
    }

    fn reconnect(&mut self, now: Duration) -> bool {
        let due = match self.state {
            State::Reconnecting { at } | State::TransientFailure { until: at } => at <= now,
            _ => false,
        };
        if due && self.plan.makes_calls() {
            self.dial(now);
        }
        due && self.plan.makes_calls()
    }

    fn dial(&mut self, now: Duration) {
        let connection = self.connections.len();
        let pace = self.pace(connection);
        self.connections.push(Connection::new(Arc::clone(&self.plan), pace, now));
        self.opened.push(now);
        self.connections[connection].advance(now);
        if self.plan.makes_calls() {
            self.state = State::Connecting { connection };
        } else {
            // A ladder is one call on one connection.
            self.state = State::Ready { connection, since: now };
            if let Some(call) = &mut self.call {
                call.on = Some(connection);
            }
        }
    }

    fn pace(&self, connection: usize) -> Pace {
        if connection == 0 { self.paces.first } else { self.paces.later }
    }
}
