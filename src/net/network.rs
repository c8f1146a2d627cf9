//! What the network of a scenario does to a connection, direction by direction.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::Cuts;

/// Both directions of every connection in a scenario. The default delivers at once, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Network {
    /// From the client to the server.
    pub to_server: Path,
    /// From the server to the client.
    pub to_client: Path,
    /// What becomes of bytes that have arrived, but have not been read, when a reset comes.
    pub unread: Unread,
}

/// What becomes of bytes that have arrived, but have not been read, when a reset comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Unread {
    /// They can still be read, and then the reset is. That is what Linux does, and so what the recordings show: of
    /// 200 runs of grpc-go against an HTTP/1 server that answered and reset, every one read the answer.
    #[default]
    Kept,
    /// They are lost: "all segment queues should be flushed" (RFC 9293, section 3.10.7.4), as on BSD and Windows.
    Lost,
}

impl Network {
    /// A network that hands the server every byte by itself, and the client too.
    pub fn every_byte() -> Self {
        Self::cut(Cuts::EveryByte)
    }

    /// A network that cuts both directions alike.
    pub fn cut(cuts: Cuts) -> Self {
        let path = Path { cuts, ..Path::default() };
        Self { to_server: path.clone(), to_client: path, ..Self::default() }
    }

    /// A network with the same one-way delay in both directions, in whole milliseconds (the paused clock knows no
    /// less; a part of one is rounded up).
    pub fn latency(one_way: Duration) -> Self {
        let path = Path { latency: one_way, ..Path::default() };
        Self { to_server: path.clone(), to_client: path, ..Self::default() }
    }
}

/// One direction of a connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    /// How long a segment travels.
    pub latency: Duration,
    /// Where the stream is cut into segments.
    pub cuts: Cuts,
    /// How many bytes may be on the way or unread at the far end before a writer has to wait.
    pub window: NonZeroUsize,
    /// Nothing is delivered before this time of the run.
    pub stalled_until: Duration,
    /// What goes wrong in this direction, if anything does.
    pub fault: Option<Fault>,
}

impl Default for Path {
    fn default() -> Self {
        Self {
            latency: Duration::ZERO,
            cuts: Cuts::AsWritten,
            window: NonZeroUsize::new(256 * 1024).expect("not zero"),
            stalled_until: Duration::ZERO,
            fault: None,
        }
    }
}

/// A fault in one direction, after so many bytes of it have been sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Everything after these bytes vanishes, the end of the stream included.
    BlackHole {
        /// Bytes that still arrive.
        after: u64,
    },
    /// The network resets the connection for both ends.
    Reset {
        /// Bytes that still arrive.
        after: u64,
    },
    /// The reader sees the end of the stream, and what is written later vanishes.
    End {
        /// Bytes that still arrive.
        after: u64,
    },
}

impl Fault {
    pub(crate) fn after(self) -> u64 {
        match self {
            Self::BlackHole { after } | Self::Reset { after } | Self::End { after } => after,
        }
    }
}
