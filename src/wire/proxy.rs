//! The header of the PROXY protocol, with which a load balancer says whose connection it passes on (versions 1 and 2 of
//! HAProxy's `doc/proxy-protocol.txt`).
//!
//! It stands before everything else on a connection. The octets are taken apart by the crate `proxy-header`; what is added
//! here is what it leaves to its caller: whether a beginning can still become a header, and an answer that does not
//! depend on where the bytes were cut.
//!
//! Left out: addresses of Unix sockets, which are read over, and the checksum, which a receiver need not know.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;
use proxy_header::{ParseConfig, ProxiedAddress, ProxyHeader};

const VERSION_1: &[u8] = b"PROXY ";
const VERSION_2: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// Octets of the longest header of version 1, its line end included.
const LONGEST_VERSION_1: usize = 107;

/// What the beginning of a connection is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// It does not begin with such a header.
    Absent,
    /// It may begin with one, and it is not all there.
    NeedMore,
    /// It begins with a header of `length` octets.
    Complete {
        /// What the header says.
        header: Box<Header>,
        /// Its octets.
        length: usize,
    },
    /// It begins as a header does and is none.
    Malformed,
}

/// What a header says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Both ends of the connection that is passed on. None if the sender speaks for itself (the command LOCAL, version 1's
    /// UNKNOWN), or if they are no IP addresses: then the connection's own addresses count.
    pub addresses: Option<Addresses>,
    /// What version 2 says besides, type by type, in order.
    pub extensions: Vec<(u8, Bytes)>,
}

/// Both ends of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Addresses {
    /// Who connected.
    pub source: SocketAddr,
    /// To what address.
    pub destination: SocketAddr,
}

/// The versions of the header, for whoever writes one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// A line of text.
    V1,
    /// Binary.
    V2,
}

impl Header {
    /// The type of the extension that has the host name the client asked for.
    pub const AUTHORITY: u8 = 0x02;
    /// The type of the extension that has the protocol which TLS agreed on.
    pub const ALPN: u8 = 0x01;
    /// The type of the extension that names the connection.
    pub const UNIQUE_ID: u8 = 0x05;

    /// A header that states these addresses; none speak for the sender itself.
    pub fn new(addresses: Option<Addresses>) -> Self {
        Self { addresses, extensions: Vec::new() }
    }

    /// Looks at all that a connection has sent so far.
    pub fn read(prefix: &[u8]) -> Progress {
        let begins_as = |signature: &[u8]| {
            let length = prefix.len().min(signature.len());
            prefix[..length] == signature[..length]
        };
        let visible = if begins_as(VERSION_1) {
            // Nothing beyond the longest line is looked at, whenever it came.
            &prefix[..prefix.len().min(LONGEST_VERSION_1)]
        } else if begins_as(VERSION_2) {
            prefix
        } else {
            return Progress::Absent;
        };
        let config = ParseConfig::default();
        match ProxyHeader::parse(visible, config) {
            Ok((header, length)) => match Self::from_parsed(&header) {
                Some(header) => Progress::Complete { header: Box::new(header), length },
                None => Progress::Malformed,
            },
            Err(proxy_header::Error::BufferTooShort) => Progress::NeedMore,
            Err(_) => Progress::Malformed,
        }
    }

    /// The first extension of that type.
    pub fn extension(&self, kind: u8) -> Option<&Bytes> {
        self.extensions.iter().find(|(found, _)| *found == kind).map(|(_, value)| value)
    }

    /// Its octets. Version 1 has no room for extensions and leaves them out.
    pub fn encode(&self, version: Version) -> Bytes {
        let mut header = match self.addresses.and_then(Addresses::of_one_family) {
            Some(Addresses { source, destination }) => {
                ProxyHeader::with_address(ProxiedAddress::stream(source, destination))
            }
            None => ProxyHeader::with_local(),
        };
        let mut octets = Vec::with_capacity(64);
        let encoded = match version {
            Version::V1 => header.encode_v1(&mut octets),
            Version::V2 => {
                for (kind, value) in &self.extensions {
                    header.append_tlv(proxy_header::Tlv::Custom(*kind, (&value[..]).into()));
                }
                header.encode_v2(&mut octets)
            }
        };
        match encoded {
            Ok(()) => octets.into(),
            // Only extensions can make it too long: it goes without them.
            Err(_) => Self::new(self.addresses).encode(version),
        }
    }

    fn from_parsed(header: &ProxyHeader<'_>) -> Option<Self> {
        let addresses = header
            .proxied_address()
            .map(|address| Addresses { source: address.source, destination: address.destination });
        let mut extensions = Vec::new();
        for extension in header.tlvs() {
            let extension = extension.ok()?;
            let mut octets = Vec::new();
            extension.encode(&mut octets);
            extensions.push((extension.kind(), Bytes::from(octets).slice(3..)));
        }
        Some(Self { addresses, extensions })
    }
}

impl Addresses {
    /// The same addresses in one family: a header has room for one only.
    fn of_one_family(self) -> Option<Self> {
        match (self.source, self.destination) {
            (SocketAddr::V4(_), SocketAddr::V4(_)) | (SocketAddr::V6(_), SocketAddr::V6(_)) => Some(self),
            (source, destination) => {
                Some(Self { source: to_version_6(source), destination: to_version_6(destination) })
            }
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::V1 => "v1",
            Self::V2 => "v2",
        })
    }
}

fn to_version_6(address: SocketAddr) -> SocketAddr {
    match address {
        SocketAddr::V4(four) => SocketAddr::new(four.ip().to_ipv6_mapped().into(), four.port()),
        SocketAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn addresses() -> Addresses {
        Addresses {
            source: "192.0.2.1:40000".parse().unwrap(),
            destination: "198.51.100.2:443".parse().unwrap(),
        }
    }

    fn complete(octets: &[u8]) -> (Header, usize) {
        match Header::read(octets) {
            Progress::Complete { header, length } => (*header, length),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn both_versions_state_whose_connection_it_is() {
        for version in [Version::V1, Version::V2] {
            let octets = Header::new(Some(addresses())).encode(version);
            let followed = [&octets[..], b"GET / HTTP/1.1\r\n"].concat();
            assert_eq!(complete(&followed), (Header::new(Some(addresses())), octets.len()));
            for end in 0..octets.len() {
                assert_eq!(Header::read(&octets[..end]), Progress::NeedMore, "{version}, {end} octets");
            }
        }
    }

    #[test]
    fn a_sender_that_speaks_for_itself_states_no_addresses() {
        assert_eq!(complete(b"PROXY UNKNOWN ffff::1 ::1 1 2\r\nrest").0.addresses, None);
        let local = b"\r\n\r\n\0\r\nQUIT\n\x20\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x02";
        assert_eq!(complete(local), (Header::default(), local.len()));
    }

    #[test]
    fn extensions_are_kept() {
        let mut header = Header::new(Some(addresses()));
        header.extensions = vec![(Header::AUTHORITY, "a.example".into()), (0xe4, vec![1, 2].into())];
        let octets = header.encode(Version::V2);
        assert_eq!(complete(&octets), (header.clone(), octets.len()));
        assert_eq!(header.extension(0xe4).unwrap(), &[1, 2][..]);
        assert_eq!(complete(&header.encode(Version::V1)).0.extensions, []);
    }

    #[test]
    fn addresses_of_two_families_are_stated_in_one() {
        let mixed = Addresses { destination: "[2001:db8::2]:443".parse().unwrap(), ..addresses() };
        let stated = complete(&Header::new(Some(mixed)).encode(Version::V1)).0.addresses.unwrap();
        assert_eq!(stated.source, "[::ffff:192.0.2.1]:40000".parse().unwrap());
    }

    #[test]
    fn what_only_resembles_a_header_is_told_at_the_first_other_byte() {
        assert_eq!(Header::read(b"P"), Progress::NeedMore);
        assert_eq!(Header::read(b"PROXY"), Progress::NeedMore);
        assert_eq!(Header::read(b"POST / HTTP/1.1\r\n"), Progress::Absent);
        assert_eq!(Header::read(b"PROXYS"), Progress::Absent);
        assert_eq!(Header::read(b"\r\nGET"), Progress::Absent);
        assert_eq!(Header::read(b"PROXY TCP5 1 2 3 4\r\n"), Progress::Malformed);
    }

    #[test]
    fn a_line_that_is_too_long_is_malformed_however_it_came() {
        let line = [b"PROXY UNKNOWN ", &[b'x'; 100][..], b"\r\n"].concat();
        for end in LONGEST_VERSION_1..=line.len() {
            assert_eq!(Header::read(&line[..end]), Progress::Malformed);
        }
        assert_eq!(Header::read(&line[..LONGEST_VERSION_1 - 1]), Progress::NeedMore);
    }
}
