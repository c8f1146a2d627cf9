//! One meeting of an exploration: a good client on a network that only delays and cuts, and perhaps a stranger who connects at the
//! same time and does anything.
//!
//! It is a script, so that whatever is found can be read. As bytes it is a good client's number, the two directions of the
//! network, and then the script in which the stranger is written out; any bytes are some meeting, and none are the first client
//! alone on a network that does nothing.

use std::sync::LazyLock;
use std::time::Duration;

use crate::clients::ClientSpec;
use crate::draw::Draw;
use crate::net::{Cuts, Network, Path};
use crate::script::bytes::{ByteForm, Reader, Writer};
use crate::script::{Client, Script, Who};

/// The most that a direction of the network delays: far less than any client's patience.
const LONGEST_DELAY: u64 = 100;

/// The name of the good client in its script.
pub(super) const GUEST: usize = 0;

/// The meeting that these bytes are. `guests` are the clients that ought to be served, at least one.
pub(super) fn from_bytes(bytes: &[u8], guests: &[ClientSpec]) -> Script {
    let mut input = Reader::new(bytes);
    let guest = (input.number() % guests.len() as u64) as usize;
    let [to_server, to_client] = [(), ()].map(|()| tamed(ByteForm::read(&mut input)));
    let mut script = Script::from_bytes(input.take(u64::MAX));
    script.clients.retain(|client| matches!(client.who, Who::Scripted(_)));
    script.clients.truncate(1);
    let spec = guests[guest].clone();
    let who = Who::Catalogued { spec: spec.clone(), over: None };
    script.clients.insert(GUEST, Client { name: spec.to_string(), who });
    if script.clients.len() == 1 {
        script.field_lists.clear();
    }
    Script {
        server: None,
        expectations: Vec::new(),
        network: Network { to_server, to_client, ..Network::default() },
        ..script
    }
}

/// The bytes of the meeting that a seed draws for this number.
pub(super) fn drawn(seed: u64, number: u64) -> Vec<u8> {
    let mut draw = Draw::for_number(seed, number);
    let mut output = Writer::new(&[]);
    output.number(draw.below(1 << 16));
    for _ in 0..2 {
        path(&mut draw).write(&mut output);
    }
    if draw.below(2) == 1 {
        output.octets(&stranger(&mut draw));
    }
    output.into_bytes()
}

/// A direction without what no server can make good.
fn tamed(path: Path) -> Path {
    let latency = Duration::from_millis(path.latency.as_millis() as u64 % (LONGEST_DELAY + 1));
    Path { latency, cuts: path.cuts, ..Path::default() }
}

fn path(draw: &mut Draw) -> Path {
    let cuts = match draw.below(4) {
        0 => Cuts::AsWritten,
        1 => Cuts::EveryByte,
        2 => Cuts::At((0..=draw.below(3)).map(|_| 1 + draw.below(300)).collect()),
        _ => Cuts::Segment(std::num::NonZeroUsize::MIN.saturating_add(draw.below(40) as usize)),
    };
    let latency = if draw.below(2) == 0 { 0 } else { draw.below(LONGEST_DELAY + 1) };
    Path { cuts, latency: Duration::from_millis(latency), ..Path::default() }
}

/// A ladder that somebody might climb, with a few of its bytes changed.
fn stranger(draw: &mut Draw) -> Vec<u8> {
    let mut bytes = LADDERS[draw.below(LADDERS.len() as u64) as usize].clone();
    for _ in 0..draw.below(5) {
        let place = draw.below(bytes.len() as u64 + 1) as usize;
        match draw.below(3) {
            0 => bytes.insert(place, draw.below(256) as u8),
            1 if place < bytes.len() => drop(bytes.remove(place)),
            _ if place < bytes.len() => bytes[place] = draw.below(256) as u8,
            _ => bytes.truncate(draw.below(bytes.len() as u64 + 1) as usize),
        }
    }
    bytes
}

/// Those who wait, those who don't, those of another protocol, those who say nothing and those who leave.
static LADDERS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let steps = [
        "> preface, settings\n< settings within 1s\n> settings ack, headers 1 grpc /a.B/C, data 1 end 0000000000\n< end 1 within 1s",
        "> preface\n> settings, headers 1 grpc /a.B/C, data 1 end 0000000000\n< end 1 within 1s\nclose",
        "> preface, settings\nhalf-close",
        "> raw \"GET / HTTP/1.1\\r\\nhost: a\\r\\n\\r\\n\"\n< bytes 1 within 1s\nclose",
        "> raw \"PRI\"\nsilent",
        "> hex 160301\nreset",
        "silent",
        "> preface, settings, ping 0102030405060708\nreset",
    ];
    let scripts = steps.iter().map(|steps| {
        let text = format!("client \"stranger\"\n  {}\n", steps.replace('\n', "\n  "));
        Script::parse("stranger", &text).unwrap_or_else(|error| panic!("it is well formed: {error}"))
    });
    scripts.map(|script| script.to_bytes()).collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    fn guests() -> Vec<ClientSpec> {
        ["grpc-go@1.33.3", "grpcio@1.44.0"].map(|spec| spec.parse().expect("it is a client")).to_vec()
    }

    #[test]
    fn nothing_is_the_first_client_alone_on_a_network_that_does_nothing() {
        let script = from_bytes(&[], &guests());
        assert_eq!(script.clients.len(), 1);
        assert_eq!(script.clients[GUEST].name, "grpc-go@1.33.3");
        assert_eq!(script.network, Network::default());
    }

    #[test]
    fn a_seed_draws_meetings_that_differ_and_can_be_read() {
        let texts: Vec<String> =
            (0..200).map(|number| from_bytes(&drawn(7, number), &guests()).to_string()).collect();
        for text in &texts {
            Script::parse("meeting", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
        }
        let different: std::collections::BTreeSet<&String> = texts.iter().collect();
        assert!(different.len() > 190, "{}", different.len());
        assert!(texts.iter().any(|text| text.contains("stranger")));
    }
}
