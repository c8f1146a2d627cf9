//! A script as text that parses back to the same script.

mod words;

use std::fmt::{self, Display, Formatter};

use crate::net::{Cuts, Fault, Network, Path, Unread};
use crate::wire::ErrorCode;
use crate::wire::hpack::Policy;

use super::parser::policy_words;
use super::{
    Acknowledging, Action, AfterFailure, AfterLoss, Awaited, Behaviour, Client, Expectation, ExpectedOutcome,
    HeaderList, Hello, Item, Occasion, Script, Step, StreamReference, WaitFrom, Who,
};

pub(crate) use words::Time;
use words::{Hexadecimal, Listed, Place, Quoted, Word, readable};

impl Display for Script {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        for list in &self.field_lists {
            writeln!(formatter, "fields {}", Word(&list.name))?;
            for line in &list.lines {
                write!(formatter, "  {} {}", Word(&line.name), Quoted(line.value.as_bytes()))?;
                writeln!(formatter, "{}", policy_words(line.policy, Policy::GO))?;
            }
        }
        for Client { name, who } in &self.clients {
            match who {
                Who::Catalogued { spec, over } => {
                    formatter.write_str("client")?;
                    if *name != spec.to_string() {
                        write!(formatter, " {}", Quoted(name.as_bytes()))?;
                    }
                    write!(formatter, " {spec}")?;
                    over.iter().try_for_each(|over| write!(formatter, " over {}", over.word()))?;
                    writeln!(formatter)?;
                }
                Who::Scripted(behaviour) => {
                    writeln!(formatter, "client {}", Quoted(name.as_bytes()))?;
                    write!(formatter, "{behaviour}")?;
                }
            }
        }
        if let Some(server) = &self.server {
            writeln!(formatter, "server {server}")?;
        }
        network(formatter, &self.network)?;
        self.expectations.iter().try_for_each(|expectation| writeln!(formatter, "{expectation}"))?;
        self.afterwards.iter().try_for_each(|spec| writeln!(formatter, "afterwards {spec}"))
    }
}

impl Display for Behaviour {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let default = Self::default();
        if let Some(hello) = &self.tls {
            writeln!(formatter, "  {hello}")?;
        }
        if !self.cuts.is_empty() {
            writeln!(formatter, "  cut{}", Listed(&self.cuts))?;
        }
        match self.acknowledges {
            Acknowledging::AtOnce => {}
            Acknowledging::Late => writeln!(formatter, "  acks late")?,
            Acknowledging::Never => writeln!(formatter, "  no acks")?,
        }
        if self.fixed_priorities {
            writeln!(formatter, "  priorities fixed")?;
        }
        if self.frame_limit != default.frame_limit {
            writeln!(formatter, "  frames up to {}", self.frame_limit)?;
        }
        if let Some(within) = self.settings_within {
            writeln!(formatter, "  settings within {}", Time(within))?;
        }
        if self.first_stream != default.first_stream {
            writeln!(formatter, "  streams from {}", self.first_stream)?;
        }
        steps(formatter, &self.connect)?;
        if let Some(calls) = &self.calls {
            writeln!(formatter, "  ready\n  call")?;
            steps(formatter, &calls.steps)?;
            if !calls.upgraded.is_empty() {
                writeln!(formatter, "  upgraded")?;
                steps(formatter, &calls.upgraded)?;
            }
            writeln!(formatter, "  finally")?;
            steps(formatter, &calls.finally)?;
            if !calls.unagreed.is_empty() {
                writeln!(formatter, "  unagreed")?;
                steps(formatter, &calls.unagreed)?;
            }
        }
        if let Some(text) = &self.fail_fast {
            writeln!(formatter, "  fail-fast {}", Quoted(text.as_bytes()))?;
        }
        if self.after_loss != default.after_loss {
            writeln!(formatter, "  after loss {}", self.after_loss)?;
        }
        if let Some(loss) = self.after_early_loss {
            writeln!(formatter, "  after loss before settings {loss}")?;
        }
        let AfterFailure { wait, from } = self.after_failure;
        if self.after_failure != default.after_failure {
            writeln!(formatter, "  after failure {}", AfterLoss::Wait(wait, from))?;
        }
        if self.tries != default.tries {
            writeln!(formatter, "  tries {}", self.tries)?;
        }
        let mut reactions = self.reactions.iter();
        reactions.try_for_each(|(occasion, action)| writeln!(formatter, "  on {occasion} {action}"))
    }
}

impl Display for Hello {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let Self { alpn, sni, versions, rsa_alone, authority } = self;
        formatter.write_str("tls")?;
        for (index, protocol) in alpn.iter().enumerate() {
            write!(formatter, "{}{}", if index == 0 { " alpn=" } else { "," }, Word(protocol))?;
        }
        if let Some(name) = sni {
            write!(formatter, " sni={}", Word(name))?;
        }
        if *versions != Self::default().versions {
            for (index, version) in versions.iter().enumerate() {
                write!(formatter, "{}{version}", if index == 0 { " versions=" } else { "," })?;
            }
        }
        formatter.write_str(if *rsa_alone { " certificates=rsa" } else { "" })?;
        match authority {
            Some(authority) => write!(formatter, " authority={}", Word(authority)),
            None => Ok(()),
        }
    }
}

impl Display for Occasion {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.trigger.word())?;
        if let Some(phase) = self.phase {
            write!(formatter, " {}", phase.word())?;
        }
        formatter.write_str(if self.after_goaway { " after goaway" } else { "" })?;
        match self.code {
            None => Ok(()),
            Some(ErrorCode::Unknown(number)) => write!(formatter, " code {number:#x}"),
            Some(code) => write!(formatter, " code {code}"),
        }
    }
}

impl Display for Action {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fail(texts) | Self::FailAtDeadline(texts) => {
                let first = if matches!(self, Self::Fail(_)) { "fail" } else { "fail at deadline" };
                texts.iter().enumerate().try_for_each(|(index, text)| {
                    let word = if index == 0 { first } else { " or" };
                    write!(formatter, "{word} {}", Quoted(text.as_bytes()))
                })
            }
            Self::Retry(None) => formatter.write_str("retry"),
            Self::Retry(Some(text)) => write!(formatter, "retry else {}", Quoted(text.as_bytes())),
            Self::Ignore => formatter.write_str("ignore"),
            Self::Later => formatter.write_str("later"),
        }
    }
}

impl Display for Step {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Send(items) => {
                formatter.write_str("> ")?;
                written_together(formatter, items)
            }
            Self::Hold(items) => {
                formatter.write_str("hold ")?;
                written_together(formatter, items)
            }
            Self::Await { what, within, otherwise } => {
                write!(formatter, "< {what}")?;
                if let Some(within) = within {
                    write!(formatter, " within {}", Time(*within))?;
                }
                match otherwise {
                    Some(text) => write!(formatter, " else {}", Quoted(text.as_bytes())),
                    None => Ok(()),
                }
            }
            Self::Wait(time) => write!(formatter, "wait {}", Time(*time)),
            Self::HalfClose => formatter.write_str("half-close"),
            Self::Close => formatter.write_str("close"),
            Self::Reset => formatter.write_str("reset"),
            Self::Silent => formatter.write_str("silent"),
        }
    }
}

impl Display for Item {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        let end_word = |end: &bool| if *end { " end" } else { "" };
        match self {
            Self::Preface => formatter.write_str("preface"),
            Self::Settings(settings) => {
                formatter.write_str("settings")?;
                for setting in settings {
                    write!(formatter, " {:#x}={}", u16::from(setting.id), setting.value)?;
                }
                Ok(())
            }
            Self::SettingsAck => formatter.write_str("settings ack"),
            Self::Headers { stream, end, list } => {
                write!(formatter, "headers {stream}{} {list}", end_word(end))
            }
            Self::PlacedHeaders { stream, end, priority, list } => {
                let end = end_word(end);
                write!(formatter, "headers {stream}{end} priority {} {list}", Place(priority))
            }
            Self::Request(list) => write!(formatter, "request {list}"),
            Self::Data { stream, end, bytes } => {
                write!(formatter, "data {stream}{}{}", end_word(end), Hexadecimal(bytes))
            }
            Self::WindowUpdate { stream, increment } => {
                write!(formatter, "window-update {stream} {}", u32::from(*increment))
            }
            Self::Ping { ack, payload } => {
                write!(formatter, "ping{}{}", if *ack { " ack" } else { "" }, Hexadecimal(payload))
            }
            Self::GoAway { last, code, debug } => {
                write!(formatter, "goaway {last} {:#x}", u32::from(*code))?;
                if debug.is_empty() { Ok(()) } else { write!(formatter, " {}", Quoted(debug)) }
            }
            Self::ResetStream { stream, code } => {
                write!(formatter, "reset-stream {stream} {:#x}", u32::from(*code))
            }
            Self::Priority { stream, priority } => {
                write!(formatter, "priority {stream} {}", Place(priority))
            }
            Self::Frame(frame) => {
                let reserved = if frame.reserved { " reserved" } else { "" };
                let kind = u8::from(frame.kind);
                write!(
                    formatter,
                    "frame {kind:#x} flags {:#x}{reserved} stream {}",
                    frame.flags, frame.stream
                )?;
                write!(formatter, "{}", Hexadecimal(&frame.payload))
            }
            Self::Raw(bytes) if readable(bytes) => write!(formatter, "raw {}", Quoted(bytes)),
            Self::Raw(bytes) => write!(formatter, "hex{}", Hexadecimal(bytes)),
        }
    }
}

impl Display for StreamReference {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(formatter),
            Self::OfCall => formatter.write_str("call"),
        }
    }
}

impl Display for HeaderList {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Grpc(path) => write!(formatter, "grpc {}", Word(path)),
            Self::Get(path) => write!(formatter, "get {}", Word(path)),
            Self::Named(name) => write!(formatter, "fields {}", Word(name)),
            Self::Block(block) => write!(formatter, "block{}", Hexadecimal(block)),
        }
    }
}

impl Display for Awaited {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Settings => formatter.write_str("settings"),
            Self::SettingsOrAck => formatter.write_str("settings or ack"),
            Self::SettingsAck => formatter.write_str("settings ack"),
            Self::Headers(stream) => write!(formatter, "headers {stream}"),
            Self::End(stream) => write!(formatter, "end {stream}"),
            Self::ResetStream(stream) => write!(formatter, "reset-stream {stream}"),
            Self::GoAway => formatter.write_str("goaway"),
            Self::PingAck => formatter.write_str("ping ack"),
            Self::Bytes(count) => write!(formatter, "bytes {count}"),
            Self::Http1 => formatter.write_str("http1"),
            Self::Close => formatter.write_str("close"),
        }
    }
}

impl Display for Expectation {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.write_str("expect")?;
        if let Some(client) = &self.client {
            write!(formatter, " {}", Quoted(client.as_bytes()))?;
        }
        match &self.outcome {
            ExpectedOutcome::Served(None) => formatter.write_str(" served")?,
            ExpectedOutcome::Served(Some(route)) => write!(formatter, " served by {}", Word(route))?,
            ExpectedOutcome::Refused => formatter.write_str(" refused")?,
            ExpectedOutcome::Misrouted => formatter.write_str(" misrouted")?,
            ExpectedOutcome::Unsupported => formatter.write_str(" unsupported")?,
            ExpectedOutcome::Stalled(None) => formatter.write_str(" stalled")?,
            ExpectedOutcome::Stalled(Some(waiting_for)) => {
                write!(formatter, " stalled client waiting for {waiting_for}")?;
            }
        }
        self.at.map_or(Ok(()), |at| write!(formatter, " at {}", Time(at)))
    }
}

fn written_together(formatter: &mut Formatter<'_>, items: &[Item]) -> fmt::Result {
    items.iter().enumerate().try_for_each(|(index, item)| {
        formatter.write_str(if index == 0 { "" } else { ", " })?;
        item.fmt(formatter)
    })
}

fn steps(formatter: &mut Formatter<'_>, steps: &[Step]) -> fmt::Result {
    steps.iter().try_for_each(|step| writeln!(formatter, "  {step}"))
}

fn network(formatter: &mut Formatter<'_>, network: &Network) -> fmt::Result {
    if *network == Network::default() {
        return Ok(());
    }
    writeln!(formatter, "network")?;
    match network.unread {
        Unread::Kept => {}
        Unread::Lost => writeln!(formatter, "  unread lost")?,
    }
    path(formatter, "to-server", &network.to_server)?;
    path(formatter, "to-client", &network.to_client)
}

fn path(formatter: &mut Formatter<'_>, side: &str, path: &Path) -> fmt::Result {
    let default = Path::default();
    if path.latency != default.latency {
        writeln!(formatter, "  {side} latency {}", Time(path.latency))?;
    }
    match &path.cuts {
        Cuts::AsWritten => {}
        Cuts::EveryByte => writeln!(formatter, "  {side} cut every-byte")?,
        Cuts::Segment(most) => writeln!(formatter, "  {side} cut segment {most}")?,
        Cuts::At(offsets) => writeln!(formatter, "  {side} cut{}", Listed(offsets))?,
    }
    if path.window != default.window {
        writeln!(formatter, "  {side} window {}", path.window)?;
    }
    if path.stalled_until != default.stalled_until {
        writeln!(formatter, "  {side} stalled until {}", Time(path.stalled_until))?;
    }
    match path.fault {
        None => Ok(()),
        Some(Fault::BlackHole { after }) => {
            writeln!(formatter, "  {side} black-hole after {after}")
        }
        Some(Fault::Reset { after }) => writeln!(formatter, "  {side} reset after {after}"),
        Some(Fault::End { after }) => writeln!(formatter, "  {side} end after {after}"),
    }
}

impl Display for AfterLoss {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => formatter.write_str("connect"),
            Self::Blink => formatter.write_str("blink"),
            Self::Idle => formatter.write_str("idle"),
            Self::Wait(wait, WaitFrom::End) => write!(formatter, "wait {}", Time(*wait)),
            Self::Wait(wait, WaitFrom::Start) => {
                write!(formatter, "wait {} from start", Time(*wait))
            }
        }
    }
}
