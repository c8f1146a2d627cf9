//! A channel's calls: when one begins, where it goes, and what it ends with.

use std::time::Duration;

use crate::clients::connection::{Cause, Connection, Failure};
use crate::clients::texts::{self, Facts};
use crate::outcome::WaitingFor;
use crate::script::{Action, Phase, Trigger};

use super::{Call, CallRecord, Channel, DIALLING, Next, State};

impl Channel {
    pub(super) fn end_call(&mut self, failure: Option<Failure>, now: Duration) {
        let connection = self.call.take().and_then(|call| call.on);
        self.untold = None;
        let failed = failure.is_some();
        self.records.push(CallRecord { at: now, failure, connection });
        let more = !failed && self.plan.makes_calls() && self.records.len() < self.plan.work.calls as usize;
        let leaves_at_once = failed || self.paces.leaves_at_once || !self.plan.makes_calls();
        let gap = self.plan.work.gap;
        self.next = if more {
            Next::Call { at: now + gap }
        } else {
            Next::Finish { at: if leaves_at_once { now } else { now + gap } }
        };
    }

    pub(super) fn start_or_finish(&mut self, now: Duration) -> bool {
        match self.next {
            Next::Call { at } if at <= now => {
                self.next = Next::Nothing;
                self.failed_tries = 0;
                self.call = Some(Call {
                    started: now,
                    deadline: now + self.plan.work.deadline,
                    on: None,
                    dawdled: false,
                    retried: false,
                });
                true
            }
            Next::Finish { at } if at <= now => {
                self.next = Next::Nothing;
                self.state = State::Shutdown;
                for connection in &mut self.connections[self.settled..] {
                    connection.finish(now);
                }
                true
            }
            Next::Call { .. } | Next::Finish { .. } | Next::Nothing => false,
        }
    }

    /// Brings a waiting call forward: onto a connection, or to its end.
    pub(super) fn move_call(&mut self, now: Duration) -> bool {
        let Some(call) = self.call else { return false };
        if call.started + self.plan.work.patience <= now {
            let waiting_for = self.waiting_for(call);
            let text = format!("still waiting for {waiting_for}");
            self.end_call(Some(Failure { text, cause: Cause::Waited(waiting_for) }), now);
            return true;
        }
        if call.deadline <= now && self.untold.is_some() {
            let failure = self.untold.take();
            self.end_call(failure, now);
            return true;
        }
        if call.on.is_some() {
            return false;
        }
        match self.state {
            State::Idle => match self.opened.last() {
                Some(opened) if *opened + DIALLING > now => {
                    self.state = self.redial(self.opened.len() - 1, now);
                }
                _ => self.dial(now),
            },
            State::Ready { connection, .. } if self.dispatch_time().is_some_and(|at| at <= now) => {
                self.call = Some(Call { on: Some(connection), ..call });
                self.connections[connection].begin_call(now, call.deadline);
            }
            State::TransientFailure { .. } if self.plan.behaviour.fail_fast.is_some() => {
                self.end_call(Some(self.fail_fast_failure()), now);
            }
            _ if call.deadline <= now => {
                let text = match self.plan.reaction(Trigger::Deadline, Phase::Connecting, false, None) {
                    Some(Action::Fail(texts)) => {
                        self.of_deadline(&texts[self.paces.first.build % texts.len()])
                    }
                    _ => "the deadline is over".to_owned(),
                };
                self.end_call(Some(Failure { text, cause: Cause::Waited(self.waiting_for(call)) }), now);
            }
            _ => return false,
        }
        true
    }

    /// What a call reads whose deadline ends before there is a connection for it.
    pub(super) fn of_deadline(&self, text: &str) -> String {
        let deadline = self.plan.work.deadline;
        texts::fill_in(
            text,
            &Facts {
                goaway: None,
                answer: None,
                first_frame: None,
                alert: None,
                deadline,
                http1_status: None,
                no_head: b"",
            },
        )
    }

    pub(super) fn fail_fast_failure(&self) -> Failure {
        // A channel that lost an established connection has no connection error: Go's nil.
        let (text, cause) = match &self.last_failure {
            Some(failure) => (failure.text.as_str(), failure.cause),
            None => ("<nil>", Cause::Refused(crate::outcome::Refusal::Close)),
        };
        let template = self.plan.behaviour.fail_fast.as_deref().unwrap_or("{cause}");
        Failure { text: template.replace("{cause}", text), cause }
    }

    /// When a waiting call goes onto the ready connection.
    pub(super) fn dispatch_time(&self) -> Option<Duration> {
        let call = self.call.filter(|call| call.on.is_none())?;
        match self.state {
            State::Ready { connection, since } if self.connections[connection].is_idle() => {
                // A client that does nothing on connecting dials for its call, and has it at hand.
                let at_hand = call.dawdled || self.plan.behaviour.connect.is_empty();
                let pause = if at_hand { Duration::ZERO } else { self.pace(connection).before_call };
                Some(since.max(call.started) + pause)
            }
            _ => None,
        }
    }

    pub(super) fn waiting_for(&self, call: Call) -> WaitingFor {
        match (call.on, self.state) {
            (Some(connection), _) | (None, State::Connecting { connection }) => {
                self.connections[connection].waiting_for()
            }
            (None, _) => self.connections.last().map_or(WaitingFor::Bytes, Connection::waiting_for),
        }
    }
}
