//! Clients: who they are, what they do, and what is particular to them.

use super::declare::{choice, listed_by_a_byte, record};
use super::{ByteForm, Listed, Reader, Writer};
use crate::clients::ClientSpec;
use crate::net::Offsets;
use crate::script::{
    Acknowledging, Action, AfterFailure, AfterLoss, Behaviour, Calls, Client, Hello, Occasion, Phase,
    TlsVersion, Transport, Trigger, WaitFrom, Who,
};
use crate::wire::StreamId;
use std::num::NonZeroU32;
use std::time::Duration;

/// The client that is meant where bytes name none.
const USUAL_CLIENT: &str = "grpc-go@1.33.3";

/// Something that differs from what clients do by default. The last of several of one kind counts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Particular {
    Cuts(Offsets),
    Acks(Acknowledging),
    Calls(Calls),
    Reaction(Occasion, Action),
    SettingsWithin(Duration),
    FailFast(String),
    AfterLoss(AfterLoss),
    AfterEarlyLoss(AfterLoss),
    AfterFailure(AfterFailure),
    FrameLimit(u32),
    FirstStream(StreamId),
    Tls(Hello),
    Tries(NonZeroU32),
    FixedPriorities,
}

choice!(Particular {
    Cuts { 0: offsets },
    Acks { 0: when },
    Calls { 0: calls },
    Reaction { 0: occasion, 1: action },
    SettingsWithin { 0: within },
    FailFast { 0: text },
    AfterLoss { 0: loss },
    AfterEarlyLoss { 0: loss },
    AfterFailure { 0: failure },
    FrameLimit { 0: limit },
    FirstStream { 0: stream },
    Tls { 0: hello },
    Tries { 0: tries },
    FixedPriorities,
});

choice!(Who { Scripted { 0: behaviour }, Catalogued { spec: spec, over: over } });
choice!(Transport { Tls, Cleartext });

record!(Calls { steps, finally, upgraded, unagreed });
record!(Occasion { trigger, phase, after_goaway, code });
record!(AfterFailure { wait, from });

choice!(Trigger {
    End,
    Reset,
    Timeout,
    Http1,
    NotSettings,
    Protocol,
    GoAway,
    Unprocessed,
    ResetStream,
    Status,
    HttpStatus,
    ContentType,
    NoAlpn,
    Alert,
    NotTls,
    Deadline,
});

choice!(Phase { Connecting, Call, Writing, Idle, Securing });
choice!(TlsVersion { Tls13, Tls12, Tls11, Tls10 });
record!(Hello { alpn, sni, versions, rsa_alone, authority });
choice!(Action { Fail { 0: texts }, Retry { 0: text }, Ignore, Later, FailAtDeadline { 0: texts } });
choice!(AfterLoss { Connect, Idle, Blink, Wait { 0: wait, 1: from } });
choice!(Acknowledging { Never, Late, AtOnce });
choice!(WaitFrom { End, Start });

/// Who it is comes before what it is called: a name says least.
impl Listed for Client {
    fn read_next(input: &mut Reader<'_>) -> Option<Self> {
        let who = Who::read_next(input)?;
        Some(Self { name: ByteForm::read(input), who })
    }

    fn write_next(&self, output: &mut Writer<'_>) {
        let Self { name, who } = self;
        who.write_next(output);
        name.write(output);
    }
}

impl ByteForm for Behaviour {
    fn read(input: &mut Reader<'_>) -> Self {
        let mut behaviour = Self { connect: ByteForm::read(input), ..Self::default() };
        for particular in Vec::read(input) {
            behaviour.take(particular);
        }
        behaviour
    }

    fn write(&self, output: &mut Writer<'_>) {
        self.connect.write(output);
        self.particulars().write(output);
    }
}

impl Behaviour {
    fn take(&mut self, particular: Particular) {
        match particular {
            Particular::Cuts(offsets) => self.cuts = offsets,
            Particular::Acks(when) => self.acknowledges = when,
            Particular::Calls(calls) => self.calls = Some(calls),
            Particular::Reaction(occasion, action) => drop(self.reactions.insert(occasion, action)),
            Particular::SettingsWithin(within) => self.settings_within = Some(within),
            Particular::FailFast(text) => self.fail_fast = Some(text),
            Particular::AfterLoss(loss) => self.after_loss = loss,
            Particular::AfterEarlyLoss(loss) => self.after_early_loss = Some(loss),
            Particular::AfterFailure(failure) => self.after_failure = failure,
            Particular::FrameLimit(limit) => self.frame_limit = limit,
            Particular::FirstStream(stream) => self.first_stream = stream,
            Particular::Tls(hello) => self.tls = Some(hello),
            Particular::Tries(tries) => self.tries = tries,
            Particular::FixedPriorities => self.fixed_priorities = true,
        }
    }

    fn particulars(&self) -> Vec<Particular> {
        let default = Self::default();
        let Self {
            tls,
            cuts,
            acknowledges,
            fixed_priorities,
            frame_limit,
            settings_within,
            first_stream,
            connect: _,
            calls,
            reactions,
            fail_fast,
            after_loss,
            after_early_loss,
            after_failure,
            tries,
        } = self;
        let mut particulars = vec![
            (*cuts != default.cuts).then(|| Particular::Cuts(cuts.clone())),
            (*acknowledges != default.acknowledges).then_some(Particular::Acks(*acknowledges)),
            fixed_priorities.then_some(Particular::FixedPriorities),
            (*frame_limit != default.frame_limit).then_some(Particular::FrameLimit(*frame_limit)),
            settings_within.map(Particular::SettingsWithin),
            (*first_stream != default.first_stream).then_some(Particular::FirstStream(*first_stream)),
            calls.clone().map(Particular::Calls),
            fail_fast.clone().map(Particular::FailFast),
            (*after_loss != default.after_loss).then_some(Particular::AfterLoss(*after_loss)),
            after_early_loss.map(Particular::AfterEarlyLoss),
            tls.clone().map(Particular::Tls),
            (*after_failure != default.after_failure).then_some(Particular::AfterFailure(*after_failure)),
            (*tries != default.tries).then_some(Particular::Tries(*tries)),
        ];
        let reactions = reactions.iter();
        particulars.extend(reactions.map(|(on, action)| Some(Particular::Reaction(*on, action.clone()))));
        particulars.into_iter().flatten().collect()
    }
}

impl ByteForm for ClientSpec {
    fn read(input: &mut Reader<'_>) -> Self {
        let named = String::read(input).parse();
        named.unwrap_or_else(|_| USUAL_CLIENT.parse().expect("it names a client"))
    }

    fn write(&self, output: &mut Writer<'_>) {
        self.to_string().write(output);
    }
}

/// The way from each to the next; a step of 0 ends them.
impl ByteForm for Offsets {
    fn read(input: &mut Reader<'_>) -> Self {
        let mut last: u64 = 0;
        let next = || {
            let step = Some(input.number()).filter(|step| *step > 0)?;
            last = last.checked_add(step)?;
            Some(last)
        };
        std::iter::from_fn(next).collect()
    }

    fn write(&self, output: &mut Writer<'_>) {
        let mut last = 0;
        for &offset in self.iter() {
            output.number(offset - last);
            last = offset;
        }
        output.end();
    }
}

listed_by_a_byte!(AfterFailure, ClientSpec);
