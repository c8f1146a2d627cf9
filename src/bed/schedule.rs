//! Schedules: the orders in which the events of a run may happen.
//!
//! What happens first decides some handshakes: whether an answer is on its way before a surplus acknowledgement is read,
//! whether a call is written before a close is. In the bed everything takes no time at all unless it is told to, so an
//! order is chosen by giving one side a millisecond here or there. A small fixed family covers the orders in which the
//! recorded races went; the first schedule adds no time anywhere and gives the outcome that is reported first.

use std::time::Duration;

use crate::clients::{Pace, Paces};
use crate::draw::Draw;
use crate::net::Network;
use crate::servers::ServerPace;

/// One schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Schedule {
    first: Leg,
    later: Leg,
    leaves_at_once: bool,
    notices_blinks: bool,
    build: usize,
}

/// The extra times on one connection, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Leg {
    to_server: u64,
    to_client: u64,
    between_writes: u64,
    before_call: u64,
    before_close: u64,
    hand_over: u64,
    handler: u64,
    closing: u64,
}

const PLAIN: Leg = Leg {
    to_server: 0,
    to_client: 0,
    between_writes: 0,
    before_call: 0,
    before_close: 0,
    hand_over: 0,
    handler: 0,
    closing: 0,
};

/// What one side may take its time for. Everything that was seen to race in the recordings is one of these against
/// none of them.
const LEGS: [Leg; 8] = [
    PLAIN,
    // What the client sends in answer to an answer arrives before it closes.
    Leg { to_server: 1, before_close: 2, ..PLAIN },
    Leg { handler: 1, ..PLAIN },
    Leg { before_call: 1, ..PLAIN },
    Leg { between_writes: 1, ..PLAIN },
    Leg { closing: 1, before_call: 1, ..PLAIN },
    Leg { hand_over: 1, to_client: 1, ..PLAIN },
    // Who copies between client and back end leaves what comes then unread, and the close is a reset.
    Leg { closing: 1, ..PLAIN },
];

impl Schedule {
    /// The schedules under which a scenario is run, for a client of which there are so many `builds`, and one more if a
    /// seed draws it.
    pub(crate) fn family(builds: usize, seed: Option<u64>) -> Vec<Self> {
        let alike = LEGS.map(|leg| Self { first: leg, later: leg, ..Self::default() });
        // A connection may go one way and the next one the other.
        let answered = LEGS[1];
        let slow = LEGS[2];
        let mixed = [
            Self { first: answered, later: slow, ..Self::default() },
            Self { first: slow, later: answered, ..Self::default() },
            Self { first: answered, later: answered, leaves_at_once: true, ..Self::default() },
            Self { first: slow, later: answered, leaves_at_once: true, ..Self::default() },
            Self { first: LEGS[3], notices_blinks: true, ..Self::default() },
        ];
        // Builds differ where a call fails, if it does not fail at once then because its answer comes too late.
        let builds = (1..builds).flat_map(|build| {
            [PLAIN, slow].map(|leg| Self { first: leg, later: leg, build, ..Self::default() })
        });
        alike.into_iter().chain(mixed).chain(seed.map(Self::drawn)).chain(builds).collect()
    }

    /// A schedule drawn by a seed: up to three milliseconds here and there.
    fn drawn(seed: u64) -> Self {
        let mut draw = Draw::of(seed);
        let mut leg = || Leg {
            to_server: draw.below(4),
            to_client: draw.below(4),
            between_writes: draw.below(4),
            before_call: draw.below(4),
            before_close: draw.below(4),
            hand_over: draw.below(4),
            handler: draw.below(4),
            closing: draw.below(4),
        };
        Self { first: leg(), later: leg(), ..Self::default() }
    }

    /// Whether it differs from the first only in the build of the client.
    pub(crate) fn is_other_build(self) -> bool {
        self.build > 0
    }

    /// The network of one connection.
    pub(crate) fn network(self, base: &Network, connection: u32) -> Network {
        let leg = self.leg(connection);
        let mut network = base.clone();
        network.to_server.latency += milliseconds(leg.to_server);
        network.to_client.latency += milliseconds(leg.to_client);
        network
    }

    pub(crate) fn paces(self) -> Paces {
        let pace = |leg: Leg| Pace {
            between_writes: milliseconds(leg.between_writes),
            before_call: milliseconds(leg.before_call),
            before_close: milliseconds(leg.before_close),
            build: self.build,
        };
        Paces {
            first: pace(self.first),
            later: pace(self.later),
            leaves_at_once: self.leaves_at_once,
            notices_blinks: self.notices_blinks,
        }
    }

    pub(crate) fn server_pace(self, connection: u32) -> ServerPace {
        let leg = self.leg(connection);
        ServerPace {
            hand_over: milliseconds(leg.hand_over),
            handler: milliseconds(leg.handler),
            closing: milliseconds(leg.closing),
        }
    }

    fn leg(self, connection: u32) -> Leg {
        if connection == 0 { self.first } else { self.later }
    }
}

fn milliseconds(count: u64) -> Duration {
    Duration::from_millis(count)
}
