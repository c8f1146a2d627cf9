//! IPv4 and IPv6 headers: who speaks to whom, what is carried, and whether this is all of it.
//!
//! A packet's length is the one its IP header states, not that of the captured bytes: Ethernet pads short frames at
//! the end, and a snapshot length cuts long ones. Captured on the sending host a packet may be longer than any that
//! goes over the wire (the card cuts it up later) and then states a length of 0; the file's own length is taken
//! instead. Checksums are not checked: on that host they are not yet computed.
//!
//! Left out: encrypted payloads (ESP), tunnels, and routing headers' effect on the destination.

use std::net::IpAddr;

use etherparse::err::{ipv4, ipv6};
use etherparse::{
    IpAuthHeaderSlice, IpNumber, Ipv4HeaderSlice, Ipv6FragmentHeaderSlice, Ipv6HeaderSlice,
    Ipv6RawExtHeaderSlice, ip_number,
};

use super::passed_over::PassedKind;

/// An IP packet, or one fragment of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Datagram<'a> {
    pub(super) source: IpAddr,
    pub(super) destination: IpAddr,
    pub(super) carried: Carried<'a>,
}

/// What an IP packet carries after its headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Carried<'a> {
    pub(super) protocol: IpNumber,
    /// The captured bytes of it.
    pub(super) payload: &'a [u8],
    /// How many bytes it has on the wire; no fewer than were captured.
    pub(super) length: usize,
    /// If this is only a part: which.
    pub(super) fragment: Option<Fragment>,
}

/// Which part of a datagram a fragment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fragment {
    pub(super) identification: u32,
    /// Bytes of the datagram before it.
    pub(super) offset: u32,
    /// Whether others follow it.
    pub(super) more: bool,
}

/// Longer packets are not believed: BIG TCP on Linux goes up to 512 KiB.
const LONGEST: usize = 1 << 24;

/// Reads an IP packet that has `wire_length` bytes in all, of which these were captured.
///
/// # Errors
///
/// [`PassedKind::HeaderCutShort`] and [`PassedKind::Malformed`].
pub(super) fn datagram(bytes: &[u8], wire_length: usize) -> Result<Datagram<'_>, PassedKind> {
    match bytes.first().map(|byte| byte >> 4) {
        Some(4) => version_4(bytes, wire_length),
        Some(6) => version_6(bytes, wire_length),
        Some(_) => Err(PassedKind::Malformed),
        None => Err(PassedKind::HeaderCutShort),
    }
}

/// Passes the extension headers of IPv6, and the one (authentication) that IPv4 has too, up to a fragment header that
/// makes this a fragment.
pub(super) fn extensions(
    protocol: IpNumber,
    payload: &[u8],
    length: usize,
) -> Result<Carried<'_>, PassedKind> {
    let mut carried = Carried { protocol, payload, length, fragment: None };
    loop {
        // A header that is not whole was cut by the snapshot length, or never fitted into the packet.
        let cut = if carried.payload.len() < carried.length {
            PassedKind::HeaderCutShort
        } else {
            PassedKind::Malformed
        };
        let (header, next) = match carried.protocol {
            ip_number::IPV6_HOP_BY_HOP
            | ip_number::IPV6_ROUTE
            | ip_number::IPV6_DEST_OPTIONS
            | ip_number::MOBILITY => {
                let header = Ipv6RawExtHeaderSlice::from_slice(carried.payload).map_err(|_| cut)?;
                (header.slice().len(), header.next_header())
            }
            ip_number::AUTH => {
                let header = IpAuthHeaderSlice::from_slice(carried.payload).map_err(|_| cut)?;
                (header.slice().len(), header.next_header())
            }
            ip_number::IPV6_FRAG => {
                let header = Ipv6FragmentHeaderSlice::from_slice(carried.payload).map_err(|_| cut)?;
                if header.is_fragmenting_payload() {
                    carried.fragment = Some(Fragment {
                        identification: header.identification(),
                        offset: u32::from(header.fragment_offset().value()) * 8,
                        more: header.more_fragments(),
                    });
                }
                (header.slice().len(), header.next_header())
            }
            _ => return Ok(carried),
        };
        carried.protocol = next;
        carried.payload = &carried.payload[header..];
        carried.length -= header;
        if carried.fragment.is_some() {
            // What follows belongs to the datagram as a whole: only its first fragment begins with a header.
            return Ok(carried);
        }
    }
}

fn version_4(bytes: &[u8], wire_length: usize) -> Result<Datagram<'_>, PassedKind> {
    let header = Ipv4HeaderSlice::from_slice(bytes).map_err(|error| match error {
        ipv4::HeaderSliceError::Len(_) => PassedKind::HeaderCutShort,
        ipv4::HeaderSliceError::Content(_) => PassedKind::Malformed,
    })?;
    let header_length = header.slice().len();
    let length = match usize::from(header.total_len()) {
        0 => wire_length.max(bytes.len()),
        stated => stated,
    };
    let (payload, length) = payload(bytes, header_length, length)?;
    let mut carried = Carried { protocol: header.protocol(), payload, length, fragment: None };
    if header.is_fragmenting_payload() {
        carried.fragment = Some(Fragment {
            identification: u32::from(header.identification()),
            offset: u32::from(header.fragments_offset().value()) * 8,
            more: header.more_fragments(),
        });
    } else if carried.protocol == ip_number::AUTH {
        carried = extensions(carried.protocol, carried.payload, carried.length)?;
    }
    Ok(Datagram {
        source: IpAddr::V4(header.source_addr()),
        destination: IpAddr::V4(header.destination_addr()),
        carried,
    })
}

fn version_6(bytes: &[u8], wire_length: usize) -> Result<Datagram<'_>, PassedKind> {
    let header = Ipv6HeaderSlice::from_slice(bytes).map_err(|error| match error {
        ipv6::HeaderSliceError::Len(_) => PassedKind::HeaderCutShort,
        ipv6::HeaderSliceError::Content(_) => PassedKind::Malformed,
    })?;
    let header_length = header.slice().len();
    let length = match usize::from(header.payload_length()) {
        // A jumbogram (RFC 2675), or a packet that the card is yet to cut up.
        0 => wire_length.max(bytes.len()),
        stated => header_length + stated,
    };
    let (payload, length) = payload(bytes, header_length, length)?;
    Ok(Datagram {
        source: IpAddr::V6(header.source_addr()),
        destination: IpAddr::V6(header.destination_addr()),
        carried: extensions(header.next_header(), payload, length)?,
    })
}

fn payload(bytes: &[u8], header: usize, length: usize) -> Result<(&[u8], usize), PassedKind> {
    if length < header || length > LONGEST {
        return Err(PassedKind::Malformed);
    }
    Ok((&bytes[header..bytes.len().min(length)], length - header))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version_4_header(total_length: u16) -> Vec<u8> {
        let mut bytes = vec![0x45, 0, 0, 0, 0, 7, 0, 0, 64, 6, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2];
        bytes[2..4].copy_from_slice(&total_length.to_be_bytes());
        bytes
    }

    #[test]
    fn the_length_is_the_headers() {
        let mut padded = version_4_header(23);
        padded.extend_from_slice(b"abcpadding");
        let carried = datagram(&padded, padded.len()).unwrap().carried;
        assert_eq!((carried.payload, carried.length), (&b"abc"[..], 3));

        let mut cut = version_4_header(120);
        cut.extend_from_slice(b"abc");
        let carried = datagram(&cut, 120).unwrap().carried;
        assert_eq!((carried.payload, carried.length), (&b"abc"[..], 100));

        let mut uncut = version_4_header(0);
        uncut.extend_from_slice(b"abc");
        let carried = datagram(&uncut, 70_000).unwrap().carried;
        assert_eq!((carried.payload, carried.length), (&b"abc"[..], 69_980));
    }

    #[test]
    fn extension_headers_are_passed_up_to_a_fragment() {
        // Hop-by-hop, destination options, authentication, a fragment header that does not fragment, routing.
        let mut payload = vec![60, 0, 0, 0, 0, 0, 0, 0];
        payload.extend_from_slice(&[51, 0, 0, 0, 0, 0, 0, 0]);
        payload.extend_from_slice(&[44, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1]);
        payload.extend_from_slice(&[43, 0, 0, 0, 0, 0, 0, 9]);
        payload.extend_from_slice(&[6, 0, 0, 0, 0, 0, 0, 0]);
        payload.extend_from_slice(b"tcp");
        let carried = extensions(ip_number::IPV6_HOP_BY_HOP, &payload, payload.len()).unwrap();
        assert_eq!(carried.protocol, ip_number::TCP);
        assert_eq!((carried.payload, carried.length), (&b"tcp"[..], 3));

        let fragment = [60, 0, 0x05, 0xa9, 0, 0, 0, 9, 44, 0xff, 1, 2];
        let carried = extensions(ip_number::IPV6_FRAG, &fragment, fragment.len()).unwrap();
        assert_eq!(carried.payload, [44, 0xff, 1, 2]);
        let expected = Fragment { identification: 9, offset: 0x5a8, more: true };
        assert_eq!(carried.fragment, Some(expected));
    }

    #[test]
    fn headers_that_do_not_fit_are_told_apart_from_headers_cut_off() {
        assert_eq!(datagram(&[], 40), Err(PassedKind::HeaderCutShort));
        assert_eq!(datagram(&[0x50; 40], 40), Err(PassedKind::Malformed));
        assert_eq!(datagram(&version_4_header(60)[..12], 60), Err(PassedKind::HeaderCutShort));
        assert_eq!(datagram(&version_4_header(19), 60), Err(PassedKind::Malformed));
        assert_eq!(extensions(ip_number::IPV6_ROUTE, &[6, 9, 0, 0], 4), Err(PassedKind::Malformed));
        assert_eq!(extensions(ip_number::IPV6_ROUTE, &[6, 9, 0, 0], 88), Err(PassedKind::HeaderCutShort));
    }
}
