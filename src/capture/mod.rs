//! Packet captures: the bytes of a pcap or pcapng file into TCP conversations, and back.
//!
//! A capture is how a real client is met: what it sent, cut as it cut it, and what it had received by then. [`read`]
//! gives each conversation as one ordered list of events; decrypting it ([`TlsConversation`]) and turning it into a script
//! ([`RecordedClient`]) come after.
//!
//! | module | does |
//! |---|---|
//! | `file`, `pcapng` | bytes into [`Packets`] |
//! | `link`, `network`, `fragment`, `segment` | packets into [`Segment`]s |
//! | `tcp`, `conversation`, `stream`, `disorder`, `pieces`, `client` | segments into [`Flow`]s |
//! | `tls` | flows and key logs into [`TlsConversation`]s |
//! | `script` | either into [`RecordedClient`]s |
//! | [`writer`] | the way back: conversations into capture files, with every disorder a network can cause |
//!
//! Sans-IO: the caller reads the file whole and lends its bytes. Flows borrow from them, so nothing is copied but
//! datagrams that came in fragments. No input makes this panic. Memory stays within a small multiple of the input's
//! size: a third of it for segments of 128 bytes, and sixteen times for the worst of crafted files, where each packet
//! of 41 bytes is a conversation of its own.
//!
//! Left out: capturing itself, and everything that is not TCP, which is counted in [`PassedOver`].

mod client;
mod clock;
mod conversation;
mod disorder;
mod error;
mod file;
mod flow;
mod fragment;
mod link;
mod network;
mod passed_over;
mod pcapng;
mod pieces;
mod script;
mod segment;
mod stream;
mod tcp;
mod tls;
pub mod writer;

pub use clock::{Clock, Resolution};
pub use error::{CaptureError, Inside, LooksLike, Malformation};
pub use file::{Packet, Packets};
pub use flow::{ClientKnownBy, Direction, Flow, FlowEvent, Notes, What};
pub use link::LinkType;
pub use passed_over::{PassedKind, PassedOver};
pub use pcapng::{Secrets, SecretsKind};
pub use script::{RecordedClient, RecordedTls, Unusable};
pub use segment::Segment;
pub use tls::{
    BadKeyLog, KeyLog, Negotiated, SecretName, StopReason, TlsConversation, TlsEvent, TlsStop, TlsWhat,
};

use segment::Segments;
use tcp::{Conversations, Limits};

/// What a capture file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capture<'a> {
    /// Its TCP conversations, in the order of their first packets.
    pub flows: Vec<Flow<'a>>,
    /// How many packets it has, of whatever kind.
    pub packets: u64,
    /// What was not read, by kind.
    pub passed_over: PassedOver,
    /// The contents of its decryption secrets blocks, in order.
    pub secrets: Vec<Secrets<'a>>,
    /// How many packets have an earlier time than the packet before them: the clock was set, or the file was merged
    /// without sorting, and then the order between directions means less.
    pub time_steps_back: u64,
    /// Where and why reading stopped before the end of the file, if it did. What came before is all here.
    pub cut_off: Option<CaptureError>,
}

/// Reads a capture file, given whole.
///
/// # Errors
///
/// If it is no capture, or of a version that is not known, or not even its header is all there. Damage further on is no
/// error but [`Capture::cut_off`].
pub fn read(bytes: &[u8]) -> Result<Capture<'_>, CaptureError> {
    read_within(bytes, Limits::default())
}

fn read_within(bytes: &[u8], limits: Limits) -> Result<Capture<'_>, CaptureError> {
    let mut packets = Packets::new(bytes)?;
    let mut passed_over = PassedOver::default();
    let mut segments = Segments::default();
    let mut conversations = Conversations::new(limits);
    let mut count = 0;
    let mut time_steps_back = 0;
    let mut last_time = None;
    let mut cut_off = None;
    for packet in &mut packets {
        let packet = match packet {
            Ok(packet) => packet,
            Err(error) => {
                cut_off = Some(error);
                break;
            }
        };
        count = packet.number;
        if packet.timestamp.is_some() {
            time_steps_back += u64::from(packet.timestamp < last_time);
            last_time = packet.timestamp;
        }
        if let Some(segment) = segments.read(&packet, &mut passed_over) {
            conversations.take(segment, packet.number, packet.timestamp);
        }
    }
    segments.finish(&mut passed_over);
    passed_over.blocks = packets.passed_over_blocks();
    Ok(Capture {
        flows: conversations.finish(),
        packets: count,
        passed_over,
        secrets: packets.secrets().to_vec(),
        time_steps_back,
        cut_off,
    })
}
