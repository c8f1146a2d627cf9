//! The target `classify`: whatever a client says, however it is cut, the multiplexer decides the same, loses nothing and
//! accounts for every SETTINGS.
//!
//! What a back end should get is worked out here from the whole stream and from what the multiplexer wrote, frame by
//! frame, and not with the filters that the multiplexer itself uses.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use super::case::Case;
use super::talker::{Speech, Talker};
use crate::mux::{Classifier, Closed, Mux, Sniffed, Verdict};
use crate::wire::{Frame, PREFACE, RawFrame, Setting, SettingId};

/// Longer than a multiplexer has patience, and by the paused clock no time at all.
const HOUR: Duration = Duration::from_secs(3600);

/// Runs the case that these bytes are (see [`Case`]).
///
/// # Panics
///
/// If the decision depends on where the stream is cut, on how fast it comes, or on which of two equal runs it is; if the
/// back end gets anything but what the client sent, without the frames that the multiplexer answered itself; or if one of
/// the two sides gets more or fewer acknowledgements than SETTINGS.
pub fn classify(bytes: &[u8]) {
    let case = Case::from_bytes(bytes);
    let verdict = verdict(&case, std::slice::from_ref(&case.stream));
    let single: Vec<Bytes> = case.stream.chunks(1).map(Bytes::copy_from_slice).collect();
    for pieces in [case.pieces(), single.clone()] {
        assert_eq!(self::verdict(&case, &pieces), verdict, "the verdict depends on the cuts: {case:?}");
    }
    let whole = Vec::from_iter(Some(case.stream.clone()).filter(|stream| !stream.is_empty()));
    let stays = if case.stays { HOUR } else { Duration::ZERO };
    let speeches = [(whole, false), (case.pieces(), false), (case.pieces(), true), (single, true)]
        .map(|(pieces, hesitates)| Speech { pieces, hesitates, stays });
    let mut decision = None;
    for speech in speeches {
        let meeting = Meeting::of(&case, speech.clone());
        assert_eq!(Meeting::of(&case, speech.clone()), meeting, "it goes another way again: {case:?}");
        let first = decision.get_or_insert_with(|| meeting.decision.clone());
        assert_eq!(meeting.decision, *first, "the decision depends on the cuts: {case:?} as {speech:?}");
        if let Err(wrong) = meeting.check(&case.stream) {
            panic!("{wrong}\n{case:?}\nas {speech:?}\n{meeting:?}");
        }
    }
    check_decision(&case, &verdict, &decision.unwrap_or_default());
}

/// The classifier's own verdict, which is final as soon as it is one.
fn verdict(case: &Case, pieces: &[Bytes]) -> Verdict {
    let mut classifier = Classifier::new(Arc::new(case.rules()), case.limit());
    for piece in pieces {
        let before = classifier.verdict().clone();
        let after = classifier.push(piece);
        assert!(before == Verdict::NeedMore || before == *after, "{before:?} became {after:?}: {case:?}");
    }
    classifier.verdict().clone()
}

/// The multiplexer does what its classifier says.
fn check_decision(case: &Case, verdict: &Verdict, decision: &str) {
    let expected = match verdict {
        Verdict::Match(route) => route.name().to_owned(),
        Verdict::Reject(_) if case.has_otherwise => OTHERWISE.to_owned(),
        Verdict::Reject(why) => format!("{why:?}"),
        Verdict::NeedMore if case.has_otherwise && (case.stays || !case.stream.is_empty()) => {
            OTHERWISE.to_owned()
        }
        Verdict::NeedMore if case.stays => "Deadline".to_owned(),
        Verdict::NeedMore => format!("End {{ after: {} }}", case.stream.len()),
    };
    assert_eq!(decision, expected, "the multiplexer does not do what its classifier says: {case:?}");
}

const OTHERWISE: &str = "otherwise";

/// What came of a connection.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Meeting {
    /// The route, or why there is none.
    decision: String,
    /// What the back end read.
    delivered: Option<Vec<u8>>,
    /// What the client heard before the back end said anything.
    from_mux: Vec<u8>,
    /// What the client heard then.
    from_back_end: Vec<u8>,
}

impl Meeting {
    fn of(case: &Case, speech: Speech) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        let runtime = runtime.expect("a runtime without I/O needs nothing that could be missing");
        let mux = Mux::new(case.rules()).limit(case.limit());
        let mux = if case.has_otherwise { mux.otherwise(OTHERWISE) } else { mux };
        let answer_in_one = !speech.hesitates;
        runtime.block_on(async {
            let mut talker = Talker::new(speech);
            let (route, mut connection) = match mux.sniff(&mut talker, &()).await {
                Sniffed::Routed { route, connection } => (route, connection),
                Sniffed::Closed(why) => {
                    let decision = match why {
                        Closed::Failed(error) => panic!("nothing can fail here: {error}"),
                        Closed::Rejected(why) => format!("{why:?}"),
                        why => format!("{why:?}"),
                    };
                    return Self { decision, from_mux: talker.heard.to_vec(), ..Self::default() };
                }
            };
            let mut delivered = Vec::new();
            let mut heard = None;
            let mut said = 0;
            loop {
                let read = timeout(3 * HOUR, connection.read_buf(&mut delivered)).await;
                let ends = matches!(read, Ok(Ok(0)));
                if let Ok(read) = read {
                    read.expect("a client that talks does not fail");
                    if !ends {
                        continue;
                    }
                }
                // At the end it says everything, and what it owes if the client does not go on without.
                let mut answer = back_end_says(&delivered);
                if !ends {
                    answer.truncate(answer.len() - LAST);
                }
                connection.flush().await.expect("it hears everything");
                heard.get_or_insert(connection.inner().heard.len());
                assert!(ends || said < answer.len(), "the client's bytes do not come: {case:?}");
                let length = if answer_in_one { answer.len() } else { 1 };
                for part in answer[said..].chunks(length) {
                    connection.write_all(part).await.expect("it hears everything");
                }
                said = answer.len();
                if ends {
                    break;
                }
            }
            connection.shutdown().await.expect("it hears everything");
            drop(connection);
            let mut from_mux = talker.heard;
            let from_back_end = from_mux.split_off(heard.unwrap_or_default()).to_vec();
            let decision = route.name().to_owned();
            Self { decision, delivered: Some(delivered), from_mux: from_mux.to_vec(), from_back_end }
        })
    }

    /// Whether everybody got what they should, given what the client sent.
    fn check(&self, sent: &Bytes) -> Result<(), &'static str> {
        let said = frames(&self.from_mux);
        let Some(delivered) = &self.delivered else {
            return match said.as_slice() {
                [] => Ok(()),
                // A client that leaves gets no GOAWAY.
                [first, ..] if is_settings(first) && self.decision.starts_with("End") => Ok(()),
                [first, .., last] if is_settings(first) && is_goaway(last) => Ok(()),
                _ => Err("a refused client was not told so in HTTP/2"),
            };
        };
        if said.is_empty() {
            return if delivered != sent {
                Err("the multiplexer said nothing, and what it sniffed is not replayed exactly")
            } else if self.from_back_end != back_end_says(delivered) {
                Err("the multiplexer said nothing, and changes what the back end says")
            } else {
                Ok(())
            };
        }
        if !is_settings(&said[0]) {
            return Err("the first thing that the client hears is not SETTINGS");
        }
        let mut pongs = said[1..].iter().filter_map(|frame| match frame.parse() {
            Ok(Frame::Ping { ack: true, opaque }) => Some(opaque),
            _ => None,
        });
        let acknowledged = said.iter().filter(|frame| is_acknowledgement(frame)).count();
        if *delivered != without_what_was_answered(sent, &mut pongs, acknowledged) {
            return Err("the back end did not get what was sent without what the multiplexer answered");
        }
        if pongs.next().is_some() {
            return Err("a PING was answered that was never sent");
        }
        self.check_acknowledgements(sent, &said)
    }

    fn check_acknowledgements(&self, sent: &Bytes, said: &[RawFrame]) -> Result<(), &'static str> {
        let back_end = frames(&self.from_back_end);
        let heard = || said.iter().chain(&back_end);
        let sent = frames(sent.get(PREFACE.len()..).unwrap_or_default());
        let settings = sent.iter().filter(|frame| is_settings(frame)).count();
        if heard().filter(|frame| is_acknowledgement(frame)).count() != settings {
            return Err("the client does not get one acknowledgement for each of its SETTINGS");
        }
        match heard().filter(|frame| is_settings(frame)).collect::<Vec<_>>().as_slice() {
            [_, own] => match own.parse() {
                Ok(Frame::Settings(own))
                    if own.iter().any(|one| one.id == SettingId::MaxConcurrentStreams) =>
                {
                    Ok(())
                }
                _ => Err("the back end's SETTINGS leave standing what the multiplexer's stated"),
            },
            _ => Err("the client does not get the multiplexer's SETTINGS and the back end's"),
        }
    }
}

/// How long the last frame is that a back end says, a PING.
const LAST: usize = 17;

/// What a back end says that acknowledges every SETTINGS that it gets: its own, the acknowledgements, and one PING.
fn back_end_says(delivered: &[u8]) -> Vec<u8> {
    let own = [
        Setting { id: SettingId::InitialWindowSize, value: 1 << 20 },
        Setting { id: SettingId::NoRfc7540Priorities, value: 1 },
    ];
    let got = frames(delivered.get(PREFACE.len()..).unwrap_or_default());
    let mut said = vec![Frame::Settings(own.to_vec())];
    said.extend(got.iter().filter(|frame| is_settings(frame)).map(|_| Frame::SettingsAck));
    said.push(Frame::Ping { ack: false, opaque: *b"back end" });
    let mut bytes = Vec::new();
    for frame in said {
        frame.encode(&mut bytes).expect("its frames are short");
    }
    bytes
}

/// What is left of a stream without the one acknowledgement that the multiplexer's SETTINGS bring about, without the PINGs
/// that were answered: the first ones, in their order, and with the first SETTINGS that were acknowledged as one frame.
fn without_what_was_answered(
    sent: &Bytes,
    pongs: &mut impl Iterator<Item = [u8; 8]>,
    acknowledged: usize,
) -> Vec<u8> {
    let mut rest = sent.clone();
    let mut left = rest.split_to(sent.len().min(PREFACE.len())).to_vec();
    let mut owed = 1;
    let mut joined: Option<(usize, Vec<Setting>, RawFrame)> = None;
    let mut to_join = acknowledged;
    loop {
        let before = rest.clone();
        let Some(frame) = RawFrame::decode(&mut rest) else { break };
        let answered = match frame.parse() {
            Ok(Frame::Ping { ack: false, opaque }) => pongs.next().is_some_and(|pong| pong == opaque),
            Ok(Frame::Settings(settings)) if to_join > 0 => {
                let joins = joined.as_ref().is_none_or(|(_, first, _)| may_be_one(first, &settings));
                to_join = if joins { to_join - 1 } else { 0 };
                match &mut joined {
                    None => joined = Some((left.len(), settings, frame.clone())),
                    Some((_, first, whole)) if joins => {
                        first.retain(|earlier| settings.iter().all(|later| later.id != earlier.id));
                        first.extend(settings);
                        let mut bytes = Vec::new();
                        let one = Frame::Settings(first.clone());
                        one.encode(&mut bytes).expect("a hundred values fit");
                        *whole = frames(&bytes).remove(0);
                    }
                    Some(_) => {}
                }
                joins
            }
            _ if owed > 0 && is_acknowledgement(&frame) => {
                owed -= 1;
                true
            }
            _ => false,
        };
        if !answered {
            left.extend_from_slice(&before[..before.len() - rest.len()]);
        }
    }
    left.extend_from_slice(&rest);
    if let Some((place, _, frame)) = joined {
        let mut first = Vec::new();
        frame.encode(&mut first);
        left.splice(place..place, first);
    }
    left
}

/// Whether nobody can tell these from one SETTINGS frame.
fn may_be_one(first: &[Setting], second: &[Setting]) -> bool {
    let distinct = |settings: &[Setting]| {
        let ids: BTreeSet<u16> = settings.iter().map(|setting| setting.id.into()).collect();
        ids.len() == settings.len()
    };
    let table =
        |settings: &[Setting]| settings.iter().any(|setting| setting.id == SettingId::HeaderTableSize);
    let small = first.len() + second.len() <= 100;
    small && distinct(first) && distinct(second) && !(table(first) && table(second))
}

fn frames(bytes: &[u8]) -> Vec<RawFrame> {
    let mut rest = Bytes::copy_from_slice(bytes);
    std::iter::from_fn(|| RawFrame::decode(&mut rest)).collect()
}

fn is_settings(frame: &RawFrame) -> bool {
    matches!(frame.parse(), Ok(Frame::Settings(_)))
}

fn is_goaway(frame: &RawFrame) -> bool {
    matches!(frame.parse(), Ok(Frame::GoAway { .. }))
}

/// One with nothing in it: any other is for whoever gets it to object to.
fn is_acknowledgement(frame: &RawFrame) -> bool {
    use crate::wire::{FrameKind, frame::flags};
    frame.kind == FrameKind::Settings && frame.flags & flags::ACK != 0 && frame.payload.is_empty()
}
