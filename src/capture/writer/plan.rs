//! A conversation planned packet by packet, and the disorder that networks and capture programs bring into it.
//!
//! A plan is built by saying what the two ends do; it then is a list of packets, each naming the part of its stream
//! that it carries. Losing, repeating, delaying or widening a packet is a change to that list, so any mixture of
//! disorders can be made, and what the reader should find stays plain: the two streams.
//!
//! Left out: congestion, windows and timers. A plan says what was captured, not what TCP would do.

use std::borrow::Cow;
use std::net::SocketAddr;
use std::ops::Range;

use crate::capture::flow::Direction;
use crate::capture::segment::Segment;

/// The packets of one conversation, in the order in which they are captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    client: SocketAddr,
    server: SocketAddr,
    /// The sequence numbers of the two SYNs: the client's and the server's.
    pub initial: [u32; 2],
    streams: [Vec<u8>; 2],
    /// What each end would send next, counted from its SYN.
    next: [u64; 2],
    /// Nanoseconds since 1970.
    now: u64,
    /// The packets, which may be changed at will.
    pub packets: Vec<Planned>,
}

/// One packet of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Planned {
    /// When it is captured, in nanoseconds since 1970.
    pub time: u64,
    /// Who sends it.
    pub direction: Direction,
    /// Its sequence number, counted from the SYN, which has 0; the first byte of the stream has 1.
    pub sequence: u64,
    /// The part of the stream that it carries.
    pub bytes: Range<usize>,
    /// What it acknowledges, counted like `sequence`.
    pub acknowledges: Option<u64>,
    /// The SYN flag.
    pub syn: bool,
    /// The FIN flag.
    pub fin: bool,
    /// The RST flag.
    pub rst: bool,
    /// The window field.
    pub window: u16,
    /// How many of its last bytes are not captured.
    pub missing: u32,
    /// Whether its bytes are inverted, as no sender would.
    pub garbled: bool,
}

/// How much later each packet is captured than the one before it: 50 microseconds.
const STEP: u64 = 50_000;

impl Plan {
    /// A conversation in which nothing has happened, at a time in nanoseconds since 1970.
    pub fn new(client: SocketAddr, server: SocketAddr, time: u64) -> Self {
        Self {
            client,
            server,
            initial: [1_000, 5_000],
            streams: [Vec::new(), Vec::new()],
            next: [0, 0],
            now: time,
            packets: Vec::new(),
        }
    }

    /// All bytes of one direction.
    pub fn stream(&self, direction: Direction) -> &[u8] {
        &self.streams[index(direction)]
    }

    /// Lets time pass, in nanoseconds.
    pub fn wait(&mut self, nanoseconds: u64) -> &mut Self {
        self.now += nanoseconds;
        self
    }

    /// SYN, SYN and ACK, ACK.
    pub fn open(&mut self) -> &mut Self {
        self.packet(Direction::ToServer, |packet| {
            packet.syn = true;
            packet.acknowledges = None;
        });
        self.packet(Direction::ToClient, |packet| packet.syn = true);
        self.acknowledge(Direction::ToServer)
    }

    /// Sends bytes in segments of a size, without an answer.
    pub fn send(&mut self, direction: Direction, bytes: &[u8], segment_size: usize) -> &mut Self {
        for segment in bytes.chunks(segment_size.max(1)) {
            let stream = &mut self.streams[index(direction)];
            let start = stream.len();
            stream.extend_from_slice(segment);
            let end = stream.len();
            self.packet(direction, |packet| packet.bytes = start..end);
        }
        self
    }

    /// An ACK of everything that this sender has received.
    pub fn acknowledge(&mut self, direction: Direction) -> &mut Self {
        self.packet(direction, |_| {})
    }

    /// FIN.
    pub fn end(&mut self, direction: Direction) -> &mut Self {
        self.packet(direction, |packet| packet.fin = true)
    }

    /// RST.
    pub fn reset(&mut self, direction: Direction) -> &mut Self {
        self.packet(direction, |packet| packet.rst = true)
    }

    /// A keep-alive probe with one byte that means nothing, just before what would be sent next; and its answer.
    pub fn keep_alive(&mut self, direction: Direction) -> &mut Self {
        let end = self.streams[index(direction)].len();
        self.packet(direction, |packet| {
            packet.sequence = packet.sequence.saturating_sub(1);
            packet.bytes = end.saturating_sub(1)..end;
            packet.garbled = true;
        });
        self.acknowledge(direction.reverse())
    }

    /// The receiver closes its window, and the sender probes it with the next byte of the stream. A real sender then
    /// sends that byte again: [`widen`](Self::widen) the packet that follows.
    pub fn probe_closed_window(&mut self, direction: Direction, byte: u8) -> &mut Self {
        self.packet(direction.reverse(), |packet| packet.window = 0);
        self.send(direction, &[byte], 1)
    }

    /// Captures a packet once more, some places later.
    ///
    /// # Panics
    ///
    /// If there is no such packet.
    pub fn repeat(&mut self, packet: usize, places: usize) -> &mut Self {
        let copy = self.packets[packet].clone();
        let place = (packet + places).min(self.packets.len());
        self.packets.insert(place, copy);
        self.in_order_of_time()
    }

    /// Captures a packet some places later.
    ///
    /// # Panics
    ///
    /// If there is no such packet.
    pub fn delay(&mut self, packet: usize, places: usize) -> &mut Self {
        let end = (packet + places + 1).min(self.packets.len());
        self.packets[packet..end].rotate_left(1);
        self.in_order_of_time()
    }

    /// Does not capture a packet.
    ///
    /// # Panics
    ///
    /// If there is no such packet.
    pub fn lose(&mut self, packet: usize) -> &mut Self {
        self.packets.remove(packet);
        self
    }

    /// Makes a packet carry more of its stream, on both sides as far as there is any.
    ///
    /// # Panics
    ///
    /// If there is no such packet.
    pub fn widen(&mut self, packet: usize, before: usize, after: usize) -> &mut Self {
        let packet = &mut self.packets[packet];
        if !packet.bytes.is_empty() {
            let before = before.min(packet.bytes.start);
            packet.bytes.start -= before;
            packet.sequence -= before as u64;
            let end = self.streams[index(packet.direction)].len();
            packet.bytes.end = (packet.bytes.end + after).min(end);
        }
        self
    }

    /// The segments to write, with their times.
    ///
    /// # Panics
    ///
    /// If a packet was changed to carry bytes that its stream does not have.
    pub fn segments(&self) -> impl Iterator<Item = (u64, Segment<'_>)> {
        self.packets.iter().map(|packet| {
            let this = index(packet.direction);
            let (source, destination) = match packet.direction {
                Direction::ToServer => (self.client, self.server),
                Direction::ToClient => (self.server, self.client),
            };
            let bytes = &self.streams[this][packet.bytes.clone()];
            let captured = bytes.len().saturating_sub(packet.missing as usize);
            let missing = (bytes.len() - captured) as u32;
            let payload = if packet.garbled {
                bytes[..captured].iter().map(|byte| !byte).collect()
            } else {
                Cow::Borrowed(&bytes[..captured])
            };
            let acknowledgment = packet.acknowledges.map(|number| {
                let initial = self.initial[index(packet.direction.reverse())];
                initial.wrapping_add(number as u32)
            });
            let segment = Segment {
                source,
                destination,
                sequence: self.initial[this].wrapping_add(packet.sequence as u32),
                acknowledgment,
                syn: packet.syn,
                fin: packet.fin,
                rst: packet.rst,
                window: packet.window,
                payload,
                missing,
            };
            (packet.time, segment)
        })
    }

    fn packet(&mut self, direction: Direction, shape: impl FnOnce(&mut Planned)) -> &mut Self {
        let this = index(direction);
        let mut packet = Planned {
            time: self.now,
            direction,
            sequence: self.next[this],
            bytes: 0..0,
            acknowledges: Some(self.next[1 - this]),
            syn: false,
            fin: false,
            rst: false,
            window: u16::MAX,
            missing: 0,
            garbled: false,
        };
        shape(&mut packet);
        let length = packet.bytes.len() as u64 + u64::from(packet.syn) + u64::from(packet.fin);
        self.next[this] = self.next[this].max(packet.sequence + length);
        self.packets.push(packet);
        self.now += STEP;
        self
    }

    fn in_order_of_time(&mut self) -> &mut Self {
        let mut times: Vec<u64> = self.packets.iter().map(|packet| packet.time).collect();
        times.sort_unstable();
        for (packet, time) in self.packets.iter_mut().zip(times) {
            packet.time = time;
        }
        self
    }
}

fn index(direction: Direction) -> usize {
    match direction {
        Direction::ToServer => 0,
        Direction::ToClient => 1,
    }
}
