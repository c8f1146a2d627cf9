//! Scripts made up field by field, and bytes of which scripts are made.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use muxbed::clients::ClientSpec;
use muxbed::net::{Cuts, Fault, Network, Offsets, Path, Unread};
use muxbed::outcome::WaitingFor;
use muxbed::script::{
    Acknowledging, Action, AfterFailure, AfterLoss, Awaited, Behaviour, Calls, Client, Expectation,
    ExpectedOutcome, FieldLine, FieldList, HeaderList, Hello, Item, Occasion, OneOrMore, Phase, Script, Step,
    StreamReference, TlsVersion, Transport, Trigger, WaitFrom, Who,
};
use muxbed::servers::{BackEnd, Front, Security, ServerName};
use muxbed::wire::hpack::{Huffman, Indexing, NameSource, Policy, StaticEntry};
use muxbed::wire::{
    ErrorCode, FrameKind, Increment, Payload, Priority, RawFrame, Setting, SettingId, StreamId,
};
use proptest::array::uniform8;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

/// Any script at all.
pub(crate) fn script() -> impl Strategy<Value = Script> {
    let lists = btree_map(text(), vec(field_line(), 0..4), 0..3);
    let network = (path(), path(), select(vec![Unread::Kept, Unread::Lost]));
    let rest = (option::of(server()), network, vec(expectation(), 0..3), vec(spec(), 0..2));
    (lists.prop_flat_map(clients), rest).prop_map(
        |((field_lists, clients), (server, (to_server, to_client, unread), expectations, afterwards))| {
            Script {
                field_lists,
                clients,
                server,
                network: Network { to_server, to_client, unread },
                expectations,
                afterwards,
            }
        },
    )
}

/// Bytes, most of them small, as those of scripts are.
pub(crate) fn bytes() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![6 => 0..14_u8, 1 => any::<u8>()], 0..600)
}

fn clients(lists: BTreeMap<String, Vec<FieldLine>>) -> impl Strategy<Value = (Vec<FieldList>, Vec<Client>)> {
    let names: Vec<String> = lists.keys().cloned().collect();
    let lists: Vec<FieldList> = lists.into_iter().map(|(name, lines)| FieldList { name, lines }).collect();
    let who = prop_oneof![
        4 => behaviour(&names).prop_map(|behaviour| Who::Scripted(Box::new(behaviour))),
        1 => (spec(), option::of(select(vec![Transport::Tls, Transport::Cleartext])))
            .prop_map(|(spec, over)| Who::Catalogued { spec, over }),
    ];
    let client = (text(), who).prop_map(|(name, who)| Client { name, who });
    (Just(lists), vec(client, 0..3))
}

fn spec() -> impl Strategy<Value = ClientSpec> {
    let text =
        "[a-z][a-z0-9-]{0,6}@[0-9]\\.[0-9a-z-]{0,4}(/[a-z0-9-]{1,5})?(\\+[A-Z_]{1,5}=[a-z=@/.#]{0,5}){0,2}";
    text.prop_map(|text| text.parse().expect("it names a client"))
}

fn behaviour(names: &[String]) -> impl Strategy<Value = Behaviour> + use<> {
    let calls =
        (vec(step(names), 0..4), vec(step(names), 0..3), vec(step(names), 0..3), vec(step(names), 0..3));
    let calls = option::of(calls.prop_map(|(steps, upgraded, finally, unagreed)| Calls {
        steps,
        upgraded,
        finally,
        unagreed,
    }));
    let ladder = (vec(step(names), 0..8), calls, offsets(), acknowledging());
    let channel = (
        option::of(text()),
        after_loss(),
        option::of(after_loss()),
        (duration(), wait_from()),
        btree_map(occasion(), action(), 0..5),
    );
    let tries = prop_oneof![Just(NonZeroU32::MIN), any::<NonZeroU32>()];
    let limits = (prop_oneof![Just(16_384), any::<u32>()], option::of(duration()), stream_id(), tries);
    let limits = (limits, option::of(hello()), any::<bool>());
    (ladder, channel, limits).prop_map(|(ladder, channel, limits)| {
        let (connect, calls, cuts, acknowledges) = ladder;
        let (fail_fast, after_loss, after_early_loss, (wait, from), reactions) = channel;
        let ((frame_limit, settings_within, first_stream, tries), tls, fixed_priorities) = limits;
        Behaviour {
            tls,
            cuts,
            acknowledges,
            fixed_priorities,
            frame_limit,
            settings_within,
            first_stream,
            connect,
            calls,
            reactions,
            fail_fast,
            after_loss,
            after_early_loss,
            after_failure: AfterFailure { wait, from },
            tries,
        }
    })
}

fn hello() -> impl Strategy<Value = Hello> {
    let versions = vec![TlsVersion::Tls10, TlsVersion::Tls11, TlsVersion::Tls12, TlsVersion::Tls13];
    let versions = (select(versions.clone()), vec(select(versions), 0..3));
    (vec(text(), 0..3), option::of(text()), versions, any::<bool>(), option::of(text())).prop_map(
        |(alpn, sni, (first, rest), rsa_alone, authority)| Hello {
            alpn,
            sni,
            versions: OneOrMore::new(first, rest),
            rsa_alone,
            authority,
        },
    )
}

fn step(names: &[String]) -> impl Strategy<Value = Step> + use<> {
    let items = || (item(names), vec(item(names), 0..3));
    prop_oneof![
        4 => items().prop_map(|(first, rest)| Step::Send(OneOrMore::new(first, rest))),
        1 => items().prop_map(|(first, rest)| Step::Hold(OneOrMore::new(first, rest))),
        4 => (awaited(), option::of(duration()), option::of(text()))
            .prop_map(|(what, within, otherwise)| Step::Await { what, within, otherwise }),
        1 => duration().prop_map(Step::Wait),
        1 => select(vec![Step::HalfClose, Step::Close, Step::Reset, Step::Silent]),
    ]
}

fn item(names: &[String]) -> impl Strategy<Value = Item> + use<> {
    let setting =
        (any::<u16>(), any::<u32>()).prop_map(|(id, value)| Setting { id: SettingId::from(id % 12), value });
    let frame = (any::<u8>(), any::<u8>(), any::<bool>(), stream_id(), octets());
    prop_oneof![
        Just(Item::Preface),
        vec(setting, 0..3).prop_map(Item::Settings),
        Just(Item::SettingsAck),
        (stream(), any::<bool>(), header_list(names)).prop_map(|(stream, end, list)| Item::Headers {
            stream,
            end,
            list
        }),
        (stream(), any::<bool>(), place(), header_list(names))
            .prop_map(|(stream, end, priority, list)| Item::PlacedHeaders { stream, end, priority, list }),
        header_list(names).prop_map(Item::Request),
        (stream(), any::<bool>(), octets()).prop_map(|(stream, end, bytes)| Item::Data {
            stream,
            end,
            bytes
        }),
        (stream(), 0..=u32::from(Increment::MAX)).prop_map(|(stream, increment)| {
            Item::WindowUpdate { stream, increment: Increment::new(increment).expect("it has 31 bits") }
        }),
        (any::<bool>(), uniform8(any::<u8>())).prop_map(|(ack, payload)| Item::Ping { ack, payload }),
        (stream_id(), error_code(), octets()).prop_map(|(last, code, debug)| Item::GoAway {
            last,
            code,
            debug
        }),
        (stream(), error_code()).prop_map(|(stream, code)| Item::ResetStream { stream, code }),
        (stream(), place()).prop_map(|(stream, priority)| Item::Priority { stream, priority }),
        frame.prop_map(|(kind, flags, reserved, stream, payload)| {
            let payload = Payload::new(payload).expect("it is short");
            Item::Frame(RawFrame { kind: FrameKind::from(kind % 12), flags, reserved, stream, payload })
        }),
        octets().prop_map(Item::Raw),
        "[ -~\r\n\t]{0,20}".prop_map(|text| Item::Raw(text.into())),
    ]
}

fn place() -> impl Strategy<Value = Priority> {
    (any::<bool>(), stream_id(), any::<u8>()).prop_map(|(exclusive, dependency, weight)| Priority {
        exclusive,
        dependency,
        weight,
    })
}

fn header_list(names: &[String]) -> BoxedStrategy<HeaderList> {
    let others = prop_oneof![
        text().prop_map(HeaderList::Grpc),
        "/[a-zA-Z.]{0,6}".prop_map(HeaderList::Grpc),
        text().prop_map(HeaderList::Get),
        octets().prop_map(HeaderList::Block),
    ];
    if names.is_empty() {
        return others.boxed();
    }
    let named = select(names.to_vec()).prop_map(|name| HeaderList::Named(name.into()));
    prop_oneof![others, named].boxed()
}

fn field_line() -> impl Strategy<Value = FieldLine> {
    let huffman = || select(vec![Huffman::WhenShorter, Huffman::Always, Huffman::Never]);
    let source = select(vec![
        NameSource::FromTable(StaticEntry::First),
        NameSource::FromTable(StaticEntry::Last),
        NameSource::Spelled,
    ]);
    let indexing = select(vec![Indexing::Incremental, Indexing::Without, Indexing::Never]);
    let policy = (any::<bool>(), indexing, source, huffman(), huffman());
    (text(), text(), policy).prop_map(|(name, value, policy)| {
        let (indexed_when_known, indexing, source, name_huffman, value_huffman) = policy;
        let policy = Policy { indexed_when_known, indexing, name: source, name_huffman, value_huffman };
        FieldLine { name, value, policy }
    })
}

fn awaited() -> impl Strategy<Value = Awaited> {
    prop_oneof![
        select(vec![
            Awaited::Settings,
            Awaited::SettingsOrAck,
            Awaited::SettingsAck,
            Awaited::GoAway,
            Awaited::PingAck,
            Awaited::Http1,
            Awaited::Close,
        ]),
        stream().prop_map(Awaited::Headers),
        stream().prop_map(Awaited::End),
        stream().prop_map(Awaited::ResetStream),
        any::<u64>().prop_map(Awaited::Bytes),
    ]
}

fn occasion() -> impl Strategy<Value = Occasion> {
    let triggers = vec![
        Trigger::End,
        Trigger::Reset,
        Trigger::Http1,
        Trigger::NotSettings,
        Trigger::Protocol,
        Trigger::GoAway,
        Trigger::Unprocessed,
        Trigger::ResetStream,
        Trigger::Status,
        Trigger::HttpStatus,
        Trigger::ContentType,
        Trigger::NoAlpn,
        Trigger::Alert,
        Trigger::NotTls,
        Trigger::Timeout,
        Trigger::Deadline,
    ];
    let phases = vec![Phase::Securing, Phase::Writing, Phase::Connecting, Phase::Idle, Phase::Call];
    (select(triggers), option::of(select(phases)), any::<bool>(), option::of(error_code()))
        .prop_map(|(trigger, phase, after_goaway, code)| Occasion { trigger, phase, after_goaway, code })
}

fn acknowledging() -> impl Strategy<Value = Acknowledging> {
    select(vec![Acknowledging::AtOnce, Acknowledging::Late, Acknowledging::Never])
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        (text(), vec(text(), 0..3)).prop_map(|(first, rest)| Action::Fail(OneOrMore::new(first, rest))),
        option::of(text()).prop_map(Action::Retry),
        select(vec![Action::Ignore, Action::Later]),
    ]
}

fn after_loss() -> impl Strategy<Value = AfterLoss> {
    prop_oneof![
        select(vec![AfterLoss::Connect, AfterLoss::Blink, AfterLoss::Idle]),
        (duration(), wait_from()).prop_map(|(wait, from)| AfterLoss::Wait(wait, from)),
    ]
}

fn wait_from() -> impl Strategy<Value = WaitFrom> {
    select(vec![WaitFrom::Start, WaitFrom::End])
}

fn path() -> impl Strategy<Value = Path> {
    let cuts = prop_oneof![
        Just(Cuts::AsWritten),
        Just(Cuts::EveryByte),
        size().prop_map(Cuts::Segment),
        offsets().prop_map(Cuts::At),
    ];
    let fault = prop_oneof![
        any::<u64>().prop_map(|after| Fault::BlackHole { after }),
        any::<u64>().prop_map(|after| Fault::Reset { after }),
        any::<u64>().prop_map(|after| Fault::End { after }),
    ];
    let changed = (duration(), cuts, size(), duration(), option::of(fault)).prop_map(
        |(latency, cuts, window, stalled_until, fault)| Path { latency, cuts, window, stalled_until, fault },
    );
    prop_oneof![1 => Just(Path::default()), 2 => changed]
}

fn size() -> impl Strategy<Value = NonZeroUsize> {
    any::<NonZeroUsize>()
}

fn offsets() -> impl Strategy<Value = Offsets> {
    vec(prop_oneof![3 => 0..70_u64, 1 => any::<u64>()], 0..4).prop_map(Offsets::from_iter)
}

fn server() -> impl Strategy<Value = ServerName> {
    let security =
        select(vec![Security::Cleartext, Security::Tls, Security::TlsWithoutAlpn, Security::TlsOptional]);
    (security, select(Front::ALL.to_vec()), select(BackEnd::ALL.to_vec())).prop_map(
        |(security, front, back_end)| {
            let back_end = if front.has_back_end() { back_end } else { BackEnd::default() };
            ServerName { security, front, back_end }
        },
    )
}

fn expectation() -> impl Strategy<Value = Expectation> {
    let waiting_for = select(vec![
        WaitingFor::Settings,
        WaitingFor::Headers,
        WaitingFor::SettingsAck,
        WaitingFor::Response,
        WaitingFor::TlsHandshake,
        WaitingFor::Bytes,
        WaitingFor::Close,
    ]);
    let outcome = prop_oneof![
        option::of(text()).prop_map(ExpectedOutcome::Served),
        option::of(waiting_for).prop_map(ExpectedOutcome::Stalled),
        select(vec![ExpectedOutcome::Refused, ExpectedOutcome::Misrouted, ExpectedOutcome::Unsupported]),
    ];
    (option::of(text()), outcome, option::of(duration())).prop_map(|(client, outcome, at)| Expectation {
        client,
        outcome,
        at,
    })
}

fn stream() -> impl Strategy<Value = StreamReference> {
    prop_oneof![Just(StreamReference::OfCall), stream_id().prop_map(StreamReference::Number)]
}

fn stream_id() -> impl Strategy<Value = StreamId> {
    prop_oneof![0..5_u32, 0..=u32::from(StreamId::MAX)]
        .prop_map(|number| StreamId::new(number).expect("it has 31 bits"))
}

fn error_code() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![0..16_u32, any::<u32>()].prop_map(ErrorCode::from)
}

fn duration() -> impl Strategy<Value = Duration> {
    let whole = (0..100_u64, select(vec![1, 1_000, 1_000_000, 1_000_000_000_u64]));
    prop_oneof![whole.prop_map(|(count, unit)| count * unit), any::<u64>()].prop_map(Duration::from_nanos)
}

fn octets() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 0..12).prop_map(Bytes::from)
}

/// Texts with everything that could be taken for something else.
fn text() -> impl Strategy<Value = String> {
    let odd = vec![
        '"',
        '\\',
        ',',
        '#',
        ' ',
        '\t',
        '\r',
        '\n',
        '\0',
        '\u{1b}',
        '\u{7f}',
        '\u{85}',
        '\u{a0}',
        '\u{2028}',
        'x',
        '0',
        'e',
        'n',
        'd',
        '>',
        '<',
        'é',
        '\u{fffd}',
        '\u{10ffff}',
    ];
    prop_oneof![
        "[a-z/.-]{1,8}",
        vec(prop_oneof![select(odd), any::<char>()], 0..6).prop_map(String::from_iter),
    ]
}
