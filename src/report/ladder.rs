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

/// The ladder of a run.
pub fn ladder(run: &Run) -> String {
    let mut rungs = rungs(run);
    let foot = foot(run);
    let room = MOST_LINES.saturating_sub(foot.len() + 1);
    if rungs.len() > room {
        let left_out = rungs.len() - room + 1;
        let middle = room / 2;
        rungs.splice(middle..middle + left_out, [format!("          .. {left_out} more ..")]);
    }
    let mut text = format!("{} against {}\n", run.client, run.server);
    for line in rungs.iter().chain(&foot) {
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

fn rungs(run: &Run) -> Vec<String> {
    let several = run.ending.connections.len() > 1;
    let mut readers: BTreeMap<(u32, u8), Direction> = BTreeMap::new();
    let mut rungs = Vec::new();
    for event in run.transcript.events() {
        let connection = if several { format!("#{} ", event.connection + 1) } else { String::new() };
        let what = match &event.what {
            What::Dialled { .. } if several => "connects".to_owned(),
            What::Dialled { .. } => continue,
            What::Segment { from, bytes } => {
                let direction = readers.entry((event.connection, *from as u8)).or_default();
                format!("{} {}", arrow(*from), shortened(direction.describe(*from, bytes)))
            }
            What::End { from } => format!("{} end", arrow(*from)),
            What::Reset { from } => format!("{} reset", arrow(*from)),
            What::Noted { who, remark } => format!("  {who} {remark}"),
            What::Routed { who, route } => format!("  {who} hands over to {route}"),
            What::CallEnded { error: None, .. } => "  call answered".to_owned(),
            What::CallEnded { error: Some(_), .. } => "  call fails".to_owned(),
        };
        rungs.push(format!("{:>9}  {connection}{what}", time(event.at)));
    }
    rungs
}

fn foot(run: &Run) -> Vec<String> {
    let mut foot = vec![verdict(run, &run.ending)];
    if let Some(text) = run.ending.says() {
        foot.push(format!("says: {text}"));
    }
    if !run.may.is_empty() {
        let on = if run.racy { "timing" } else { "the client's build or version" };
        foot.push(format!("depends on {on}; it may also be:"));
        for ending in &run.may {
            let text = ending.says().map(|text| format!(": {text}")).unwrap_or_default();
            foot.push(format!("  {} at {}{text}", ending.outcome, time(ending.at())));
        }
    }
    foot
}

fn verdict(run: &Run, ending: &Ending) -> String {
    let mut line = format!("{} at {}", ending.outcome, time(ending.at()));
    if let Outcome::Stalled { .. } = ending.outcome {
        let last_note = run.transcript.events().iter().rev().find_map(|event| match &event.what {
            What::Noted { who, remark } => Some((who, remark)),
            _ => None,
        });
        if let Some((who, remark)) = last_note {
            let _ = write!(line, ", while {who} {remark}");
        }
    }
    line
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

/// One direction of a connection, read for people.
struct Direction {
    frames: FrameReader,
    decoder: Decoder,
    block: BytesMut,
    opening: Opening,
}

#[derive(PartialEq)]
enum Opening {
    Unknown,
    Frames,
    Text,
}

impl Default for Direction {
    fn default() -> Self {
        Self {
            frames: FrameReader::new(u32::MAX),
            decoder: Decoder::new(4096),
            block: BytesMut::new(),
            opening: Opening::Unknown,
        }
    }
}

impl Direction {
    fn describe(&mut self, from: Side, bytes: &Bytes) -> String {
        let mut parts = Vec::new();
        let mut rest = bytes.clone();
        if self.opening == Opening::Unknown {
            if from == Side::Client && rest.starts_with(&PREFACE) {
                parts.push("preface".to_owned());
                rest = rest.slice(PREFACE.len()..);
                self.opening = Opening::Frames;
            } else if from == Side::Server && !rest.starts_with(b"HTTP/") {
                self.opening = Opening::Frames;
            } else {
                self.opening = Opening::Text;
            }
        }
        if self.opening == Opening::Text {
            return format!("{} bytes: {}", bytes.len(), first_line(bytes));
        }
        self.frames.push_bytes(rest);
        while let Ok(Some(frame)) = self.frames.next_frame() {
            parts.push(match frame.parse() {
                Ok(frame) => self.frame(&frame),
                Err(error) => format!("{} that is wrong: {error}", frame.kind),
            });
        }
        if self.frames.buffered() > 0 {
            parts.push(format!("{} bytes of a frame", self.frames.buffered()));
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
                format!("DATA {stream} ({} bytes){}", data.len(), end(end_stream))
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
