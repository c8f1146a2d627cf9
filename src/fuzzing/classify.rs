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
use tokio::runtime::Runtime;
use tokio::time::timeout;

use super::bounds;
use super::case::Case;
use super::talker::{Speech, Talker};
use crate::mux::{Classifier, Closed, Mux, ProxyHeaders, Rejection, Rules, Sniffed, Verdict};
use crate::wire::proxy::Progress;
use crate::wire::{Frame, PREFACE, RawFrame, Setting, SettingId};

/// Longer than a multiplexer has patience, and by the paused clock no time at all.
const HOUR: Duration = Duration::from_secs(3600);

/// Runs the case that these bytes are (see [`Case`]), all of it.
///
/// # Panics
///
/// If the decision depends on where the stream is cut, on how fast it comes, or on which of two equal runs it is; if it comes
/// earlier than it may, or later than it has to or than the limit; if the back end gets anything but what the client sent,
/// without the frames that the multiplexer answered itself; or if one of the two sides gets more or fewer acknowledgements
/// than SETTINGS.
pub fn classify(bytes: &[u8]) {
    let case = Case::from_bytes(bytes);
    check_meetings(&case, &check_verdict(&case));
}

/// The same for a fuzzer that counts its runs: whole connections, which take a hundred times as long as the classifier alone,
/// are held for every so-manieth input, chosen by its bytes.
pub fn classify_often(bytes: &[u8]) {
    let case = Case::from_bytes(bytes);
    let verdict = check_verdict(&case);
    let chosen = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    if (chosen >> 32).is_multiple_of(64) {
        check_meetings(&case, &verdict);
    }
}

/// The classifier's own verdict, which is final as soon as it is one, the same for all cuts, and there in time.
fn check_verdict(case: &Case) -> Verdict {
    let rules = Arc::new(case.rules());
    let classifier = || Classifier::expecting(case.headers, Arc::clone(&rules), case.limit());
    let verdict = classifier().push(&case.stream).clone();
    let mut cut = classifier();
    for piece in case.pieces() {
        let before = cut.verdict().clone();
        let after = cut.push(&piece);
        assert!(before == Verdict::NeedMore || before == *after, "{before:?} became {after:?}: {case:?}");
    }
    assert_eq!(*cut.verdict(), verdict, "the verdict depends on the cuts: {case:?}");
    let mut single = classifier();
    let mut after = 0;
    for byte in case.stream.chunks(1) {
        if *single.verdict() != Verdict::NeedMore {
            break;
        }
        single.push(byte);
        after += 1;
    }
    assert_eq!(*single.verdict(), verdict, "the verdict depends on the cuts: {case:?}");
    check_in_time(case, &rules, &verdict, after);
    verdict
}

/// A verdict that is there after so many bytes is there neither too early nor too late.
fn check_in_time(case: &Case, rules: &Rules, verdict: &Verdict, after: usize) {
    let limit = case.limit();
    let decided = *verdict != Verdict::NeedMore;
    assert!(after <= limit, "it decides after {after} bytes, beyond the limit: {case:?}");
    assert!(decided || case.stream.len() < limit, "it is at the limit and has not decided: {case:?}");
    let (begin, known) = match case.header() {
        Progress::Absent if case.headers == ProxyHeaders::Unexpected => (0, 0),
        Progress::Absent if case.headers == ProxyHeaders::Optional => (0, case.known_to_have_no_header()),
        Progress::Complete { length, .. } => (length, length),
        // It is decided by the header, or not at all.
        _ => return,
    };
    let behind = case.stream.slice(begin..);
    let Some(due) = bounds::due(rules.iter().map(|(rule, _)| rule), &behind) else { return };
    let by = (begin + due.by).max(known).min(limit);
    assert!(decided && after <= by, "it decides after {after} bytes, and should after {by}: {case:?}");
    assert!(!due.exactly || after == by, "it decides after {after} bytes, and can't before {by}: {case:?}");
}

fn check_meetings(case: &Case, verdict: &Verdict) {
    let whole = Vec::from_iter(Some(case.stream.clone()).filter(|stream| !stream.is_empty()));
    let single: Vec<Bytes> = case.stream.chunks(1).map(Bytes::copy_from_slice).collect();
    let stays = if case.stays { HOUR } else { Duration::ZERO };
    let speeches = [(whole, false), (case.pieces(), false), (case.pieces(), true), (single, true)]
        .map(|(pieces, hesitates)| Speech { pieces, hesitates, stays });
    let mut decision = None;
    let sent = case.stream.slice(case.begin()..);
    for speech in speeches {
        let meeting = Meeting::of(case, speech.clone());
        assert_eq!(Meeting::of(case, speech.clone()), meeting, "it goes another way again: {case:?}");
        let first = decision.get_or_insert_with(|| meeting.decision.clone());
        assert_eq!(meeting.decision, *first, "the decision depends on the cuts: {case:?} as {speech:?}");
        if let Err(wrong) = meeting.check(&sent) {
            panic!("{wrong}\n{case:?}\nas {speech:?}\n{meeting:?}");
        }
    }
    check_decision(case, verdict, &decision.unwrap_or_default());
}

/// The multiplexer does what its classifier says.
fn check_decision(case: &Case, verdict: &Verdict, decision: &str) {
    let header_is_owed =
        case.headers == ProxyHeaders::Required && !matches!(case.header(), Progress::Complete { .. });
    let is_open = case.has_otherwise && !header_is_owed;
    let expected = match verdict {
        Verdict::Match(route) => route.name().to_owned(),
        Verdict::Reject(why) if !is_open || *why == Rejection::BadProxyHeader => format!("{why:?}"),
        Verdict::Reject(_) => OTHERWISE.to_owned(),
        Verdict::NeedMore if is_open && (case.stays || !case.stream.is_empty()) => OTHERWISE.to_owned(),
        Verdict::NeedMore if case.stays => "Deadline".to_owned(),
        Verdict::NeedMore => format!("End {{ after: {} }}", case.stream.len()),
    };
    assert_eq!(decision, expected, "the multiplexer does not do what its classifier says: {case:?}");
}

const OTHERWISE: &str = "otherwise";

thread_local! {
    /// One for all, since a new one costs as much as a connection. Its clock goes on; nothing depends on when it is.
    static RUNTIME: Runtime = {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime without I/O needs nothing that could be missing")
    };
}

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
        let mux = Mux::new(case.rules()).limit(case.limit()).proxy_headers(case.headers);
        let mux = if case.has_otherwise { mux.otherwise(OTHERWISE) } else { mux };
        let answer_in_one = !speech.hesitates;
        let meets = async {
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
        };
        RUNTIME.with(|runtime| runtime.block_on(meets))
    }

    /// Whether everybody got what they should, given what the client sent behind its PROXY header.
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
