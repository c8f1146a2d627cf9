//! Walking down the ladder: one step after another, until one has to wait.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::clients::answers::Protocol;
use crate::clients::plan::{Plan, encode_frame};
use crate::script::{Awaited, Step, StreamReference};
use crate::wire::{Frame, StreamId};

use super::{Blocked, CallEnd, Connection, News, Request, Stage};

impl Connection {
    /// The step that it has come to, of its own plan.
    pub(super) fn step_of<'a>(&self, plan: &'a Plan) -> Option<&'a Step> {
        let steps = match self.stage {
            Stage::Connecting => &plan.behaviour.connect,
            Stage::Calling if self.upgraded => plan.upgraded_steps(),
            Stage::Calling if plan.makes_calls() => plan.call_steps(),
            Stage::Calling => &plan.behaviour.connect,
            Stage::Finishing => plan.final_steps(),
            Stage::Securing | Stage::Idle | Stage::Over => &[][..],
        };
        steps.get(self.step)
    }

    pub(super) fn current_step(&self) -> Option<&Step> {
        self.step_of(&self.plan)
    }

    pub(super) fn current_patience(&self) -> Option<Duration> {
        match self.current_step() {
            Some(Step::Await { within, .. }) => *within,
            _ => None,
        }
    }

    pub(super) fn number(&self, reference: StreamReference) -> StreamId {
        match reference {
            StreamReference::Number(number) => number,
            StreamReference::OfCall => self.stream,
        }
    }

    pub(super) fn enter(&mut self, stage: Stage) {
        self.stage = stage;
        self.go_to(0);
    }

    pub(super) fn pass(&mut self) {
        self.go_to(self.step + 1);
    }

    pub(super) fn go_to(&mut self, step: usize) {
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
            if matches!(self.stage, Stage::Securing | Stage::Idle | Stage::Over) {
                return;
            }
            let plan = Arc::clone(&self.plan);
            let Some(step) = self.step_of(&plan) else {
                self.end_of_steps();
                continue;
            };
            self.take(step, now);
        }
    }

    /// Whether the step that it has come to is another write of what is being said.
    fn follows_a_write(&self) -> bool {
        match self.stage {
            Stage::Connecting => self.written > 0,
            Stage::Calling if self.plan.makes_calls() && !self.upgraded => {
                let before = self.step.checked_sub(1).and_then(|before| self.plan.call_steps().get(before));
                matches!(before, Some(Step::Send(_)))
            }
            _ => false,
        }
    }

    pub(super) fn end_of_steps(&mut self) {
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
            Stage::Securing | Stage::Idle | Stage::Over => {}
        }
    }

    pub(super) fn take(&mut self, step: &Step, now: Duration) {
        match step {
            Step::Send(_) if self.follows_a_write() && self.pause(self.pace.between_writes, now) => {}
            Step::Send(items) => {
                let left = self.call_deadline.map_or(self.plan.work.deadline, |at| at.saturating_sub(now));
                let bytes = self.plan.encode(items, self.stream, left, &mut self.encoder);
                self.write(bytes);
                self.pass();
            }
            Step::Hold(items) => {
                let left = self.call_deadline.map_or(self.plan.work.deadline, |at| at.saturating_sub(now));
                let bytes = self.plan.encode(items, self.stream, left, &mut self.encoder);
                self.held.extend_from_slice(&bytes);
                self.pass();
            }
            Step::Await { what, .. } => self.blocked = Blocked::Awaiting { what: *what, since: now },
            Step::Wait(time) if self.pause(*time, now) => {}
            Step::Wait(_) => self.pass(),
            Step::HalfClose => {
                self.requests.push_back(Request::Finish);
                self.pass();
            }
            Step::Close if self.stage == Stage::Calling => {
                // The last rung: what came before it has all been met.
                self.call_deadline = None;
                self.news.push_back(News::CallEnded(CallEnd::Answered));
                if self.plan.makes_calls() {
                    self.news.push_back(News::Lost);
                    self.enter(Stage::Finishing);
                    self.pause(self.pace.before_close, now);
                } else {
                    self.close();
                }
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

    /// What is still written where no protocol was agreed on: writes alone, since nothing is waited for any more.
    pub(super) fn write_unagreed(&mut self) {
        let plan = Arc::clone(&self.plan);
        for step in plan.unagreed_steps() {
            if let Step::Send(items) = step {
                let bytes = plan.encode(items, self.stream, plan.work.deadline, &mut self.encoder);
                self.write(bytes);
            }
        }
    }

    /// Takes some time before the current step, once; `false` if that is over.
    pub(super) fn pause(&mut self, time: Duration, now: Duration) -> bool {
        if time.is_zero() || std::mem::replace(&mut self.paused, true) {
            return false;
        }
        self.blocked = Blocked::Until(now + time);
        true
    }

    pub(super) fn is_there(&self, what: Awaited) -> bool {
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

    pub(super) fn write_frame(&mut self, frame: &Frame) {
        if self.plan.protocol == Protocol::Http2 || self.upgraded {
            let mut out = Vec::with_capacity(17);
            encode_frame(frame, &mut out);
            self.write(out.into());
        }
    }

    /// One write, or where the script cuts it several: every write leaves as a segment of its own.
    fn write(&mut self, mut bytes: Bytes) {
        if !self.held.is_empty() {
            self.held.extend_from_slice(&bytes);
            bytes = std::mem::take(&mut self.held).into();
        }
        while !bytes.is_empty() {
            let first = self.plan.behaviour.cuts.first(self.written, bytes.len());
            self.written += first as u64;
            self.requests.push_back(Request::Write(bytes.split_to(first)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::sync::Arc;

    use crate::clients::Work;
    use crate::clients::connection::Pace;
    use crate::clients::plan::Plan;
    use crate::script::{Script, Who};

    use super::*;

    fn writes(text: &str) -> Vec<usize> {
        let script = Script::parse("t", text).expect("it is well formed");
        let Who::Scripted(behaviour) = &script.clients[0].who else { panic!("it is written out") };
        let behaviour = Cow::Owned(behaviour.as_ref().clone());
        let plan = Plan::new(behaviour, Cow::Borrowed(&[]), "", "a", Work::default());
        let mut connection = Connection::new(Arc::new(plan), Pace::default(), Duration::ZERO);
        connection.advance(Duration::ZERO);
        let requests = std::iter::from_fn(|| connection.next_request());
        let lengths = requests.filter_map(|request| match request {
            Request::Write(bytes) => Some(bytes.len()),
            _ => None,
        });
        lengths.collect()
    }

    #[test]
    fn a_script_cuts_its_clients_stream_across_writes() {
        assert_eq!(writes("client \"c\"\n  > preface\n  > settings\n  silent\n"), [24, 9]);
        assert_eq!(
            writes("client \"c\"\n  cut 1 9 30\n  > preface\n  > settings\n  silent\n"),
            [1, 8, 15, 6, 3]
        );
    }
}
