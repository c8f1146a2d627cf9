//! What a scenario has besides clients: server, network, expectations.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::declare::{choice, record};
use super::{ByteForm, Listed, Reader, Writer};
use crate::net::{Cuts, Fault, Network, Path, Unread};
use crate::outcome::WaitingFor;
use crate::script::{Expectation, ExpectedOutcome};
use crate::servers::{BackEnd, Front, Security, ServerName};

choice!(Front {
    Mux,
    CmuxHeader,
    Direct,
    CmuxSettings,
    CmuxPreface,
    CmuxSettingsTwice,
    Http1,
    Mute,
    Eof,
    CmuxHeaderThenSettings
});
choice!(BackEnd { GrpcGo, H2c, Tonic, Nghttp2, Netty, CCore });
choice!(Security { Cleartext, Tls, TlsWithoutAlpn, TlsOptional });

/// What looks at connections, what is behind it, and whether there is TLS before it.
impl Listed for ServerName {
    fn read_next(input: &mut Reader<'_>) -> Option<Self> {
        let front = Front::read_next(input)?;
        let back_end = BackEnd::read(input);
        // What answers by itself has nothing behind it.
        let back_end = if front.has_back_end() { back_end } else { BackEnd::default() };
        Some(Self { security: ByteForm::read(input), front, back_end })
    }

    fn write_next(&self, output: &mut Writer<'_>) {
        let Self { security, front, back_end } = self;
        front.write_next(output);
        back_end.write(output);
        security.write(output);
    }
}

record!(Network { to_server, to_client, unread });
choice!(Unread { Kept, Lost });

/// Something that a direction does. The last of several of one kind counts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Trait {
    Cuts(Cuts),
    Latency(Duration),
    Fault(Fault),
    StalledUntil(Duration),
    Window(NonZeroUsize),
}

choice!(Trait {
    Cuts { 0: cuts },
    Latency { 0: latency },
    Fault { 0: fault },
    StalledUntil { 0: time },
    Window { 0: window },
});

choice!(Cuts { EveryByte, At { 0: offsets }, Segment { 0: most }, AsWritten });
choice!(Fault { Reset { after: after }, End { after: after }, BlackHole { after: after } });

impl ByteForm for Path {
    fn read(input: &mut Reader<'_>) -> Self {
        let mut path = Self::default();
        for particular in Vec::read(input) {
            match particular {
                Trait::Cuts(cuts) => path.cuts = cuts,
                Trait::Latency(latency) => path.latency = latency,
                Trait::Fault(fault) => path.fault = Some(fault),
                Trait::StalledUntil(time) => path.stalled_until = time,
                Trait::Window(window) => path.window = window,
            }
        }
        path
    }

    fn write(&self, output: &mut Writer<'_>) {
        let default = Self::default();
        let Self { latency, cuts, window, stalled_until, fault } = self;
        let particulars = [
            (*cuts != default.cuts).then(|| Trait::Cuts(cuts.clone())),
            (*latency != default.latency).then_some(Trait::Latency(*latency)),
            fault.map(Trait::Fault),
            (*stalled_until != default.stalled_until).then_some(Trait::StalledUntil(*stalled_until)),
            (*window != default.window).then_some(Trait::Window(*window)),
        ];
        particulars.into_iter().flatten().collect::<Vec<_>>().write(output);
    }
}

choice!(ExpectedOutcome {
    Served { 0: route },
    Stalled { 0: waiting_for },
    Refused,
    Misrouted,
    Unsupported,
});

choice!(WaitingFor { Settings, Headers, Response, SettingsAck, Close, Bytes, TlsHandshake });

impl Listed for Expectation {
    fn read_next(input: &mut Reader<'_>) -> Option<Self> {
        let outcome = ExpectedOutcome::read_next(input)?;
        Some(Self { outcome, at: ByteForm::read(input), client: ByteForm::read(input) })
    }

    fn write_next(&self, output: &mut Writer<'_>) {
        let Self { client, outcome, at } = self;
        outcome.write_next(output);
        at.write(output);
        client.write(output);
    }
}
