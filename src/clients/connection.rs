//! One connection of a simulated client, as a machine without socket, clock or task.
//!
//! It walks down the ladder of its [`Plan`], takes the server's bytes and the passing of time, and leaves behind what to
//! write and what its [`Channel`](super::channel::Channel) has to know. What happens out of turn meets the reactions of
//! the plan: everything that tells one client version from another is data there.

mod news;
mod trouble;
mod walk;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::outcome::WaitingFor;
use crate::script::{Acknowledging, Awaited, Trigger};
use crate::wire::hpack::Encoder;
use crate::wire::{Frame, StreamId};

use super::answers::{Answer, Answers};
use super::plan::{Plan, encode_frame};
use crate::tls::Trouble;

pub(crate) use news::{CallEnd, Cause, Failure, News, Pace, Request};

/// A connection, from dialling to its end.
#[derive(Debug)]
pub(crate) struct Connection {
    plan: Arc<Plan>,
    pace: Pace,
    opened: Duration,
    stage: Stage,
    step: usize,
    blocked: Blocked,
    /// Whether the current step has taken its time already.
    paused: bool,
    /// How many bytes have been written.
    written: u64,
    /// What is written with the next write.
    held: Vec<u8>,
    answers: Answers,
    encoder: Encoder,
    next_stream: StreamId,
    stream: StreamId,
    /// Whether the server has switched to HTTP/2 at the client's request.
    upgraded: bool,
    /// What has happened and is not noticed before the connection is ready.
    unnoticed: Option<Trigger>,
    /// The description of the TLS alert that ended it.
    alert: Option<u8>,
    /// When the call on this connection is over, by its own deadline.
    call_deadline: Option<Duration>,
    /// Whether it has met the end of the time for the server's SETTINGS, whatever it made of it: that comes once.
    met_timeout: bool,
    /// Whether the call has met its deadline.
    met_deadline: bool,
    requests: VecDeque<Request>,
    news: VecDeque<News>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Shaking hands for TLS, before anything else.
    Securing,
    /// Walking down what comes before `ready`.
    Connecting,
    /// Ready, without a call.
    Idle,
    /// With a call: walking down its steps.
    Calling,
    /// Walking down what comes before closing.
    Finishing,
    /// Closed, or of no use any more.
    Over,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Blocked {
    No,
    Until(Duration),
    Awaiting { what: Awaited, since: Duration },
    ForEver,
}

impl Connection {
    pub(crate) fn new(plan: Arc<Plan>, pace: Pace, now: Duration) -> Self {
        let stage = if plan.hello.is_some() { Stage::Securing } else { first_stage(&plan) };
        let answers = Answers::new(plan.protocol, plan.behaviour.frame_limit);
        let first = plan.behaviour.first_stream;
        Self {
            plan,
            pace,
            opened: now,
            stage,
            step: 0,
            blocked: Blocked::No,
            paused: false,
            written: 0,
            held: Vec::new(),
            answers,
            encoder: Encoder::new(),
            next_stream: first,
            stream: first,
            upgraded: false,
            unnoticed: None,
            alert: None,
            call_deadline: None,
            met_timeout: false,
            met_deadline: false,
            requests: VecDeque::new(),
            news: VecDeque::new(),
        }
    }

    /// Whether a call may begin on it.
    pub(crate) fn is_idle(&self) -> bool {
        self.stage == Stage::Idle
    }

    /// Whether nothing more comes of it.
    pub(crate) fn is_over(&self) -> bool {
        self.stage == Stage::Over
    }

    /// Whether the server's SETTINGS have come.
    pub(crate) fn has_settings(&self) -> bool {
        self.answers.settings > 0
    }

    /// Begins a call that ends at `deadline`.
    pub(crate) fn begin_call(&mut self, now: Duration, deadline: Duration) {
        self.enter(Stage::Calling);
        self.stream = self.next_stream;
        self.next_stream = StreamId::new(u32::from(self.stream).saturating_add(2)).unwrap_or(StreamId::MAX);
        self.call_deadline = Some(deadline);
        self.met_deadline = false;
        self.advance(now);
    }

    /// No more calls come.
    pub(crate) fn finish(&mut self, now: Duration) {
        match self.stage {
            Stage::Over => {}
            // What is said on closing is said on a connection that was established.
            Stage::Idle => {
                self.enter(Stage::Finishing);
                self.advance(now);
            }
            Stage::Securing | Stage::Connecting | Stage::Calling | Stage::Finishing => self.close(),
        }
    }

    /// What the call waits for, as a report says it.
    pub(crate) fn waiting_for(&self) -> WaitingFor {
        match self.blocked {
            _ if self.stage == Stage::Securing => WaitingFor::TlsHandshake,
            Blocked::Awaiting { what, .. } => what.waiting_for(),
            Blocked::No | Blocked::Until(_) | Blocked::ForEver => WaitingFor::Bytes,
        }
    }

    pub(crate) fn next_request(&mut self) -> Option<Request> {
        self.requests.pop_front()
    }

    pub(crate) fn next_news(&mut self) -> Option<News> {
        self.news.pop_front()
    }

    /// When time alone will change something.
    pub(crate) fn next_time(&self) -> Option<Duration> {
        if self.is_over() {
            return None;
        }
        let step = match self.blocked {
            Blocked::Until(at) => Some(at),
            Blocked::Awaiting { since, .. } => self.current_patience().map(|within| since + within),
            Blocked::No | Blocked::ForEver => None,
        };
        let unnoticed = self.unnoticed.filter(|_| !self.is_connecting()).map(|_| Duration::ZERO);
        [unnoticed, step, self.settings_deadline(), self.deadline()].into_iter().flatten().min()
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Duration) {
        if !self.is_connecting()
            && let Some(trigger) = self.unnoticed.take()
        {
            self.gone(trigger, now);
        }
        if self.settings_deadline().is_some_and(|at| at <= now) {
            self.met_timeout = true;
            self.happens(Trigger::Timeout, now);
        }
        if self.deadline().is_some_and(|at| at <= now) {
            self.met_deadline = true;
            self.happens(Trigger::Deadline, now);
        }
        if let Blocked::Awaiting { what, since } = self.blocked
            && self.current_patience().is_some_and(|within| since + within <= now)
        {
            self.patience_ends(what);
        }
        self.advance(now);
    }

    /// The TLS handshake is over, and the server has chosen this protocol or none.
    pub(crate) fn secured(&mut self, protocol: Option<&str>, now: Duration) {
        if self.stage != Stage::Securing {
            return;
        }
        if protocol.is_none() {
            self.happens(Trigger::NoAlpn, now);
        }
        if self.is_over() {
            return;
        }
        if let Some(other) = self.plan.without_h2.clone().filter(|_| protocol != Some("h2")) {
            self.answers = Answers::new(other.protocol, other.behaviour.frame_limit);
            self.plan = other;
        }
        self.enter(first_stage(&self.plan));
        self.advance(now);
    }

    /// TLS has failed, or has been ended by an alert.
    pub(crate) fn broke(&mut self, trouble: Trouble, now: Duration) {
        let trigger = match trouble {
            Trouble::Alert(description) => {
                self.alert = Some(description);
                Trigger::Alert
            }
            Trouble::NotTls => Trigger::NotTls,
            Trouble::Protocol => Trigger::Protocol,
        };
        self.gone(trigger, now);
    }

    /// The server's bytes.
    pub(crate) fn received(&mut self, bytes: &Bytes, now: Duration) {
        if self.is_over() {
            return;
        }
        self.answers.push(bytes);
        while let Some(answer) = self.answers.next() {
            self.answer(answer, now);
            self.advance(now);
        }
        self.advance(now);
    }

    /// The server's end of the stream.
    pub(crate) fn ended(&mut self, now: Duration) {
        self.gone(Trigger::End, now);
    }

    /// A reset, read or met while writing.
    pub(crate) fn was_reset(&mut self, now: Duration) {
        self.gone(Trigger::Reset, now);
    }

    /// The channel is done with it.
    pub(crate) fn close(&mut self) {
        if !self.is_over() {
            self.requests.push_back(Request::Close);
            self.stage = Stage::Over;
        }
    }

    fn is_connecting(&self) -> bool {
        matches!(self.stage, Stage::Securing | Stage::Connecting)
    }

    fn gone(&mut self, trigger: Trigger, now: Duration) {
        if self.is_over() {
            return;
        }
        if let Blocked::Awaiting { what: Awaited::Close, .. } = self.blocked {
            self.pass();
            self.advance(now);
        } else {
            self.happens(trigger, now);
        }
        if self.unnoticed.is_none() {
            self.close();
        }
    }

    fn answer(&mut self, answer: Answer, now: Duration) {
        let acknowledges = self.plan.behaviour.acknowledges;
        match answer {
            Answer::Settings if self.breaks_priorities() => self.happens(Trigger::Protocol, now),
            Answer::Settings => match acknowledges {
                Acknowledging::AtOnce => self.write_frame(&Frame::SettingsAck),
                Acknowledging::Late => encode_frame(&Frame::SettingsAck, &mut self.held),
                Acknowledging::Never => {}
            },
            Answer::Ping(opaque) if acknowledges != Acknowledging::Never => {
                self.write_frame(&Frame::Ping { ack: true, opaque });
            }
            Answer::NotSettings(_) => self.happens(Trigger::NotSettings, now),
            Answer::Http1 => self.happens(Trigger::Http1, now),
            Answer::Broken => self.happens(Trigger::Protocol, now),
            Answer::GoAway => self.goaway(now),
            Answer::Switched => {
                self.upgraded = true;
                self.go_to(0);
            }
            Answer::Http1Head if self.plan.makes_calls() && !self.awaits_http1() => {
                self.http1_head(now);
            }
            Answer::Reset(stream) if self.awaits_answer_on(stream) => self.stream_reset(stream, now),
            Answer::Ended(stream) if self.awaits_answer_on(stream) => self.stream_ended(stream, now),
            _ => {}
        }
    }

    /// A call that waits for a stream to end takes it for that stream's answer.
    fn http1_head(&mut self, now: Duration) {
        if self.stage == Stage::Calling {
            self.answers.take_head_as_answer_on(self.stream);
            self.stream_ended(self.stream, now);
        }
        if self.stage == Stage::Calling {
            self.happens(Trigger::Http1, now);
        }
    }

    fn awaits_http1(&self) -> bool {
        matches!(self.blocked, Blocked::Awaiting { what: Awaited::Http1, .. })
    }

    /// Whether the newest SETTINGS change what a client may take to be fixed.
    fn breaks_priorities(&self) -> bool {
        self.plan.behaviour.fixed_priorities && self.answers.priorities_changed
    }

    /// Whether anything of the current call has been written.
    fn wrote_call(&self) -> bool {
        self.stage == Stage::Calling && self.step > 0
    }

    fn settings_deadline(&self) -> Option<Duration> {
        let waits = self.answers.settings == 0 && self.answers.settings_acks == 0 && !self.is_over();
        self.plan
            .behaviour
            .settings_within
            .filter(|_| waits && !self.met_timeout)
            .map(|within| self.opened + within)
    }

    fn deadline(&self) -> Option<Duration> {
        self.call_deadline.filter(|_| self.stage == Stage::Calling && !self.met_deadline)
    }
}

/// Where a plan begins on a connection that can carry its bytes.
fn first_stage(plan: &Plan) -> Stage {
    if plan.makes_calls() { Stage::Connecting } else { Stage::Calling }
}
