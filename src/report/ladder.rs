//! A run as a ladder: what was sent, when and by whom, and how it ended. At most forty lines, so that it can be read.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::bed::{Ending, Run, What};
use crate::net::Side;
use crate::outcome::Outcome;
use crate::wire::hpack::Decoder;
use crate::wire::{Frame, FrameReader, PREFACE};

/// The most lines of a ladder.
const MOST_LINES: usize = 40;

/// The longest description of a segment, in characters.
const WIDEST: usize = 92;

/// The ladder of a run: what happens when nobody takes any time, and in words what else may.
pub fn ladder(run: &Run) -> String {
    let mut foot = verdict(&run.ending);
    let alternatives = run.alternatives();
    if !alternatives.is_empty() {
        foot.push(if run.racy {
            "depends on timing; it may also be:".to_owned()
        } else {
            "in other words, depending on the client's build or on the moment:".to_owned()
        });
        for ending in alternatives {
            let text = ending.says().map(|text| format!(": {}", indented(text))).unwrap_or_default();
            foot.push(format!("  {} at {}{text}", ending.outcome, time(ending.at())));
        }
    }
    drawn(run, &run.ending, &foot)
}

/// A text with its later lines under its first.
pub fn indented(text: &str) -> String {
    text.trim_end().replace('\n', "\n    ")
}

/// The ladder of each result that can happen.
pub fn every_ladder(run: &Run) -> Vec<String> {
    run.endings().map(|ending| drawn(run, ending, &verdict(ending))).collect()
}

fn drawn(run: &Run, ending: &Ending, foot: &[String]) -> String {
    let mut rungs = rungs(ending);
    let below: usize = foot.iter().map(|part| part.lines().count()).sum();
    let room = MOST_LINES.saturating_sub(below + 1);
    if rungs.len() > room {
        let left_out = rungs.len() - room + 1;
        let middle = room / 2;
        rungs.splice(middle..middle + left_out, [format!("          .. {left_out} more ..")]);
    }
    let mut text = format!("{} against {}\n", run.client, run.server);
    for line in rungs.iter().chain(foot) {
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// `20 s`, `22 ms`.
pub fn time(duration: Duration) -> String {
    let milliseconds = duration.as_millis();
    if milliseconds >= 1000 && milliseconds.is_multiple_of(1000) {
        format!("{} s", milliseconds / 1000)
    } else if milliseconds >= 10_000 {
        format!("{}.{:03} s", milliseconds / 1000, milliseconds % 1000)
    } else {
        format!("{milliseconds} ms")
    }
}

fn rungs(ending: &Ending) -> Vec<String> {
    let events = ending.transcript.events();
    let several = events.iter().any(|event| event.connection > 0);
    let clients = events.iter().any(|event| matches!(event.what, What::Dialled { client: 1.., .. }));
    let mut readers: BTreeMap<(u32, u8), Direction> = BTreeMap::new();
    let mut rungs = Vec::new();
    let asked = ending.connections.iter().any(|summary| summary.requests > 0);
    let mut sealed = BTreeMap::new();
    for event in events {
        let connection = if several { format!("#{} ", event.connection + 1) } else { String::new() };
        let what = match &event.what {
            What::Dialled { client, sealed: speaks_tls } => {
                if *speaks_tls {
                    sealed.insert(event.connection, Vec::new());
                }
                match client {
                    _ if clients => format!("client {} connects", client + 1),
                    _ if several => "connects".to_owned(),
                    _ => continue,
                }
            }
            // Of a handshake each side's first word is shown, and what came of it.
            What::Segment { from, .. } if sealed.contains_key(&event.connection) => {
                let spoken = sealed.entry(event.connection).or_default();
                if spoken.contains(from) {
                    continue;
                }
                spoken.push(*from);
                format!("{} TLS handshake", arrow(*from))
            }
            What::Secured { protocol } => match protocol {
                Some(protocol) => format!("  TLS is established, with ALPN {protocol}"),
                None => "  TLS is established, without ALPN".to_owned(),
            },
            What::Segment { from, bytes } | What::Inside { from, bytes } => {
                let direction = readers.entry((event.connection, *from as u8)).or_default();
                format!("{} {}", arrow(*from), shortened(direction.describe(*from, bytes)))
            }
            What::End { from } => format!("{} end", arrow(*from)),
            What::Reset { from } => format!("{} reset", arrow(*from)),
            What::Noted { who, remark } => format!("  {who} {remark}"),
            What::Routed { who, route } => format!("  {who} hands over to {route}"),
            // A call that fails need not have had a connection.
            What::CallEnded { client, error } => {
                let whose = if clients { format!(" of client {}", client + 1) } else { String::new() };
                let how = match error {
                    Some(_) => format!("call{whose} fails"),
                    None if asked || clients => format!("call{whose} is answered"),
                    None => "all is said".to_owned(),
                };
                rungs.push(format!("{:>9}  {how}", time(event.at)));
                continue;
            }
        };
        rungs.push(format!("{:>9}  {connection}{what}", time(event.at)));
    }
    rungs
}

/// What came of it, and what the client's user reads.
fn verdict(ending: &Ending) -> Vec<String> {
    let mut line = format!("{} at {}", ending.outcome, time(ending.at()));
    if let (Outcome::Stalled { .. }, Some((who, remark))) = (&ending.outcome, ending.other_side()) {
        let _ = write!(line, ", while {who} {remark}");
    }
    let says = ending.says().map(|text| format!("says: {text}"));
    [line].into_iter().chain(says).collect()
}

fn arrow(from: Side) -> &'static str {
    match from {
        Side::Client => ">",
        Side::Server => "<",
    }
}

fn shortened(text: String) -> String {
    if text.chars().count() <= WIDEST {
        return text;
    }
    let mut short: String = text.chars().take(WIDEST - 3).collect();
    short.push_str("...");
    short
}

fn bytes_of(count: usize) -> String {
    if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") }
}

/// One direction of a connection, read for people.
struct Direction {
    frames: FrameReader,
    decoder: Decoder,
    block: BytesMut,
    opening: Opening,
}

#[derive(PartialEq)]
enum Opening {
    /// With what has been read.
    Unknown {
        read: BytesMut,
    },
    Frames,
    Text,
}

impl Default for Direction {
    fn default() -> Self {
        Self {
            frames: FrameReader::new(u32::MAX),
            decoder: Decoder::new(4096),
            block: BytesMut::new(),
            opening: Opening::Unknown { read: BytesMut::new() },
        }
    }
}

impl Direction {
    fn describe(&mut self, from: Side, bytes: &Bytes) -> String {
        let mut parts = Vec::new();
        let mut rest = bytes.clone();
        if let Opening::Unknown { read } = &mut self.opening {
            read.extend_from_slice(bytes);
            let preface = PREFACE.len();
            if from == Side::Server && !read.starts_with(b"HTTP/") {
                self.opening = Opening::Frames;
            } else if from == Side::Client && read.starts_with(&PREFACE) {
                let split = if read.len() == bytes.len() { "preface" } else { "the rest of the preface" };
                parts.push(split.to_owned());
                rest = read.split_off(preface).freeze();
                self.opening = Opening::Frames;
            } else if from == Side::Client && PREFACE.starts_with(read) {
                return format!("{} of the preface", bytes_of(bytes.len()));
            } else {
                self.opening = Opening::Text;
            }
        }
        if self.opening == Opening::Text {
            return format!("{}: {}", bytes_of(bytes.len()), first_line(bytes));
        }
        self.frames.push_bytes(rest);
        while let Ok(Some(frame)) = self.frames.next_frame() {
            parts.push(match frame.parse() {
                Ok(frame) => self.frame(&frame),
                Err(error) => format!("{} that is wrong: {error}", frame.kind),
            });
        }
        if self.frames.buffered() > 0 {
            parts.push(format!("{} of a frame", bytes_of(self.frames.buffered())));
        }
        parts.join(", ")
    }

    fn frame(&mut self, frame: &Frame) -> String {
        let end = |end_stream: &bool| if *end_stream { " end" } else { "" };
        match frame {
            Frame::Settings(settings) => settings.iter().fold("SETTINGS".to_owned(), |text, setting| {
                format!("{text} {}={}", setting.id, setting.value)
            }),
            Frame::SettingsAck => "SETTINGS ack".to_owned(),
            Frame::Headers { stream, fragment, end_stream, end_headers, .. } => {
                self.block = BytesMut::from(fragment.as_ref());
                let fields = if *end_headers { self.fields() } else { String::new() };
                format!("HEADERS {stream}{fields}{}", end(end_stream))
            }
            Frame::Continuation { stream, fragment, end_headers } => {
                self.block.extend_from_slice(fragment);
                let fields = if *end_headers { self.fields() } else { String::new() };
                format!("CONTINUATION {stream}{fields}")
            }
            Frame::Data { stream, data, end_stream, .. } => {
                format!("DATA {stream} ({}){}", bytes_of(data.len()), end(end_stream))
            }
            Frame::Ping { ack, .. } => if *ack { "PING ack" } else { "PING" }.to_owned(),
            Frame::GoAway { last_stream, code, debug } if debug.is_empty() => {
                format!("GOAWAY {code} last {last_stream}")
            }
            Frame::GoAway { last_stream, code, debug } => {
                format!("GOAWAY {code} last {last_stream} {:?}", String::from_utf8_lossy(debug))
            }
            Frame::RstStream { stream, code } => format!("RST_STREAM {stream} {code}"),
            Frame::WindowUpdate { stream, increment } => {
                format!("WINDOW_UPDATE {stream} +{}", u32::from(*increment))
            }
            other => format!("{} {}", other.kind(), other.stream()),
        }
    }

    /// What tells one header block from another at a glance.
    fn fields(&mut self) -> String {
        let block = std::mem::take(&mut self.block);
        let Ok(block) = self.decoder.decode(&block, 1 << 20) else { return " (unreadable)".to_owned() };
        let value = |name: &[u8]| {
            let field = block.fields.iter().find(|field| field.name == name);
            field.map(|field| String::from_utf8_lossy(&field.value).into_owned())
        };
        let mut text = String::new();
        for name in [&b":method"[..], b":path", b":status"] {
            if let Some(value) = value(name) {
                let _ = write!(text, " {value}");
            }
        }
        if let Some(status) = value(b"grpc-status") {
            let _ = write!(text, " grpc-status {status}");
        }
        text
    }
}

fn first_line(bytes: &[u8]) -> String {
    let line = bytes.split(|byte| *byte == b'\r' || *byte == b'\n').next().unwrap_or_default();
    format!("{:?}", String::from_utf8_lossy(line))
}
