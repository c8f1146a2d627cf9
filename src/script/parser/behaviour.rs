//! What stands inside a client: steps, marks and `on` lines. Profiles are read by the same code, on top of the profile
//! that they extend.

use std::time::Duration;

use crate::script::error::Complaint;
use crate::script::{
    Acknowledging, Action, AfterFailure, AfterLoss, Awaited, Behaviour, FieldList, Line, Occasion, OneOrMore,
    Phase, ScriptError, Step, Trigger, WaitFrom,
};

use super::{hello, item, value};

/// Reads the lines of one client.
pub(crate) struct BehaviourParser<'a> {
    behaviour: Behaviour,
    /// The header lists that its steps may refer to.
    lists: &'a [FieldList],
    section: Section,
    /// Sections that still hold what was inherited, and are emptied by their first own step.
    inherited: [bool; 5],
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    Connect,
    Call,
    Upgraded,
    Finally,
    Unagreed,
}

impl<'a> BehaviourParser<'a> {
    pub(crate) const KEYWORDS: [&'static str; 25] = [
        "tls",
        ">",
        "hold",
        "<",
        "wait",
        "half-close",
        "close",
        "reset",
        "silent",
        "cut",
        "no",
        "acks",
        "priorities",
        "frames",
        "settings",
        "streams",
        "ready",
        "call",
        "upgraded",
        "finally",
        "unagreed",
        "on",
        "fail-fast",
        "after",
        "tries",
    ];

    /// Starts from what is inherited.
    pub(crate) fn new(inherited: Behaviour, lists: &'a [FieldList]) -> Self {
        Self { behaviour: inherited, lists, section: Section::Connect, inherited: [true; 5] }
    }

    /// Reads one line after its first word; `false` if no line begins with that word.
    pub(crate) fn line(&mut self, keyword: &str, line: &mut Line<'_>) -> Result<bool, ScriptError> {
        match keyword {
            ">" => {
                let items = item::items(line, self.lists)?;
                self.step(Step::Send(items));
                return Ok(true);
            }
            "hold" => {
                let items = item::items(line, self.lists)?;
                self.step(Step::Hold(items));
                return Ok(true);
            }
            "<" => {
                let step = awaiting(line)?;
                self.step(step);
            }
            "wait" => {
                let step = Step::Wait(value::duration(line)?);
                self.step(step);
            }
            "half-close" => self.step(Step::HalfClose),
            "close" => self.step(Step::Close),
            "reset" => self.step(Step::Reset),
            "silent" => self.step(Step::Silent),
            "tls" => self.behaviour.tls = Some(hello::hello(line)?),
            "cut" => self.behaviour.cuts = value::offsets(line)?,
            "no" => {
                line.keyword("acks")?;
                self.behaviour.acknowledges = Acknowledging::Never;
            }
            "acks" => {
                self.behaviour.acknowledges = if line.take("late") {
                    Acknowledging::Late
                } else {
                    line.keyword("at")?;
                    line.keyword("once")?;
                    Acknowledging::AtOnce
                };
            }
            "priorities" => {
                line.keyword("fixed")?;
                self.behaviour.fixed_priorities = true;
            }
            "frames" => {
                line.keyword("up")?;
                line.keyword("to")?;
                self.behaviour.frame_limit = value::number(line, "a number of bytes")?;
            }
            "settings" => {
                self.behaviour.settings_within = if line.take("never") {
                    None
                } else {
                    line.keyword("within")?;
                    Some(value::duration(line)?)
                };
            }
            "streams" => {
                line.keyword("from")?;
                self.behaviour.first_stream = item::stream_number(line)?;
            }
            "ready" => {
                self.behaviour.calls.get_or_insert_default();
            }
            "call" => {
                self.behaviour.calls.get_or_insert_default();
                self.section = Section::Call;
            }
            "upgraded" => {
                self.behaviour.calls.get_or_insert_default();
                self.section = Section::Upgraded;
            }
            "finally" => {
                self.behaviour.calls.get_or_insert_default();
                self.section = Section::Finally;
            }
            "unagreed" => {
                self.behaviour.calls.get_or_insert_default();
                self.section = Section::Unagreed;
            }
            "on" => self.on(line)?,
            "fail-fast" => self.behaviour.fail_fast = Some(line.quoted("what the user reads")?),
            "after" => self.after(line)?,
            "tries" => self.behaviour.tries = line.parsed("how many connections may fail, at least 1")?,
            _ => return Ok(false),
        }
        line.finish()?;
        Ok(true)
    }

    /// The behaviour that the lines make.
    pub(crate) fn finish(self) -> Behaviour {
        self.behaviour
    }

    fn step(&mut self, step: Step) {
        let calls = &mut self.behaviour.calls;
        let steps = match self.section {
            Section::Connect => &mut self.behaviour.connect,
            Section::Call => &mut calls.get_or_insert_default().steps,
            Section::Upgraded => &mut calls.get_or_insert_default().upgraded,
            Section::Finally => &mut calls.get_or_insert_default().finally,
            Section::Unagreed => &mut calls.get_or_insert_default().unagreed,
        };
        if std::mem::take(&mut self.inherited[self.section as usize]) {
            steps.clear();
        }
        steps.push(step);
    }

    /// `on TRIGGER PHASE ..`, or `on TRIGGER PHASE as connecting` to drop an inherited line for that phase.
    fn on(&mut self, line: &mut Line<'_>) -> Result<(), ScriptError> {
        let occasion = occasion(line)?;
        if line.take("as") {
            line.keyword(Phase::Connecting.word())?;
            self.behaviour.reactions.remove(&occasion);
        } else {
            self.behaviour.reactions.insert(occasion, action(line)?);
        }
        Ok(())
    }

    fn after(&mut self, line: &mut Line<'_>) -> Result<(), ScriptError> {
        if line.take("failure") {
            line.keyword("wait")?;
            let (wait, from) = waiting(line)?;
            self.behaviour.after_failure = AfterFailure { wait, from };
            return Ok(());
        }
        line.keyword("loss")?;
        let early = line.take("before");
        if early {
            line.keyword("settings")?;
        }
        let loss = if line.take("connect") {
            AfterLoss::Connect
        } else if line.take("blink") {
            AfterLoss::Blink
        } else if line.take("idle") {
            AfterLoss::Idle
        } else {
            line.keyword("wait")?;
            let (wait, from) = waiting(line)?;
            AfterLoss::Wait(wait, from)
        };
        if early {
            self.behaviour.after_early_loss = Some(loss);
        } else {
            self.behaviour.after_loss = loss;
        }
        Ok(())
    }
}

fn waiting(line: &mut Line<'_>) -> Result<(Duration, WaitFrom), ScriptError> {
    let wait = value::duration(line)?;
    if !line.take("from") {
        return Ok((wait, WaitFrom::End));
    }
    line.keyword("start")?;
    Ok((wait, WaitFrom::Start))
}

impl Behaviour {
    /// Whether it does nothing but introduce itself until the server's SETTINGS come.
    pub(crate) fn waits_for_settings(&self) -> bool {
        let awaits = |step: &Step| {
            matches!(step, Step::Await { what: Awaited::Settings | Awaited::SettingsOrAck, .. })
        };
        self.connect.iter().any(awaits)
    }
}

fn awaiting(line: &mut Line<'_>) -> Result<Step, ScriptError> {
    let keyword = line.expect_word("what the client waits for")?;
    let what = match keyword.as_str() {
        "settings" if line.take("ack") => Awaited::SettingsAck,
        "settings" if line.take("or") => {
            line.keyword("ack")?;
            Awaited::SettingsOrAck
        }
        "settings" => Awaited::Settings,
        "headers" => Awaited::Headers(item::stream(line)?),
        "end" => Awaited::End(item::stream(line)?),
        "reset-stream" => Awaited::ResetStream(item::stream(line)?),
        "goaway" => Awaited::GoAway,
        "ping" => {
            line.keyword("ack")?;
            Awaited::PingAck
        }
        "bytes" => Awaited::Bytes(line.parsed("a number of bytes")?),
        "http1" => Awaited::Http1,
        "close" => Awaited::Close,
        other => {
            let known = [
                "settings",
                "headers",
                "end",
                "reset-stream",
                "goaway",
                "ping ack",
                "bytes",
                "http1",
                "close",
            ];
            return Err(line.complain_last(Complaint::unknown("condition", other, &known)));
        }
    };
    let within = if line.take("within") { Some(value::duration(line)?) } else { None };
    let otherwise = if line.take("else") { Some(line.quoted("what the user reads")?) } else { None };
    Ok(Step::Await { what, within, otherwise })
}

/// `TRIGGER PHASE ..` and what is done then.
pub(crate) fn parse_reaction(line: &mut Line<'_>) -> Result<(Occasion, Action), ScriptError> {
    Ok((occasion(line)?, action(line)?))
}

fn occasion(line: &mut Line<'_>) -> Result<Occasion, ScriptError> {
    let word = line.expect_word("what happens")?;
    let trigger = Trigger::ALL.into_iter().find(|trigger| trigger.word() == word).ok_or_else(|| {
        line.complain_last(Complaint::unknown("event", &word, &Trigger::ALL.map(Trigger::word)))
    })?;
    let phase = Phase::ALL.into_iter().find(|phase| line.take(phase.word()));
    let after_goaway = line.take("after");
    if after_goaway {
        line.keyword("goaway")?;
    }
    let code = if line.take("code") { Some(item::error_code(line)?) } else { None };
    Ok(Occasion { trigger, phase, after_goaway, code })
}

fn action(line: &mut Line<'_>) -> Result<Action, ScriptError> {
    let word = line.expect_word("what the client then does")?;
    match word.as_str() {
        "fail" => {
            let at_deadline = line.take("at");
            if at_deadline {
                line.keyword("deadline")?;
            }
            let mut texts = OneOrMore::from(line.quoted("what the user reads")?);
            while line.take("or") {
                texts.push(line.quoted("what the user of another build reads")?);
            }
            Ok(if at_deadline { Action::FailAtDeadline(texts) } else { Action::Fail(texts) })
        }
        "retry" if line.take("else") => {
            Ok(Action::Retry(Some(line.quoted("what the user reads the second time")?)))
        }
        "retry" => Ok(Action::Retry(None)),
        "ignore" => Ok(Action::Ignore),
        "later" => Ok(Action::Later),
        other => {
            let known = ["fail", "retry", "ignore", "later"];
            Err(line.complain_last(Complaint::unknown("reaction", other, &known)))
        }
    }
}
