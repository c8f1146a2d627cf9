//! What happens out of turn, and what the plan makes of it.

use std::sync::Arc;
use std::time::Duration;

use crate::clients::answers::GoAway;
use crate::clients::texts::{self, Facts};
use crate::outcome::{Refusal, WaitingFor};
use crate::script::{Action, Awaited, Phase, Step, Trigger};
use crate::wire::{ErrorCode, Frame, StreamId};

use super::{Blocked, CallEnd, Cause, Connection, Failure, News, Stage};

impl Connection {
    pub(super) fn goaway(&mut self, now: Duration) {
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

    pub(super) fn stream_reset(&mut self, stream: StreamId, now: Duration) {
        let answer = &self.answers.streams[&stream];
        // A server that has answered may reset the stream with NO_ERROR (RFC 9113, section 8.1).
        if !answer.ended && !matches!(self.blocked, Blocked::Awaiting { what: Awaited::ResetStream(_), .. }) {
            self.happens(Trigger::ResetStream, now);
        }
    }

    pub(super) fn stream_ended(&mut self, stream: StreamId, now: Duration) {
        let answer = &self.answers.streams[&stream];
        let grpc_failed = answer.grpc_status.is_some_and(|status| status != 0);
        if grpc_failed {
            self.happens(Trigger::Status, now);
        } else if answer.grpc_status.is_none() {
            match answer.http_status {
                Some(200) if !answer.is_grpc() => self.happens(Trigger::ContentType, now),
                Some(200) | None => {}
                Some(_) => self.happens(Trigger::HttpStatus, now),
            }
        }
    }

    /// Whether the current step waits for what happens on `stream`.
    pub(super) fn awaits_answer_on(&self, stream: StreamId) -> bool {
        match self.blocked {
            Blocked::Awaiting {
                what: Awaited::End(reference) | Awaited::Headers(reference) | Awaited::ResetStream(reference),
                ..
            } => self.number(reference) == stream,
            _ => self.stage == Stage::Calling && self.plan.makes_calls() && self.stream == stream,
        }
    }

    pub(super) fn happens(&mut self, trigger: Trigger, now: Duration) {
        if self.is_over() {
            return;
        }
        let phase = self.phase();
        let plan = Arc::clone(&self.plan);
        let action = plan.reaction(trigger, phase, self.answers.goaway.is_some(), self.stated_code());
        let text = match action {
            Some(Action::Ignore) => return,
            Some(Action::Later) if self.is_connecting() => {
                self.unnoticed = Some(trigger);
                return;
            }
            Some(Action::Fail(texts) | Action::FailAtDeadline(texts)) => {
                let text = &texts[self.pace.build % texts.len()];
                texts::fill_in(text, &self.facts())
            }
            Some(Action::Retry(Some(text))) => texts::fill_in(text, &self.facts()),
            Some(Action::Retry(None)) => "the connection is draining".to_owned(),
            // What was put off until now can't be put off again.
            Some(Action::Later) | None => match self.default_text(trigger) {
                Some(text) if plan.has_words_of_its_own() => {
                    format!("{text} (the client's own words for this are not known)")
                }
                Some(text) => text.to_owned(),
                None => return,
            },
        };
        let failure = Failure { text, cause: self.cause(trigger) };
        if phase == Phase::Call && matches!(action, Some(Action::Retry(_))) {
            self.call_ends(CallEnd::Retry(failure), trigger);
            return;
        }
        match phase {
            Phase::Securing if !self.plan.makes_calls() => self.call_ends(CallEnd::Failed(failure), trigger),
            Phase::Securing | Phase::Writing | Phase::Connecting => {
                if trigger == Trigger::NoAlpn {
                    self.write_unagreed();
                }
                self.news.push_back(News::Failed(failure));
                self.close();
            }
            Phase::Call if matches!(action, Some(Action::FailAtDeadline(_))) => {
                self.call_ends(CallEnd::FailedUntold(failure), trigger);
            }
            Phase::Call => self.call_ends(CallEnd::Failed(failure), trigger),
            Phase::Idle => {
                self.news.push_back(News::Lost);
                self.close();
            }
        }
        self.advance(now);
    }

    pub(super) fn call_ends(&mut self, end: CallEnd, trigger: Trigger) {
        self.call_deadline = None;
        let stream_is_open = self.wrote_call() && trigger == Trigger::Deadline;
        self.news.push_back(News::CallEnded(end));
        match trigger {
            _ if !self.plan.makes_calls() => self.close(),
            Trigger::Deadline
            | Trigger::Status
            | Trigger::HttpStatus
            | Trigger::ContentType
            | Trigger::ResetStream => {
                if stream_is_open {
                    self.write_frame(&Frame::RstStream { stream: self.stream, code: ErrorCode::Cancel });
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
    pub(super) fn default_text(&self, trigger: Trigger) -> Option<&'static str> {
        match trigger {
            Trigger::End => Some("the server ended the connection"),
            Trigger::Reset => Some("the connection was reset"),
            Trigger::Timeout => Some("the server's SETTINGS did not come in time"),
            Trigger::Deadline => Some("the deadline is over"),
            Trigger::ResetStream => Some("the server reset the stream"),
            Trigger::Status => Some("the server answered with an error"),
            Trigger::Alert => Some("the server sent a TLS alert"),
            Trigger::NotTls => Some("the server does not speak TLS"),
            Trigger::HttpStatus | Trigger::ContentType | Trigger::NoAlpn => None,
            Trigger::GoAway | Trigger::Unprocessed if !self.plan.makes_calls() => {
                let error = |goaway: &GoAway| goaway.code != ErrorCode::NoError;
                self.answers.goaway.as_ref().is_some_and(error).then_some("the server said GOAWAY")
            }
            Trigger::Http1 | Trigger::Protocol => Some("the server does not speak HTTP/2"),
            Trigger::GoAway | Trigger::Unprocessed | Trigger::NotSettings => None,
        }
    }

    pub(super) fn cause(&self, trigger: Trigger) -> Cause {
        let answer = self.answers.streams.get(&self.stream);
        Cause::Refused(match trigger {
            Trigger::Timeout if self.stage == Stage::Securing => {
                return Cause::Waited(WaitingFor::TlsHandshake);
            }
            Trigger::Timeout => return Cause::Waited(WaitingFor::Settings),
            Trigger::Deadline => return Cause::Waited(self.waiting_for()),
            Trigger::Reset | Trigger::End if self.answers.goaway.is_some() => self.goaway_refusal(),
            Trigger::GoAway | Trigger::Unprocessed => self.goaway_refusal(),
            Trigger::Reset => Refusal::Reset,
            Trigger::Alert => Refusal::Alert(self.alert.unwrap_or_default()),
            Trigger::NoAlpn | Trigger::NotTls => Refusal::Close,
            Trigger::End | Trigger::NotSettings | Trigger::Protocol => Refusal::Close,
            Trigger::Http1 => Refusal::Status(self.answers.http1_status.map_or(0, u32::from)),
            Trigger::ResetStream => {
                Refusal::ResetStream(answer.and_then(|answer| answer.reset).map_or(0, u32::from))
            }
            Trigger::Status => Refusal::Status(answer.and_then(|answer| answer.grpc_status).unwrap_or(0)),
            Trigger::HttpStatus | Trigger::ContentType => {
                Refusal::Status(answer.and_then(|answer| answer.http_status).unwrap_or(0))
            }
        })
    }

    /// The code that the server gave for what it did: of the stream's reset, else of its GOAWAY.
    fn stated_code(&self) -> Option<ErrorCode> {
        let reset = self.answers.streams.get(&self.stream).and_then(|answer| answer.reset);
        reset.or(self.answers.goaway.as_ref().map(|goaway| goaway.code))
    }

    pub(super) fn goaway_refusal(&self) -> Refusal {
        Refusal::GoAway(self.answers.goaway.as_ref().map_or(0, |goaway| goaway.code.into()))
    }

    pub(super) fn facts(&self) -> Facts<'_> {
        Facts {
            goaway: self.answers.goaway.as_ref(),
            answer: self.answers.streams.get(&self.stream),
            first_frame: self.answers.first_frame,
            alert: self.alert,
            deadline: self.plan.work.deadline,
            http1_status: self.answers.http1_status,
            no_head: self.answers.head(),
        }
    }

    pub(super) fn patience_ends(&mut self, what: Awaited) {
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

    pub(super) fn phase(&self) -> Phase {
        match self.stage {
            Stage::Connecting => {
                let rest = self.plan.behaviour.connect.get(self.step..).unwrap_or_default();
                let writes = rest.iter().any(|step| matches!(step, Step::Send(_)));
                if writes { Phase::Writing } else { Phase::Connecting }
            }
            Stage::Securing => Phase::Securing,
            Stage::Calling => Phase::Call,
            Stage::Idle | Stage::Finishing | Stage::Over => Phase::Idle,
        }
    }
}
