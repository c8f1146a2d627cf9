//! What a client opens a connection with: over TLS the part of its hello that a server chooses by, then its first flight.
//!
//! A hello has much that differs from one connection to the next, and more that differs between builds of one client; whom
//! it calls, in which protocols and versions, is what decides whether it is served.

use bytes::Bytes;

use super::Flight;
use crate::script::Hello;
use crate::wire::tls::{ClientHello, ProtocolVersion};

/// What a client opens a connection with.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Opening {
    /// What it offers, if it speaks TLS.
    pub(crate) offer: Option<Offer>,
    /// What it then says, over TLS cut where records end.
    pub(crate) flight: Flight,
}

/// What a ClientHello offers, as far as it is compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    server_name: Option<String>,
    alpn: Vec<Bytes>,
    versions: Vec<ProtocolVersion>,
}

impl Opening {
    /// An opening in the clear.
    pub(crate) fn in_the_clear(flight: Flight) -> Self {
        Self { offer: None, flight }
    }

    /// How a predicted opening differs from a captured one; nothing if it does not.
    pub(crate) fn difference(captured: &Self, predicted: &Self) -> Option<String> {
        let offers = match (&captured.offer, &predicted.offer) {
            (None, None) => None,
            (Some(captured), Some(predicted)) => captured.difference(predicted),
            (Some(_), None) => Some("it speaks TLS, predicted in the clear".to_owned()),
            // Of one that said nothing at all it is not known whether it would have.
            (None, Some(_)) if captured.flight == Flight::Nothing => None,
            (None, Some(_)) => Some("it speaks in the clear, predicted TLS".to_owned()),
        };
        offers.or_else(|| Flight::difference(&captured.flight, &predicted.flight))
    }
}

impl Offer {
    /// What a hello offers.
    pub(crate) fn of(hello: &ClientHello) -> Self {
        Self { server_name: hello.server_name.clone(), alpn: hello.alpn.clone(), versions: hello.versions() }
    }

    /// What a profile says of its hello.
    pub(crate) fn stated(hello: &Hello) -> Self {
        Self {
            server_name: hello.sni.clone(),
            alpn: hello.alpn.iter().map(|name| Bytes::from(name.clone())).collect(),
            versions: hello.versions.iter().map(|version| ProtocolVersion::from(version.number())).collect(),
        }
    }

    fn difference(&self, predicted: &Self) -> Option<String> {
        let name = |offer: &Self| offer.server_name.clone().unwrap_or_else(|| "nobody".to_owned());
        if self.server_name != predicted.server_name {
            return Some(format!("hello calls {}, predicted {}", name(self), name(predicted)));
        }
        let alpn = |offer: &Self| {
            let names: Vec<_> = offer.alpn.iter().map(|name| String::from_utf8_lossy(name)).collect();
            if names.is_empty() { "no protocol".to_owned() } else { names.join(", ") }
        };
        if self.alpn != predicted.alpn {
            return Some(format!("hello offers {}, predicted {}", alpn(self), alpn(predicted)));
        }
        let versions = |offer: &Self| {
            let names: Vec<String> = offer.versions.iter().map(ToString::to_string).collect();
            names.join(", ")
        };
        (self.versions != predicted.versions)
            .then(|| format!("hello offers {}, predicted {}", versions(self), versions(predicted)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn opening(name: Option<&str>, alpn: &[&'static str], versions: &[ProtocolVersion]) -> Opening {
        let alpn = alpn.iter().map(|name| Bytes::from_static(name.as_bytes())).collect();
        let offer = Offer { server_name: name.map(str::to_owned), alpn, versions: versions.to_vec() };
        Opening { offer: Some(offer), flight: Flight::of([&b"PRI"[..]]) }
    }

    #[test]
    fn hellos_are_compared_by_whom_they_call_and_in_what() {
        let both = [ProtocolVersion::Tls13, ProtocolVersion::Tls12];
        let captured = opening(Some("muxbed.test"), &["h2"], &both);
        let differs = |predicted: &Opening| Opening::difference(&captured, predicted).unwrap_or_default();
        assert_eq!(differs(&captured), "");
        assert_eq!(differs(&opening(None, &["h2"], &both)), "hello calls muxbed.test, predicted nobody");
        assert_eq!(
            differs(&opening(Some("muxbed.test"), &["h2", "http/1.1"], &both)),
            "hello offers h2, predicted h2, http/1.1"
        );
        assert_eq!(
            differs(&opening(Some("muxbed.test"), &["h2"], &both[1..])),
            "hello offers TLS 1.3, TLS 1.2, predicted TLS 1.2"
        );
        let clear = Opening::in_the_clear(captured.flight.clone());
        assert_eq!(differs(&clear), "it speaks TLS, predicted in the clear");
        assert!(Opening::difference(&clear, &captured).is_some());
        assert_eq!(Opening::difference(&Opening::in_the_clear(Flight::Nothing), &captured), None);
    }
}
