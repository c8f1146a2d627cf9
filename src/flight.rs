//! A client's first flight: what it writes up to its first request, and how that is compared.
//!
//! Preface and first SETTINGS are compared byte for byte, with the cuts up to their end. What follows up to the first
//! request is compared frame by frame, without the frames that answer what a server happens to send; of header fields
//! the order and the form on the wire count too. A flight that a connection's end cut short must be a beginning of the
//! other.

mod opening;

use bytes::{Bytes, BytesMut};

use crate::wire::hpack::{Decoder, Field};
use crate::wire::http1::{HeadLimits, Parsed, RequestHead};
use crate::wire::{Frame, FrameKind, FrameReader, PREFACE, RawFrame};

pub(crate) use opening::{Offer, Opening};

/// The most bytes of a header list that is read here.
const HEADER_LIST_LIMIT: usize = 1 << 20;

/// What a client wrote on a connection, up to its first request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Flight {
    /// It wrote nothing.
    Nothing,
    /// HTTP/2.
    Http2(Http2Flight),
    /// HTTP/1: the request line and the fields in order.
    Http1(Vec<String>),
    /// Something else, or the beginning of a preface.
    Other(Bytes),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Http2Flight {
    /// Preface and first SETTINGS.
    opening: Bytes,
    /// The offsets inside the opening at which a segment ends.
    cuts: Vec<usize>,
    /// The frames that count.
    frames: Vec<FlightFrame>,
    /// Whether the last of them completes the first request's header block.
    complete: bool,
}

#[derive(Clone, Debug, PartialEq)]
enum FlightFrame {
    Headers { stream: u32, end_stream: bool, fields: Vec<Field> },
    Other(RawFrame),
}

impl Flight {
    /// Reads the segments that a client sent on one connection.
    pub(crate) fn of<'a>(segments: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut bytes = BytesMut::new();
        let mut ends = Vec::new();
        for segment in segments {
            bytes.extend_from_slice(segment);
            ends.push(bytes.len());
        }
        let bytes = bytes.freeze();
        if bytes.is_empty() {
            return Self::Nothing;
        }
        if bytes.starts_with(&PREFACE) {
            return Self::Http2(Http2Flight::of(&bytes, &ends));
        }
        match RequestHead::parse(&bytes, HeadLimits::default()) {
            Parsed::Complete { head, .. } => {
                let mut lines = vec![format!("{} {} {:?}", head.method, head.target, head.version)];
                lines.extend(
                    head.fields
                        .iter()
                        .map(|field| format!("{}: {}", field.name, String::from_utf8_lossy(&field.value))),
                );
                Self::Http1(lines)
            }
            Parsed::Partial | Parsed::Invalid(_) => Self::Other(bytes),
        }
    }

    /// The same with the fields of header blocks sorted behind those with a colon, for clients that shuffle them.
    pub(crate) fn sorted(mut self) -> Self {
        if let Self::Http2(flight) = &mut self {
            for frame in &mut flight.frames {
                if let FlightFrame::Headers { fields, .. } = frame {
                    fields.sort_by_key(|field| {
                        if field.name.starts_with(b":") { None } else { Some(field.name.clone()) }
                    });
                }
            }
        }
        self
    }

    /// How a predicted flight differs from a captured one; nothing if it does not.
    pub(crate) fn difference(captured: &Self, predicted: &Self) -> Option<String> {
        match (captured, predicted) {
            (Self::Nothing, _) => None,
            (Self::Http2(captured), Self::Http2(predicted)) => captured.difference(predicted),
            (Self::Http1(captured), Self::Http1(predicted)) => {
                let same = captured.len() == predicted.len()
                    && captured.iter().zip(predicted).all(|(line, other)| same_line(line, other));
                (!same).then(|| format!("request head {captured:?}, predicted {predicted:?}"))
            }
            (Self::Other(captured), Self::Http2(predicted)) if predicted.opening.starts_with(captured) => {
                None
            }
            (captured, predicted) if captured == predicted => None,
            (captured, predicted) => {
                Some(format!("flight is {}, predicted {}", captured.kind(), predicted.kind()))
            }
        }
    }

    /// The same with the port of its `:authority` left open: a proxy passes on the address that the client in front of it
    /// asked for, which is not the server's.
    pub(crate) fn with_any_port(mut self) -> Self {
        let Self::Http2(flight) = &mut self else { return self };
        let fields = flight.frames.iter_mut().filter_map(|frame| match frame {
            FlightFrame::Headers { fields, .. } => Some(fields),
            FlightFrame::Other(_) => None,
        });
        for field in fields.flatten().filter(|field| field.name == ":authority") {
            let digits = field.value.iter().rev().take_while(|byte| byte.is_ascii_digit()).count();
            field.value.truncate(field.value.len() - digits);
        }
        self
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Nothing => "nothing",
            Self::Http2(_) => "HTTP/2",
            Self::Http1(_) => "HTTP/1",
            Self::Other(_) => "neither HTTP/2 nor HTTP/1",
        }
    }
}

impl Http2Flight {
    fn of(bytes: &Bytes, ends: &[usize]) -> Self {
        let mut reader = FrameReader::new(u32::MAX);
        reader.push_bytes(bytes.slice(PREFACE.len()..));
        let mut decoder = Decoder::new(4096);
        let mut block: Option<(u32, bool, BytesMut)> = None;
        let mut opening = None;
        let mut frames = Vec::new();
        let mut complete = false;
        while let (false, Ok(Some(frame))) = (complete, reader.next_frame()) {
            if opening.is_none() {
                let end = PREFACE.len() + usize::try_from(reader.offset()).unwrap_or(usize::MAX);
                opening = Some(bytes.slice(..end));
                continue;
            }
            if is_left_out(&frame) {
                continue;
            }
            let end_headers = match frame.parse() {
                Ok(Frame::Headers { stream, fragment, end_stream, end_headers, .. }) => {
                    block = Some((stream.into(), end_stream, BytesMut::from(fragment.as_ref())));
                    end_headers
                }
                Ok(Frame::Continuation { fragment, end_headers, .. }) => {
                    if let Some((_, _, bytes)) = &mut block {
                        bytes.extend_from_slice(&fragment);
                    }
                    end_headers
                }
                _ => {
                    frames.push(FlightFrame::Other(frame));
                    continue;
                }
            };
            if let Some((stream, end_stream, bytes)) = block.take_if(|_| end_headers) {
                let decoded = decoder.decode(&bytes, HEADER_LIST_LIMIT).unwrap_or_default();
                frames.push(FlightFrame::Headers { stream, end_stream, fields: decoded.fields });
                complete = true;
            }
        }
        let opening = opening.unwrap_or_else(|| bytes.clone());
        let cuts = ends.iter().copied().filter(|&end| end < opening.len()).collect();
        Self { opening, cuts, frames, complete }
    }

    fn difference(&self, predicted: &Self) -> Option<String> {
        let cut_short = !self.complete;
        let same_opening = if cut_short && self.frames.is_empty() {
            predicted.opening.starts_with(&self.opening)
        } else {
            predicted.opening == self.opening
        };
        if !same_opening {
            return Some(format!("opening {}, predicted {}", hex(&self.opening), hex(&predicted.opening)));
        }
        let predicted_cuts: Vec<usize> =
            predicted.cuts.iter().copied().filter(|&cut| cut < self.opening.len()).collect();
        if self.cuts != predicted_cuts {
            return Some(format!("cuts of the opening at {:?}, predicted {predicted_cuts:?}", self.cuts));
        }
        if !cut_short && self.frames.len() != predicted.frames.len() {
            let count = predicted.frames.len();
            return Some(format!("{} frames up to the first request, predicted {count}", self.frames.len()));
        }
        let mut ahead = predicted.frames.iter();
        self.frames.iter().find_map(|frame| match ahead.next() {
            None => Some("more frames than predicted".to_owned()),
            Some(predicted) => frame.difference(predicted),
        })
    }
}

/// Frames that answer what a server happens to send, legal or not: HAProxy resets stream 0.
fn is_left_out(frame: &RawFrame) -> bool {
    match frame.kind {
        FrameKind::WindowUpdate | FrameKind::Ping | FrameKind::GoAway | FrameKind::RstStream => true,
        FrameKind::Settings => matches!(frame.parse(), Ok(Frame::SettingsAck)),
        _ => false,
    }
}

impl FlightFrame {
    fn difference(&self, predicted: &Self) -> Option<String> {
        match (self, predicted) {
            (
                Self::Headers { stream, end_stream, fields },
                Self::Headers { stream: other_stream, end_stream: other_end, fields: other_fields },
            ) => {
                if stream != other_stream || end_stream != other_end {
                    return Some(format!(
                        "HEADERS on stream {stream}, end {end_stream}; predicted {other_stream}, end {other_end}"
                    ));
                }
                if fields.len() != other_fields.len() {
                    return Some(format!("{} header fields, predicted {}", fields.len(), other_fields.len()));
                }
                fields.iter().zip(other_fields).find_map(|(field, other)| field_difference(field, other))
            }
            (one, other) if one == other => None,
            (one, other) => Some(format!("frame {one:?}, predicted {other:?}")),
        }
    }
}

fn field_difference(field: &Field, predicted: &Field) -> Option<String> {
    let same_value = field.value == predicted.value
        || (field.name == "grpc-timeout" && is_timeout(&field.value) && is_timeout(&predicted.value));
    let same = field.name == predicted.name && same_value && field.representation == predicted.representation;
    let shown = |field: &Field| {
        let name = String::from_utf8_lossy(&field.name).into_owned();
        format!("{name}: {} as {:?}", String::from_utf8_lossy(&field.value), field.representation)
    };
    (!same).then(|| format!("field {}, predicted {}", shown(field), shown(predicted)))
}

/// Whether two lines of a request's head say the same; of `Grpc-Timeout` only that it is one.
fn same_line(line: &str, other: &str) -> bool {
    let timeout = |line: &str| {
        let (name, value) = line.split_once(": ")?;
        Some(name.to_owned())
            .filter(|_| name.eq_ignore_ascii_case("grpc-timeout") && is_timeout(value.as_bytes()))
    };
    line == other || timeout(line).is_some_and(|name| Some(name) == timeout(other))
}

/// gRPC over HTTP/2: `TimeoutValue TimeoutUnit`, at most eight digits and one of `H M S m u n`.
fn is_timeout(value: &[u8]) -> bool {
    match value {
        [digits @ .., unit] => {
            (1..=8).contains(&digits.len())
                && digits.iter().all(u8::is_ascii_digit)
                && b"HMSmun".contains(unit)
        }
        [] => false,
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flight(segments: &[&[u8]]) -> Flight {
        Flight::of(segments.iter().copied())
    }

    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
    /// HEADERS on stream 1, ending it, with `:method: GET`.
    const HEADERS: &[u8] = &[0, 0, 1, 1, 5, 0, 0, 0, 1, 0x82];

    #[test]
    fn cuts_inside_the_opening_count_and_later_ones_do_not() {
        let captured = flight(&[&PREFACE, SETTINGS, HEADERS]);
        assert_eq!(Flight::difference(&captured, &flight(&[&PREFACE, &[SETTINGS, HEADERS].concat()])), None);
        let whole = flight(&[&[&PREFACE, SETTINGS].concat(), HEADERS]);
        assert!(Flight::difference(&captured, &whole).is_some_and(|text| text.contains("cuts")));
    }

    #[test]
    fn answers_to_the_server_are_left_out() {
        let captured = flight(&[&PREFACE, SETTINGS, ACK, HEADERS]);
        assert_eq!(Flight::difference(&captured, &flight(&[&PREFACE, SETTINGS, HEADERS])), None);
    }

    #[test]
    fn a_flight_cut_short_must_be_a_beginning() {
        let whole = flight(&[&PREFACE, SETTINGS, HEADERS]);
        assert_eq!(Flight::difference(&flight(&[&PREFACE, SETTINGS]), &whole), None);
        assert_eq!(Flight::difference(&flight(&[&PREFACE]), &whole), None);
        assert!(Flight::difference(&whole, &flight(&[&PREFACE, SETTINGS])).is_some());
    }

    #[test]
    fn a_field_in_another_form_differs() {
        // The same field, as a literal instead of by its index.
        let literal: &[u8] = &[0, 0, 5, 1, 5, 0, 0, 0, 1, 0x02, 3, b'G', b'E', b'T'];
        let captured = flight(&[&PREFACE, SETTINGS, HEADERS]);
        let predicted = flight(&[&PREFACE, SETTINGS, literal]);
        assert!(Flight::difference(&captured, &predicted).is_some_and(|text| text.contains("field")));
    }
}
