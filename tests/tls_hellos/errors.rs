//! What is no ClientHello is refused with its name, and at the byte that shows it.

use muxbed::wire::tls::{ContentType, HandshakeKind, HelloPart, TlsError};

use super::hellos::small;
use super::read;

/// A hello with a session id and these extensions, in one record, its parts to be spoiled.
fn hello(extensions: &[u8]) -> Vec<u8> {
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[2, 0xaa, 0xbb],
        &[0, 4, 0x13, 0x01, 0xc0, 0x2f],
        &[1, 0],
        &(extensions.len() as u16).to_be_bytes(),
        extensions,
    ]
    .concat();
    record(&message(1, &body))
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind, 0][..], &(body.len() as u16).to_be_bytes(), body].concat()
}

fn record(content: &[u8]) -> Vec<u8> {
    [&[22, 3, 1][..], &(content.len() as u16).to_be_bytes(), content].concat()
}

fn refused(bytes: &[u8]) -> TlsError {
    let error = read([bytes]).map(|read| read.is_some()).expect_err("it is no hello");
    assert_eq!(read(bytes.chunks(1)).expect_err("nor byte by byte"), error);
    error
}

#[test]
fn the_parts_of_a_hello_are_read() {
    let name = [0, 0, 0, 9, 0, 7, 0, 0, 4, b'H', b'o', b's', b't'];
    let alpn = [0, 16, 0, 5, 0, 3, 2, b'h', b'2'];
    let versions = [0, 43, 0, 5, 4, 0x0a, 0x0a, 3, 4];
    let (hello, _) =
        read([&hello(&[&name[..], &alpn, &versions, &[0, 42, 0, 0]].concat())[..]]).unwrap().unwrap();
    assert_eq!(hello.server_name.as_deref(), Some("Host"));
    assert_eq!(hello.alpn, ["h2"]);
    assert_eq!(hello.session_id, [0xaa, 0xbb][..]);
    assert_eq!(hello.versions().iter().map(ToString::to_string).collect::<Vec<_>>(), ["TLS 1.3"]);
    assert_eq!(hello.supported_versions.map(|all| all.len()), Some(2));
    assert_eq!(hello.extensions, [0, 16, 43, 42]);
    assert!(hello.early_data);
}

#[test]
fn a_hello_without_extensions_offers_its_legacy_version() {
    let whole = hello(&[]);
    let body = &whole[9..whole.len() - 2];
    let (hello, _) = read([&record(&message(1, body))[..]]).unwrap().unwrap();
    assert_eq!(hello.versions().iter().map(ToString::to_string).collect::<Vec<_>>(), ["TLS 1.2"]);
    assert!(hello.extensions.is_empty() && hello.alpn.is_empty());
}

#[test]
fn other_protocols_are_told_by_their_first_bytes() {
    assert_eq!(refused(b"PRI * HTTP/2.0\r\n").to_string(), "not TLS: byte 0 of a record is 0x50");
    assert_eq!(refused(&[22, 9]).to_string(), "not TLS: byte 1 of a record is 0x09");
    assert_eq!(refused(&[0x80, 0x2e, 0x01, 0x03, 0x01]), TlsError::Ssl2Hello);
    assert_eq!(refused(&[0x80, 0x2e, 0x01, 0x07]), TlsError::NotTls { byte: 0x80, place: 0 });
}

#[test]
fn other_records_and_messages_are_named() {
    assert_eq!(refused(&[21, 3, 1, 0, 2, 2, 40]), TlsError::UnexpectedRecord(ContentType::Alert));
    assert_eq!(refused(&[23]), TlsError::UnexpectedRecord(ContentType::ApplicationData));
    let server_hello = record(&message(2, &[3, 3]));
    assert_eq!(refused(&server_hello[..6]), TlsError::NotAClientHello(HandshakeKind::ServerHello));
    assert_eq!(
        refused(&record(&message(99, b""))).to_string(),
        "the first handshake message is handshake type 0x63, not client_hello"
    );
    let (_, whole) = small().remove(0);
    let interrupted = [&record(&whole[5..40])[..], &[21, 3, 3, 0, 2, 1, 0]].concat();
    assert_eq!(refused(&interrupted), TlsError::UnexpectedRecord(ContentType::Alert));
}

#[test]
fn lying_lengths_are_told_apart() {
    assert_eq!(refused(&[22, 3, 1, 0x40, 1]), TlsError::RecordTooLong { length: 16_385, limit: 16_384 });
    assert_eq!(refused(&[22, 3, 1, 0, 0]), TlsError::EmptyRecord);
    assert_eq!(refused(&record(&[1, 1, 0, 0])), TlsError::MessageTooLong { length: 65_536, limit: 65_535 });
    let mut short = hello(&[]);
    short[8] -= 1;
    assert_eq!(refused(&short), TlsError::AfterHello { bytes: 1 });
    let spoiled = |place: usize, byte: u8| {
        let mut bytes = hello(&[0, 16, 0, 5, 0, 3, 2, b'h', b'2']);
        bytes[place] = byte;
        refused(&bytes)
    };
    assert_eq!(spoiled(43, 255), TlsError::Truncated(HelloPart::SessionId));
    let mut long_id = hello(&[&[0, 99, 0, 30][..], &[0; 30]].concat());
    long_id[43] = 33;
    assert_eq!(refused(&long_id), TlsError::Malformed(HelloPart::SessionId));
    assert_eq!(spoiled(47, 5), TlsError::Malformed(HelloPart::CipherSuites));
    assert_eq!(spoiled(46, 255), TlsError::Truncated(HelloPart::CipherSuites));
    assert_eq!(spoiled(55, 10), TlsError::Truncated(HelloPart::Extensions));
    assert_eq!(spoiled(55, 8), TlsError::Malformed(HelloPart::Extensions));
    assert_eq!(spoiled(59, 6), TlsError::Truncated(HelloPart::Extensions));
    assert_eq!(spoiled(61, 4), TlsError::Truncated(HelloPart::Alpn));
    assert_eq!(spoiled(61, 2), TlsError::Malformed(HelloPart::Alpn));
    assert_eq!(spoiled(62, 0), TlsError::Malformed(HelloPart::Alpn));
    assert_eq!(spoiled(62, 3), TlsError::Truncated(HelloPart::Alpn));
}

#[test]
fn what_may_stand_once_does_not_stand_twice() {
    let twice = [0, 99, 0, 0, 0, 99, 0, 1, 0];
    assert_eq!(refused(&hello(&twice)), TlsError::RepeatedExtension(99));
    let two_names = [0, 0, 0, 10, 0, 8, 0, 0, 1, b'a', 0, 0, 1, b'b'];
    assert_eq!(refused(&hello(&two_names)), TlsError::Malformed(HelloPart::ServerName));
    let early = [0, 42, 0, 1, 0];
    assert_eq!(refused(&hello(&early)), TlsError::Malformed(HelloPart::EarlyData));
    assert_eq!(refused(&hello(&[0, 43, 0, 2, 1, 3])), TlsError::Malformed(HelloPart::SupportedVersions));
    assert_eq!(refused(&hello(&[0, 43, 0, 1, 0])), TlsError::Malformed(HelloPart::SupportedVersions));
}
