//! A behaviour made ready to run: names resolved, versions filled in, writes turned into bytes.
//!
//! A [`Plan`] belongs to one client of one scenario and is shared by its connections and by the runs of all schedules.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use bytes::{BufMut, Bytes};

use crate::script::{
    Action, Behaviour, FieldList, HeaderList, Hello, Item, Occasion, Phase, Step, StreamReference, Trigger,
};
use crate::wire::hpack::{Encoder, Policy};
use crate::wire::{ErrorCode, Frame, PREFACE, Priority, StreamId};

use super::answers::Protocol;

/// What one client does, in a form that can be run.
#[derive(Debug)]
pub(crate) struct Plan {
    /// The catalogue's own, unless somebody wrote or recorded one.
    pub(crate) behaviour: Cow<'static, Behaviour>,
    lists: Cow<'static, [FieldList]>,
    /// What `{version}` stands for; nothing for who is no library's client.
    version: String,
    /// What `SERVER` stands for in header fields.
    authority: String,
    scheme: &'static str,
    /// What it says when it speaks TLS, if it does.
    pub(crate) hello: Option<Hello>,
    /// What it does instead on a connection for which the server has not chosen `h2`.
    pub(crate) without_h2: Option<Arc<Self>>,
    pub(crate) protocol: Protocol,
    pub(crate) work: Work,
    /// Whether two failures that differ in their words alone are two results.
    pub(crate) words_matter: bool,
}

/// What a client is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// How many calls it makes, one after another; it stops at the first that fails.
    pub calls: u32,
    /// The deadline of each.
    pub deadline: Duration,
    /// The time between the end of one and the start of the next, and before the client closes.
    pub gap: Duration,
    /// When the bed calls it a stall if a call has neither ended nor a deadline.
    pub patience: Duration,
}

impl Default for Work {
    fn default() -> Self {
        Self {
            calls: 2,
            deadline: Duration::from_secs(25),
            gap: Duration::from_millis(20),
            patience: Duration::from_secs(120),
        }
    }
}

impl Plan {
    pub(crate) fn new(
        behaviour: Cow<'static, Behaviour>,
        lists: Cow<'static, [FieldList]>,
        version: &str,
        authority: &str,
        work: Work,
    ) -> Self {
        let protocol = if speaks_http2(&behaviour) { Protocol::Http2 } else { Protocol::Http1 };
        Self {
            behaviour,
            lists,
            version: version.to_owned(),
            authority: authority.to_owned(),
            scheme: "http",
            hello: None,
            without_h2: None,
            protocol,
            work,
            words_matter: true,
        }
    }

    /// The same over TLS.
    pub(crate) fn over_tls(mut self, hello: Hello) -> Self {
        if let Some(authority) = &hello.authority {
            let port = self.authority.rsplit_once(':').map_or("443", |(_, port)| port);
            self.authority = authority.replace("{port}", port);
        }
        self.scheme = "https";
        self.hello = Some(hello);
        self
    }

    /// The same against a server that is called `name` in the hello of a client that names it, and `authority` in its requests.
    pub(crate) fn calling(mut self, name: &str, authority: &str) -> Self {
        authority.clone_into(&mut self.authority);
        if let Some(sni) = self.hello.as_mut().and_then(|hello| hello.sni.as_mut()) {
            name.clone_into(sni);
        }
        self.without_h2 = self.without_h2.map(|other| match Arc::try_unwrap(other) {
            Ok(other) => Arc::new(other.calling(name, authority)),
            Err(shared) => shared,
        });
        self
    }

    /// How many builds of the client there are that say different things.
    pub(crate) fn builds(&self) -> usize {
        let texts = self.behaviour.reactions.values().map(|action| match action {
            Action::Fail(texts) | Action::FailAtDeadline(texts) => texts.len(),
            Action::Retry(_) | Action::Ignore | Action::Later => 1,
        });
        texts.max().unwrap_or(1)
    }

    /// Whether it is a library's, whose users read that library's words and not the bed's.
    pub(crate) fn has_words_of_its_own(&self) -> bool {
        self.words_matter && !self.version.is_empty()
    }

    /// Whether the client makes calls over connections, rather than walking down one ladder.
    pub(crate) fn makes_calls(&self) -> bool {
        self.behaviour.calls.is_some()
    }

    pub(crate) fn call_steps(&self) -> &[Step] {
        self.behaviour.calls.as_ref().map_or(&[], |calls| &calls.steps)
    }

    /// What is done in place of a call's steps once the server speaks HTTP/2.
    pub(crate) fn upgraded_steps(&self) -> &[Step] {
        self.behaviour.calls.as_ref().map_or(&[], |calls| &calls.upgraded)
    }

    /// What is still written where no protocol was agreed on.
    pub(crate) fn unagreed_steps(&self) -> &[Step] {
        self.behaviour.calls.as_ref().map_or(&[], |calls| &calls.unagreed)
    }

    pub(crate) fn final_steps(&self) -> &[Step] {
        self.behaviour.calls.as_ref().map_or(&[], |calls| &calls.finally)
    }

    /// What the client does when `trigger` happens in `phase`: the line that says most about when it counts.
    pub(crate) fn reaction(
        &self,
        trigger: Trigger,
        phase: Phase,
        after_goaway: bool,
        code: Option<ErrorCode>,
    ) -> Option<&Action> {
        let rank = |occasion: &Occasion| {
            if occasion.code.is_some() && occasion.code != code {
                return None;
            }
            let phase_rank = match occasion.phase {
                Some(stated) if stated == phase => 2,
                Some(Phase::Connecting) if matches!(phase, Phase::Securing | Phase::Writing) => 1,
                None => 0,
                Some(_) => return None,
            };
            let counts = !occasion.after_goaway || after_goaway;
            counts.then_some((occasion.after_goaway, phase_rank, occasion.code.is_some()))
        };
        let of_trigger = self.behaviour.reactions.iter().filter(|(occasion, _)| occasion.trigger == trigger);
        let best = of_trigger.filter_map(|(occasion, action)| rank(occasion).map(|rank| (rank, action)));
        best.max_by_key(|(rank, _)| *rank).map(|(_, action)| action)
    }

    /// The bytes of one write. `call` is the stream of the call that is being made, `left` the time it has left.
    pub(crate) fn encode(
        &self,
        items: &[Item],
        call: StreamId,
        left: Duration,
        encoder: &mut Encoder,
    ) -> Bytes {
        let mut out = Vec::with_capacity(256);
        for item in items {
            self.encode_item(item, call, left, encoder, &mut out);
        }
        out.into()
    }

    fn encode_item(
        &self,
        item: &Item,
        call: StreamId,
        left: Duration,
        encoder: &mut Encoder,
        out: &mut Vec<u8>,
    ) {
        let number = |stream: &StreamReference| match stream {
            StreamReference::Number(number) => *number,
            StreamReference::OfCall => call,
        };
        let frame = match item {
            Item::Preface => return out.put_slice(&PREFACE),
            Item::Raw(bytes) => return out.put_slice(bytes),
            Item::Request(list) => return self.request_head(list, left, out),
            Item::Frame(frame) => return frame.encode(out),
            Item::Settings(values) => Frame::Settings(values.clone()),
            Item::SettingsAck => Frame::SettingsAck,
            Item::Headers { stream, end, list } => {
                headers(number(stream), *end, None, self.block(list, left, encoder))
            }
            Item::PlacedHeaders { stream, end, priority, list } => {
                headers(number(stream), *end, Some(*priority), self.block(list, left, encoder))
            }
            Item::Data { stream, end, bytes } => {
                Frame::Data { stream: number(stream), data: bytes.clone(), padding: None, end_stream: *end }
            }
            Item::WindowUpdate { stream, increment } => {
                Frame::WindowUpdate { stream: number(stream), increment: *increment }
            }
            Item::Ping { ack, payload } => Frame::Ping { ack: *ack, opaque: *payload },
            Item::GoAway { last, code, debug } => {
                Frame::GoAway { last_stream: *last, code: *code, debug: debug.clone() }
            }
            Item::ResetStream { stream, code } => Frame::RstStream { stream: number(stream), code: *code },
            Item::Priority { stream, priority } => {
                Frame::Priority { stream: number(stream), priority: *priority }
            }
        };
        encode_frame(&frame, out);
    }

    fn block(&self, list: &HeaderList, left: Duration, encoder: &mut Encoder) -> Bytes {
        if let HeaderList::Block(bytes) = list {
            return bytes.clone();
        }
        let mut block = Vec::with_capacity(128);
        self.for_each_field(list, left, |name, value, policy| {
            encoder.encode([(name.as_bytes(), value.as_bytes(), policy)], &mut block);
        });
        block.into()
    }

    fn request_head(&self, list: &HeaderList, left: Duration, out: &mut Vec<u8>) {
        if let HeaderList::Block(bytes) = list {
            return out.put_slice(bytes);
        }
        let (mut method, mut path, mut fields) = ("GET".to_owned(), "/".to_owned(), String::new());
        self.for_each_field(list, left, |name, value, _| match name {
            ":method" => value.clone_into(&mut method),
            ":path" => value.clone_into(&mut path),
            ":authority" => fields.push_str(&format!("Host: {value}\r\n")),
            pseudo if pseudo.starts_with(':') => {}
            name => fields.push_str(&format!("{name}: {value}\r\n")),
        });
        out.put_slice(format!("{method} {path} HTTP/1.1\r\n{fields}\r\n").as_bytes());
    }

    /// The fields of a list, in order and filled in.
    fn for_each_field(&self, list: &HeaderList, left: Duration, mut field: impl FnMut(&str, &str, Policy)) {
        let request: &[(&str, &str)] = match list {
            HeaderList::Block(_) => &[],
            HeaderList::Named(name) => {
                let lines = self.lists.iter().find(|list| list.name == **name).map(|list| &list.lines);
                for line in lines.into_iter().flatten() {
                    let is_scheme = line.name == ":scheme" && line.value == "http";
                    let value =
                        if is_scheme { self.scheme.into() } else { self.filled_in(&line.value, left) };
                    field(&line.name, &value, line.policy);
                }
                &[]
            }
            HeaderList::Grpc(path) => &[
                (":method", "POST"),
                (":scheme", self.scheme),
                (":path", path),
                (":authority", &self.authority),
                ("content-type", "application/grpc"),
                ("te", "trailers"),
            ],
            HeaderList::Get(path) => &[
                (":method", "GET"),
                (":scheme", self.scheme),
                (":path", path),
                (":authority", &self.authority),
            ],
        };
        for (name, value) in request {
            field(name, value, Policy::GO);
        }
    }

    /// A field's value with what its placeholders stand for; most have none.
    fn filled_in<'a>(&'a self, value: &'a str, left: Duration) -> Cow<'a, str> {
        let mut filled = String::new();
        let mut taken = 0;
        for (at, byte) in value.bytes().enumerate() {
            if matches!(byte, b'{' | b'S')
                && let Some((placeholder, meaning)) = self.placeholder(&value[at..], left)
            {
                filled.push_str(&value[taken..at]);
                filled.push_str(&meaning);
                taken = at + placeholder.len();
            }
        }
        if taken == 0 {
            return value.into();
        }
        filled.push_str(&value[taken..]);
        filled.into()
    }

    /// The placeholder with which a text begins, if it does with one, and what that stands for.
    fn placeholder(&self, text: &str, left: Duration) -> Option<(&'static str, Cow<'_, str>)> {
        const KNOWN: [&str; 7] =
            ["SERVER", "{host}", "{version}", "{timeout:n}", "{timeout:u}", "{timeout:m}", "{timeout:S}"];
        let placeholder = KNOWN.into_iter().find(|known| text.starts_with(known))?;
        let meaning = match placeholder {
            "SERVER" => self.authority.as_str().into(),
            "{host}" => {
                self.authority.rsplit_once(':').map_or(self.authority.as_str(), |(host, _)| host).into()
            }
            "{version}" => self.version.as_str().into(),
            "{timeout:n}" => format!("{}n", left.as_nanos()).into(),
            "{timeout:u}" => format!("{}u", left.as_micros()).into(),
            "{timeout:m}" => format!("{}m", left.as_millis()).into(),
            _ => format!("{}S", left.as_secs()).into(),
        };
        Some((placeholder, meaning))
    }
}

fn headers(stream: StreamId, end_stream: bool, priority: Option<Priority>, fragment: Bytes) -> Frame {
    Frame::Headers { stream, fragment, priority, padding: None, end_stream, end_headers: true }
}

/// Writes a frame; one too large to exist (a script can't say one) is left out.
pub(crate) fn encode_frame(frame: &Frame, out: &mut Vec<u8>) {
    let before = out.len();
    if frame.encode(out).is_err() {
        out.truncate(before);
    }
}

/// Whether what the client writes first is HTTP/2's preface, or the beginning of it.
fn speaks_http2(behaviour: &Behaviour) -> bool {
    let steps = behaviour.connect.iter().chain(behaviour.calls.iter().flat_map(|calls| &calls.steps));
    let first = steps.filter_map(|step| match step {
        Step::Send(items) | Step::Hold(items) => items.first(),
        _ => None,
    });
    match first.into_iter().next() {
        None | Some(Item::Preface) => true,
        Some(Item::Raw(bytes)) => bytes.iter().zip(&PREFACE).all(|(byte, expected)| byte == expected),
        Some(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_are_filled_in_wherever_they_stand() {
        let behaviour = Cow::Owned(Behaviour::default());
        let plan = Plan::new(behaviour, Cow::Borrowed(&[]), "1.2", "HOST:1", Work::default());
        let filled = |value| plan.filled_in(value, Duration::from_millis(2_500));
        assert_eq!(filled("grpc-go/{version}"), "grpc-go/1.2");
        assert_eq!(filled("{timeout:S}, {timeout:m}{timeout:u} SERVER S"), "2S, 2500m2500000u HOST:1 S");
        assert_eq!(filled("{timeout:n}"), "2500000000n");
        assert!(matches!(filled("POST {else} SERVE"), Cow::Borrowed("POST {else} SERVE")));
    }
}
