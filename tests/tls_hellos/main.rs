//! ClientHellos are read as rustls reads them, however their bytes are cut.
//!
//! The hellos are those of rustls clients with varied configurations and those in the recordings, of a dozen TLS
//! libraries; the oracle is `rustls::server::Acceptor`, asked by `muxbed::fuzzing::hello`. `errors` goes through what is no
//! hello, `hellos` has the hellos.

mod errors;
mod hellos;
#[path = "../properties/mod.rs"]
mod properties;

use muxbed::wire::tls::{ClientHello, HelloReader, Progress, TlsError};
use proptest::prelude::*;

use hellos::{made_by_rustls, recorded};
use muxbed::fuzzing;
use properties::cases;

/// What reading in these pieces comes to: the hello with its length, nothing if more is needed, or why not.
fn read<'b>(pieces: impl IntoIterator<Item = &'b [u8]>) -> Result<Option<(ClientHello, u64)>, TlsError> {
    let mut reader = HelloReader::new();
    let mut last = Progress::NeedMore(5);
    for piece in pieces {
        last = reader.push(piece)?;
    }
    Ok(match last {
        Progress::NeedMore(_) => None,
        Progress::Complete(hello) => Some((*hello, reader.length())),
    })
}

/// Holds our reading against the Acceptor's.
fn agree(bytes: &[u8]) {
    fuzzing::hello(&[&[40], bytes].concat());
}

/// Feeds byte after byte, and looks that what is asked for is never more than what is then needed.
fn assert_asks_for_no_more_than_it_needs(name: &str, bytes: &[u8]) {
    let mut reader = HelloReader::new();
    let mut asked = Vec::new();
    for (have, byte) in bytes.iter().enumerate() {
        match reader.push(&[*byte]) {
            Ok(Progress::NeedMore(more)) => asked.push(have + 1 + more),
            Ok(Progress::Complete(_)) => {
                assert_eq!(have + 1, bytes.len(), "{name} is complete with its last byte");
                assert_eq!(reader.length(), bytes.len() as u64);
            }
            Err(error) => panic!("{name}: {error}"),
        }
    }
    assert_eq!(asked.len() + 1, bytes.len(), "{name} is complete");
    assert!(asked.iter().all(|&wanted| wanted <= bytes.len()), "{name}: {asked:?}");
}

/// Feeds just what is asked for; gives how often something was.
fn rounds(name: &str, bytes: &[u8]) -> usize {
    let mut reader = HelloReader::new();
    let (mut at, mut more, mut rounds) = (0, 1, 0);
    loop {
        rounds += 1;
        match reader.push(&bytes[at..at + more]) {
            Ok(Progress::NeedMore(next)) => (at, more) = (at + more, next),
            Ok(Progress::Complete(_)) => return rounds,
            Err(error) => panic!("{name}: {error}"),
        }
    }
}

#[test]
fn every_hello_is_read_as_the_acceptor_reads_it() {
    let all: Vec<_> = made_by_rustls().into_iter().chain(recorded()).collect();
    assert!(all.len() > 220, "{}", all.len());
    for (name, bytes) in &all {
        let (hello, length) = read([&bytes[..]]).unwrap().unwrap_or_else(|| panic!("{name} is incomplete"));
        assert_eq!(length, bytes.len() as u64, "{name}");
        assert!(!hello.cipher_suites.is_empty(), "{name}");
        agree(bytes);
    }
}

#[test]
fn it_is_complete_with_the_same_byte_as_for_the_acceptor_and_asks_for_no_more() {
    for (name, bytes) in made_by_rustls().into_iter().chain(recorded()) {
        assert_asks_for_no_more_than_it_needs(&name, &bytes);
        agree(&bytes[..bytes.len() - 1]);
        let records = rounds(&name, &bytes);
        assert!(records < 6 || name.contains("in many records"), "{name} took {records} rounds");
    }
}

#[test]
fn a_hello_cut_at_any_offset_is_the_same_hello() {
    for (name, bytes) in made_by_rustls().into_iter().chain(recorded()) {
        let whole = read([&bytes[..]]).unwrap();
        let step = bytes.len() / 4096 + 1;
        for cut in (0..=bytes.len()).step_by(step) {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(read([first, second]).unwrap(), whole, "{name} cut at {cut}");
        }
        assert_eq!(read(bytes.chunks(1)).unwrap(), whole, "{name} byte by byte");
    }
}

#[test]
fn what_recorded_clients_offer_is_told() {
    let hello_of = |start: &str| {
        let (_, bytes) =
            recorded().into_iter().find(|(name, _)| name.starts_with(start)).expect("a recording");
        read([&bytes[..]]).unwrap().expect("it is whole").0
    };
    let versions = |hello: &ClientHello| hello.versions().iter().map(ToString::to_string).collect::<Vec<_>>();
    let go = hello_of("grpc-go-1.33.3__tls-direct");
    assert_eq!(go.server_name.as_deref(), Some("muxbed.test"));
    assert_eq!(go.alpn, ["h2"]);
    assert!(versions(&go).contains(&"TLS 1.3".to_owned()), "{:?}", versions(&go));
    let jdk = hello_of("java-net-http-17.0.15-default__tls-direct");
    assert_eq!(jdk.server_name, None);
    assert_eq!(jdk.alpn, ["h2", "http/1.1"]);
}

#[test]
fn bytes_after_the_hello_change_nothing() {
    let (_, bytes) = made_by_rustls().remove(0);
    let whole = read([&bytes[..]]).unwrap();
    let more = [&bytes[..], &[20, 3, 3, 0, 1, 1], b"GET /"].concat();
    assert_eq!(read([&more[..]]).unwrap(), whole);
    assert_eq!(read([&bytes[..], b"GET /"]).unwrap(), whole);
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn any_bytes_give_the_same_answer_however_they_are_cut(
        bytes in prop::collection::vec(any::<u8>(), 0..80),
        start in prop::sample::select(vec![&b""[..], &[22], &[22, 3, 1, 0, 60, 1], &[22, 3, 1, 0, 2], &[0x80]]),
        cut in any::<prop::sample::Index>(),
    ) {
        let bytes = [start, &bytes].concat();
        let (first, second) = bytes.split_at(cut.index(bytes.len() + 1));
        let whole = read([&bytes[..]]);
        prop_assert_eq!(&read([first, second]), &whole);
        prop_assert_eq!(&read(bytes.chunks(1)), &whole);
    }

    #[test]
    fn a_damaged_hello_is_taken_if_the_acceptor_takes_it(
        choice in any::<prop::sample::Index>(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 1..4),
        size in 0..=u8::MAX,
    ) {
        let hellos = hellos::small();
        let (_, mut bytes) = hellos[choice.index(hellos.len())].clone();
        for (place, byte, kind) in changes {
            let place = place.index(bytes.len());
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                _ => { bytes.remove(place); }
            }
        }
        bytes.insert(0, size);
        fuzzing::hello(&bytes);
    }
}
