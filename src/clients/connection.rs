//! One connection of a simulated client, as a machine without socket, clock or task.
//!
//! It walks down the ladder of its [`Plan`], takes the server's bytes and the passing of time, and leaves behind what to
//! write and what its [`Channel`](super::channel::Channel) has to know. What happens out of turn meets the reactions of
//! the plan: everything that tells one client version from another is data there.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::outcome::{Refusal, WaitingFor};
use crate::script::{Action, Awaited, Phase, Step, StreamReference, Trigger};
use crate::wire::hpack::Encoder;
use crate::wire::{ErrorCode, Frame, StreamId};

use super::answers::{Answer, Answers, Protocol};
use super::plan::{Plan, encode_frame};
use super::texts::{self, Facts};

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
    wrote: bool,
    answers: Answers,
    encoder: Encoder,
    next_stream: StreamId,
    stream: StreamId,
    /// What has happened and is not noticed before the connection is ready.
    unnoticed: Option<Trigger>,
    /// When the call on this connection is over, by its own deadline.
    call_deadline: Option<Duration>,
    requests: VecDeque<Request>,
    news: VecDeque<News>,
}

/// How long a client takes between one thing and the next, on one connection: part of a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Between two writes before the connection is ready.
    pub(crate) between_writes: Duration,
    /// Between being ready and taking a call.
    pub(crate) before_call: Duration,
    /// Which build of the client it is, where builds say different things.
    pub(crate) build: usize,
}

/// What the connection wants done to its socket, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Write(Bytes),
    Finish,
    Close,
    Reset,
}

/// What the channel has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The connection is READY.
    Ready,
    /// The connection never became ready.
    Failed(Failure),
    /// The connection was ready and can't take another call.
    Lost,
    /// The call on it has ended.
    CallEnded(CallEnd),
}

/// How a call ended, seen from its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered,
    Failed(Failure),
    /// It was not processed and goes to another connection, or fails like this if it has done so before.
    Retry(Failure),
}

/// Why something failed: what the user reads, and what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) text: String,
    pub(crate) cause: Cause,
}

/// What a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Refused(Refusal),
    Waited(WaitingFor),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
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
        let stage = if plan.makes_calls() { Stage::Connecting } else { Stage::Calling };
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
            wrote: false,
            answers,
            encoder: Encoder::new(),
            next_stream: first,
            stream: first,
            unnoticed: None,
            call_deadline: None,
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
            Stage::Connecting | Stage::Calling | Stage::Finishing => self.close(),
        }
    }

    /// What the call waits for, as a report says it.
    pub(crate) fn waiting_for(&self) -> WaitingFor {
        match self.blocked {
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
        let step = match self.blocked {
            Blocked::Until(at) => Some(at),
            Blocked::Awaiting { since, .. } => self.current_patience().map(|within| since + within),
            Blocked::No | Blocked::ForEver => None,
        };
        let unnoticed = self.unnoticed.filter(|_| self.stage != Stage::Connecting).map(|_| Duration::ZERO);
        [unnoticed, step, self.settings_deadline(), self.deadline()].into_iter().flatten().min()
    }

    /// Lets time pass.
    pub(crate) fn tick(&mut self, now: Duration) {
        if self.stage != Stage::Connecting
            && let Some(trigger) = self.unnoticed.take()
        {
            self.gone(trigger, now);
        }
        if self.settings_deadline().is_some_and(|at| at <= now) {
            self.happens(Trigger::Timeout, now);
        }
        if self.deadline().is_some_and(|at| at <= now) {
            self.happens(Trigger::Deadline, now);
        }
        if let Blocked::Awaiting { what, since } = self.blocked
            && self.current_patience().is_some_and(|within| since + within <= now)
        {
            self.patience_ends(what);
        }
        self.advance(now);
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
            Answer::Settings if acknowledges => self.write_frame(Frame::SettingsAck),
            Answer::Ping(opaque) if acknowledges => self.write_frame(Frame::Ping { ack: true, opaque }),
            Answer::NotSettings(_) => self.happens(Trigger::NotSettings, now),
            Answer::Http1 => self.happens(Trigger::Http1, now),
            Answer::Broken => self.happens(Trigger::Protocol, now),
            Answer::GoAway => self.goaway(now),
            Answer::Reset(stream) if self.awaits_answer_on(stream) => self.stream_reset(stream, now),
            Answer::Ended(stream) if self.awaits_answer_on(stream) => self.stream_ended(stream, now),
            Answer::Http1Head if self.plan.makes_calls() && self.answers.http1_status == Some(101) => {}
            _ => {}
        }
    }

    fn goaway(&mut self, now: Duration) {
        let Some(goaway) = &self.answers.goaway else {
            return;
        };
        let unprocessed = self.stage == Stage::Calling && self.stream > goaway.last && self.wrote_call();
        let trigger = if unprocessed { Trigger::Unprocessed } else { Trigger::GoAway };
        if let Blocked::Awaiting { what: Awaited::GoAway, .. } = self.blocked {
            return;
        }
        self.happens(trigger, now);
        if self.plan.makes_calls() && !self.is_over() {
            self.news.push_back(News::Lost);
            if self.stage == Stage::Idle {
                self.close();
            }
        }
    }

    fn stream_reset(&mut self, stream: StreamId, now: Duration) {
        let answer = &self.answers.streams[&stream];
        // A server that has answered may reset the stream with NO_ERROR (RFC 9113, section 8.1).
        if !answer.ended && !matches!(self.blocked, Blocked::Awaiting { what: Awaited::ResetStream(_), .. }) {
            self.happens(Trigger::ResetStream, now);
        }
    }

    fn stream_ended(&mut self, stream: StreamId, now: Duration) {
        let answer = &self.answers.streams[&stream];
        let grpc_failed = answer.grpc_status.is_some_and(|status| status != 0);
        let http_failed =
            answer.grpc_status.is_none() && answer.http_status.is_some_and(|status| status != 200);
        if grpc_failed {
            self.happens(Trigger::Status, now);
        } else if http_failed {
            self.happens(Trigger::HttpStatus, now);
        }
    }

    /// Whether the current step waits for what happens on `stream`.
    fn awaits_answer_on(&self, stream: StreamId) -> bool {
        match self.blocked {
            Blocked::Awaiting {
                what: Awaited::End(reference) | Awaited::Headers(reference) | Awaited::ResetStream(reference),
                ..
            } => self.number(reference) == stream,
            _ => self.stage == Stage::Calling && self.plan.makes_calls() && self.stream == stream,
        }
    }

    fn happens(&mut self, trigger: Trigger, now: Duration) {
        if self.is_over() {
            return;
        }
        let phase = self.phase();
        let plan = Arc::clone(&self.plan);
        let action = plan.reaction(trigger, phase, self.answers.goaway.is_some());
        let text = match action {
            Some(Action::Ignore) => return,
            Some(Action::Later) => {
                self.unnoticed = Some(trigger);
                return;
            }
            Some(Action::Fail(texts)) => {
                let text = &texts[self.pace.build % texts.len()];
                texts::fill_in(text, &self.facts())
            }
            Some(Action::Retry) => "the connection is draining".to_owned(),
            None => match self.default_text(trigger) {
                Some(text) => text.to_owned(),
                None => return,
            },
        };
        let failure = Failure { text, cause: self.cause(trigger) };
        if phase == Phase::Call && action == Some(&Action::Retry) {
            self.call_ends(CallEnd::Retry(failure), trigger);
            return;
        }
        match phase {
            Phase::Writing | Phase::Connecting => {
                self.news.push_back(News::Failed(failure));
                self.close();
            }
            Phase::Call => self.call_ends(CallEnd::Failed(failure), trigger),
            Phase::Idle => {
                self.news.push_back(News::Lost);
                self.close();
            }
        }
        self.advance(now);
    }

    fn call_ends(&mut self, end: CallEnd, trigger: Trigger) {
        self.call_deadline = None;
        let stream_is_open = self.wrote_call() && trigger == Trigger::Deadline;
        self.news.push_back(News::CallEnded(end));
        match trigger {
            _ if !self.plan.makes_calls() => self.close(),
            Trigger::Deadline | Trigger::Status | Trigger::HttpStatus | Trigger::ResetStream => {
                if stream_is_open {
                    self.write_frame(Frame::RstStream { stream: self.stream, code: ErrorCode::Cancel });
                }
                self.enter(Stage::Idle);
            }
            Trigger::Unprocessed => self.enter(Stage::Idle),
            _ => {
                self.news.push_back(News::Lost);
                self.close();
            }
        }
    }

    /// What happens to a client whose plan says nothing about it.
    fn default_text(&self, trigger: Trigger) -> Option<&'static str> {
        let walks_a_ladder = !self.plan.makes_calls();
        match trigger {
            Trigger::End => Some("the server ended the connection"),
            Trigger::Reset => Some("the connection was reset"),
            Trigger::Timeout => Some("the server's SETTINGS did not come in time"),
            Trigger::Deadline => Some("the deadline is over"),
            Trigger::ResetStream => Some("the server reset the stream"),
            Trigger::Status => Some("the server answered with an error"),
            Trigger::HttpStatus if self.stage == Stage::Calling && !walks_a_ladder => None,
            Trigger::HttpStatus => None,
            Trigger::GoAway | Trigger::Unprocessed if walks_a_ladder => {
                let error = |goaway: &super::answers::GoAway| goaway.code != ErrorCode::NoError;
                self.answers.goaway.as_ref().is_some_and(error).then_some("the server said GOAWAY")
            }
            Trigger::Http1 | Trigger::Protocol => Some("the server does not speak HTTP/2"),
            Trigger::GoAway | Trigger::Unprocessed | Trigger::NotSettings => None,
        }
    }

    fn cause(&self, trigger: Trigger) -> Cause {
        let answer = self.answers.streams.get(&self.stream);
        Cause::Refused(match trigger {
            Trigger::Timeout => return Cause::Waited(WaitingFor::Settings),
            Trigger::Deadline => return Cause::Waited(self.waiting_for()),
            Trigger::Reset | Trigger::End if self.answers.goaway.is_some() => self.goaway_refusal(),
            Trigger::GoAway | Trigger::Unprocessed => self.goaway_refusal(),
            Trigger::Reset => Refusal::Reset,
            Trigger::End | Trigger::NotSettings | Trigger::Protocol => Refusal::Close,
            Trigger::Http1 => Refusal::Status(self.answers.http1_status.map_or(0, u32::from)),
            Trigger::ResetStream => {
                Refusal::ResetStream(answer.and_then(|answer| answer.reset).map_or(0, u32::from))
            }
            Trigger::Status => Refusal::Status(answer.and_then(|answer| answer.grpc_status).unwrap_or(0)),
            Trigger::HttpStatus => Refusal::Status(answer.and_then(|answer| answer.http_status).unwrap_or(0)),
        })
    }

    fn goaway_refusal(&self) -> Refusal {
        Refusal::GoAway(self.answers.goaway.as_ref().map_or(0, |goaway| goaway.code.into()))
    }

    fn facts(&self) -> Facts<'_> {
        Facts {
            goaway: self.answers.goaway.as_ref(),
            answer: self.answers.streams.get(&self.stream),
            first_frame: self.answers.first_frame,
        }
    }

    fn patience_ends(&mut self, what: Awaited) {
        let text = match self.current_step() {
            Some(Step::Await { otherwise: Some(text), .. }) => text.clone(),
            _ => format!("waited too long for {}", what.waiting_for()),
        };
        let failure = Failure { text, cause: Cause::Waited(what.waiting_for()) };
        self.news.push_back(match self.stage {
            Stage::Connecting => News::Failed(failure),
            _ => News::CallEnded(CallEnd::Failed(failure)),
        });
        self.close();
    }

    fn phase(&self) -> Phase {
        match self.stage {
            Stage::Connecting => {
                let rest = self.plan.behaviour.connect.get(self.step..).unwrap_or_default();
                let writes = rest.iter().any(|step| matches!(step, Step::Send(_)));
                if writes { Phase::Writing } else { Phase::Connecting }
            }
            Stage::Calling => Phase::Call,
            Stage::Idle | Stage::Finishing | Stage::Over => Phase::Idle,
        }
    }

    /// Whether anything of the current call has been written.
    fn wrote_call(&self) -> bool {
        self.stage == Stage::Calling && self.step > 0
    }

    fn settings_deadline(&self) -> Option<Duration> {
        let waits = self.answers.settings == 0 && self.answers.settings_acks == 0 && !self.is_over();
        self.plan.behaviour.settings_within.filter(|_| waits).map(|within| self.opened + within)
    }

    fn deadline(&self) -> Option<Duration> {
        self.call_deadline.filter(|_| self.stage == Stage::Calling)
    }

    fn steps(&self) -> &[Step] {
        match self.stage {
            Stage::Connecting => &self.plan.behaviour.connect,
            Stage::Calling if self.plan.makes_calls() => self.plan.call_steps(),
            Stage::Calling => &self.plan.behaviour.connect,
            Stage::Finishing => self.plan.final_steps(),
            Stage::Idle | Stage::Over => &[],
        }
    }

    fn current_step(&self) -> Option<&Step> {
        self.steps().get(self.step)
    }

    fn current_patience(&self) -> Option<Duration> {
        match self.current_step() {
            Some(Step::Await { within, .. }) => *within,
            _ => None,
        }
    }

    fn number(&self, reference: StreamReference) -> StreamId {
        match reference {
            StreamReference::Number(number) => number,
            StreamReference::OfCall => self.stream,
        }
    }

    fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.go_to(0);
    }

    fn pass(&mut self) {
        self.go_to(self.step + 1);
    }

    fn go_to(&mut self, step: usize) {
        self.step = step;
        self.blocked = Blocked::No;
        self.paused = false;
    }

    /// Walks down the ladder until a step has to wait.
    pub(crate) fn advance(&mut self, now: Duration) {
        loop {
            match self.blocked {
                Blocked::Until(at) if at <= now => self.blocked = Blocked::No,
                Blocked::Awaiting { what, .. } if self.is_there(what) => self.pass(),
                Blocked::No => {}
                Blocked::Until(_) | Blocked::Awaiting { .. } | Blocked::ForEver => return,
            }
            if self.blocked != Blocked::No {
                continue;
            }
            if matches!(self.stage, Stage::Idle | Stage::Over) {
                return;
            }
            let Some(step) = self.current_step().cloned() else {
                self.end_of_steps();
                continue;
            };
            self.take(step, now);
        }
    }

    fn end_of_steps(&mut self) {
        match self.stage {
            Stage::Connecting => {
                self.enter(Stage::Idle);
                self.news.push_back(News::Ready);
            }
            Stage::Calling => {
                self.call_deadline = None;
                self.news.push_back(News::CallEnded(CallEnd::Answered));
                if self.plan.makes_calls() { self.enter(Stage::Idle) } else { self.close() }
            }
            Stage::Finishing => self.close(),
            Stage::Idle | Stage::Over => {}
        }
    }

    fn take(&mut self, step: Step, now: Duration) {
        match step {
            Step::Send(_)
                if self.stage == Stage::Connecting
                    && self.wrote
                    && self.pause(self.pace.between_writes, now) => {}
            Step::Send(items) => {
                let left = self.call_deadline.map_or(self.plan.work.deadline, |at| at.saturating_sub(now));
                let bytes = self.plan.encode(&items, self.stream, left, &mut self.encoder);
                self.wrote = true;
                self.requests.push_back(Request::Write(bytes));
                self.pass();
            }
            Step::Await { what, .. } => self.blocked = Blocked::Awaiting { what, since: now },
            Step::Wait(time) if self.pause(time, now) => {}
            Step::Wait(_) => self.pass(),
            Step::HalfClose => {
                self.requests.push_back(Request::Finish);
                self.pass();
            }
            Step::Close if self.stage == Stage::Calling && !self.plan.makes_calls() => {
                // The last rung: what came before it has all been met.
                self.news.push_back(News::CallEnded(CallEnd::Answered));
                self.close();
            }
            Step::Close => self.close(),
            Step::Reset => {
                self.news.push_back(News::CallEnded(CallEnd::Answered));
                self.requests.push_back(Request::Reset);
                self.stage = Stage::Over;
            }
            Step::Silent => self.blocked = Blocked::ForEver,
        }
    }

    /// Takes some time before the current step, once; `false` if that is over.
    fn pause(&mut self, time: Duration, now: Duration) -> bool {
        if time.is_zero() || std::mem::replace(&mut self.paused, true) {
            return false;
        }
        self.blocked = Blocked::Until(now + time);
        true
    }

    fn is_there(&self, what: Awaited) -> bool {
        let answers = &self.answers;
        let on = |reference| answers.streams.get(&self.number(reference));
        match what {
            Awaited::Settings => answers.settings > 0,
            Awaited::SettingsOrAck => answers.settings > 0 || answers.settings_acks > 0,
            Awaited::SettingsAck => answers.settings_acks > 0,
            Awaited::Headers(reference) => on(reference).is_some_and(|answer| answer.header_blocks > 0),
            Awaited::End(reference) => on(reference).is_some_and(|answer| answer.ended),
            Awaited::ResetStream(reference) => on(reference).is_some_and(|answer| answer.reset.is_some()),
            Awaited::GoAway => answers.goaway.is_some(),
            Awaited::PingAck => answers.ping_acks > 0,
            Awaited::Bytes(count) => answers.bytes >= count,
            Awaited::Http1 => answers.http1_status.is_some(),
            Awaited::Close => false,
        }
    }

    fn write_frame(&mut self, frame: Frame) {
        if self.plan.protocol == Protocol::Http2 {
            let mut out = Vec::with_capacity(17);
            encode_frame(&frame, &mut out);
            self.requests.push_back(Request::Write(out.into()));
        }
    }
}
