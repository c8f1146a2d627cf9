//! The target `hello`: our reader of ClientHellos beside rustls' `Acceptor`, and beside itself with the bytes cut.
//!
//! rustls looks at more than is read here, as a server that has to answer; and at two things less: it gives unprotected
//! records the room of protected ones, and it takes one whose version is that of DTLS or SSL 2.0, since it knows these. It
//! waits for a whole record where the first bytes tell already that no hello comes; and it refuses sooner what may be a hello
//! of SSL 2.0: only to name that, its first five bytes are read here.

use std::io::Cursor;
use std::net::IpAddr;

use rustls::InvalidMessage as Message;
use rustls::server::Acceptor;

use crate::wire::tls::{ClientHello, HelloReader, Progress, TlsError};

/// The first bytes of a record's version that rustls does not refuse beside TLS' 3: those of SSL 2.0 and of DTLS.
///
/// Here neither is a record over TCP (RFC 8446, section 5.1; RFC 9147, section 4 has another header behind it).
const OTHER_MAJORS: [u8; 2] = [0x00, 0xfe];

/// The extension `encrypted_client_hello` (RFC 9849, section 5).
const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;

/// Takes the first byte for the size of pieces, and the rest for the beginning of a connection.
///
/// # Panics
///
/// If the answer depends on the cuts; if rustls reads something else than is read here, or refuses a hello's form that is
/// taken here, or the other way round.
pub fn hello(bytes: &[u8]) {
    let Some((&size, bytes)) = bytes.split_first() else { return };
    let ours = read([bytes]);
    for size in [usize::from(size.max(1)), 1] {
        assert_eq!(read(bytes.chunks(size)), ours, "it depends on the cuts: pieces of {size}");
    }
    if let Ok(None) = ours {
        asks_for_no_more_than_it_needs(bytes);
    }
    // What follows a hello is nobody's business here, and rustls' if it has come.
    let end = ours.as_ref().ok().and_then(Option::as_ref).map_or(bytes.len(), |(_, length)| *length as usize);
    match (accepted(&bytes[..end]), &ours) {
        (Ok(Some(theirs)), Ok(Some((hello, _)))) => theirs.assert_same(hello),
        (Ok(Some(_)), Err(TlsError::RecordTooLong { .. })) => {}
        (Ok(Some(_)), Err(TlsError::NotTls { byte, place: 1 })) if OTHER_MAJORS.contains(byte) => {}
        (Ok(Some(_)), ours) => panic!("only rustls takes it: {ours:?}"),
        (Ok(None), Ok(Some(_))) => panic!("rustls wants more"),
        (Ok(None), Ok(None) | Err(_)) | (Err(_), Err(_)) => {}
        (Err(_), Ok(None)) if bytes[0] >= 0x80 && bytes.len() < 5 => {}
        (Err(error), Ok(ours)) => {
            let allowed = |(hello, _): &(ClientHello, u64)| is_about_more_than_is_read_here(&error, hello);
            assert!(ours.as_ref().is_some_and(allowed), "only rustls refuses it: {error}");
        }
    }
}

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

/// What it asks for at any point must be more than has come by the end, since it is not complete then.
fn asks_for_no_more_than_it_needs(bytes: &[u8]) {
    let mut reader = HelloReader::new();
    for byte in bytes {
        if let Ok(Progress::NeedMore(more)) = reader.push(&[*byte]) {
            assert!(more > 0, "it asks for nothing");
        }
    }
}

/// What the Acceptor makes known of a hello.
struct Accepted {
    server_name: Option<String>,
    alpn: Vec<Vec<u8>>,
    suites: Vec<u16>,
}

impl Accepted {
    fn assert_same(&self, ours: &ClientHello) {
        // rustls gives names in small letters and without a dot at the end, and none for one that is an address.
        let name = ours.server_name.as_ref().map(|name| name.to_ascii_lowercase());
        let name = name.map(|name| name.strip_suffix('.').map_or(name.clone(), str::to_owned));
        let is_address = name.as_ref().is_some_and(|name| name.parse::<IpAddr>().is_ok());
        if !(is_address && self.server_name.is_none()) {
            assert_eq!(name, self.server_name);
        }
        assert_eq!(ours.alpn, self.alpn);
        let suites: Vec<u16> = ours.cipher_suites.iter().map(|suite| (*suite).into()).collect();
        assert_eq!(suites, self.suites);
    }
}

/// What the Acceptor makes of these bytes: nothing if it wants more.
fn accepted(bytes: &[u8]) -> Result<Option<Accepted>, rustls::Error> {
    let mut acceptor = Acceptor::default();
    let mut rest = Cursor::new(bytes);
    loop {
        let read = acceptor.read_tls(&mut rest).expect("it is memory");
        match acceptor.accept() {
            Ok(Some(accepted)) => {
                let hello = accepted.client_hello();
                return Ok(Some(Accepted {
                    server_name: hello.server_name().map(str::to_owned),
                    alpn: hello.alpn().into_iter().flatten().map(<[u8]>::to_vec).collect(),
                    suites: hello.cipher_suites().iter().map(|suite| (*suite).into()).collect(),
                }));
            }
            Ok(None) if read == 0 => return Ok(None),
            Ok(None) => {}
            Err((error, _)) => return Err(error),
        }
    }
}

/// Whether the Acceptor refused for something that a reader of hellos does not look at: an extension's content that is of
/// no use here, or what rustls as a server does not like.
fn is_about_more_than_is_read_here(error: &rustls::Error, hello: &ClientHello) -> bool {
    match error {
        rustls::Error::PeerIncompatible(_) | rustls::Error::PeerMisbehaved(_) => true,
        // It says of an Encrypted Client Hello what it says of a record: that it is of no kind that there is.
        rustls::Error::InvalidMessage(Message::InvalidContentType) => {
            hello.extensions.contains(&ENCRYPTED_CLIENT_HELLO)
        }
        rustls::Error::InvalidMessage(message) => !matches!(
            message,
            Message::InvalidEmptyPayload
                | Message::UnknownProtocolVersion
                | Message::MessageTooLarge
                | Message::HandshakePayloadTooLarge
                | Message::DuplicateExtension(_)
        ),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A hello that both take, without the byte in front that gives the size of pieces and without what follows it.
    fn hello() -> Vec<u8> {
        let bytes = &include_bytes!("../../corpus/hello/a-name-that-ends-in-a-dot")[1..];
        let (_, length) = read([bytes]).expect("it is a hello").expect("it is whole");
        bytes[..length as usize].to_vec()
    }

    fn only_rustls_takes(bytes: &[u8]) -> TlsError {
        assert!(matches!(accepted(bytes), Ok(Some(_))), "rustls refuses it too: take it off the list");
        read([bytes]).expect_err("it is taken here too: take it off the list")
    }

    #[test]
    fn rustls_still_takes_records_that_say_dtls_or_ssl2() {
        for version in [[0xfe, 0xff], [0xfe, 0xfd], [0xfe, 0xfc], [0x00, 0x02]] {
            let mut bytes = hello();
            bytes[1..3].copy_from_slice(&version);
            let error = only_rustls_takes(&bytes);
            assert_eq!(error, TlsError::NotTls { byte: version[0], place: 1 });
        }
    }

    #[test]
    fn rustls_still_gives_unprotected_records_the_room_of_protected_ones() {
        let bytes = padded(17_000);
        assert!(matches!(only_rustls_takes(&bytes), TlsError::RecordTooLong { .. }));
    }

    #[test]
    fn rustls_still_refuses_sooner_what_may_be_a_hello_of_ssl2() {
        assert!(accepted(&[0x80, 0x2e, 1]).is_err());
        assert_eq!(read([&[0x80, 0x2e, 1][..]]), Ok(None));
    }

    #[test]
    fn rustls_still_says_of_an_encrypted_hello_of_no_kind_what_it_says_of_such_a_record() {
        let bytes = &include_bytes!("../../corpus/hello/an-encrypted-hello-of-no-kind")[1..];
        let (_, length) = read([bytes]).expect("it is a hello").expect("it is whole");
        let refused = accepted(&bytes[..length as usize]).err();
        assert_eq!(refused, Some(rustls::Error::InvalidMessage(Message::InvalidContentType)));
    }

    /// The hello with an extension of padding (RFC 7685) that makes its record so long.
    fn padded(length: usize) -> Vec<u8> {
        let mut bytes = hello();
        let padding = length + 5 - bytes.len() - 4;
        let session = 5 + 4 + 2 + 32;
        let suites = session + 1 + usize::from(bytes[session]);
        let compression = suites + 2 + usize::from(u16::from_be_bytes([bytes[suites], bytes[suites + 1]]));
        let extensions = compression + 1 + usize::from(bytes[compression]);
        bytes.extend_from_slice(&[0, 21]);
        bytes.extend_from_slice(&(padding as u16).to_be_bytes());
        bytes.resize(length + 5, 0);
        for (place, until) in [(3, 5), (7, 9), (extensions, extensions + 2)] {
            let rest = (bytes.len() - until) as u16;
            bytes[place..until].copy_from_slice(&rest.to_be_bytes());
        }
        bytes
    }
}
