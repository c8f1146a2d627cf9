//! The certificate of every simulated server: Ed25519, self-signed, made when it is first asked for and always the same.
//!
//! Its key is written down here, so it protects nothing; it stands for a certificate that the client trusts.

use std::sync::LazyLock;

use rcgen::{CertificateParams, DistinguishedName, KeyPair, SerialNumber};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// The name in the certificate, which the recorded clients asked for.
pub(crate) const NAME: &str = "muxbed.test";

pub(super) struct Identity {
    pub(super) certificate: CertificateDer<'static>,
    key: PrivatePkcs8KeyDer<'static>,
}

impl Identity {
    pub(super) fn key(&self) -> PrivateKeyDer<'static> {
        PrivateKeyDer::Pkcs8(self.key.clone_key())
    }
}

pub(super) static IDENTITY: LazyLock<Identity> = LazyLock::new(|| {
    let key = PrivatePkcs8KeyDer::from(pkcs8(*b"muxbed's simulated servers' key."));
    let pair = KeyPair::try_from(&key).expect("an Ed25519 key is any 32 bytes");
    let mut parameters =
        CertificateParams::new([NAME.to_owned(), "localhost".to_owned()]).expect("they are names");
    parameters.distinguished_name = DistinguishedName::new();
    parameters.serial_number = Some(SerialNumber::from(1));
    let certificate = parameters.self_signed(&pair).expect("a certificate of plain names can be signed");
    Identity { certificate: certificate.der().clone(), key }
});

/// RFC 8410, section 7: a private key of Ed25519 without its public key.
fn pkcs8(seed: [u8; 32]) -> Vec<u8> {
    let head =
        [0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20];
    [&head[..], &seed].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_certificate_is_made_without_chance() {
        let again = {
            let pair = KeyPair::try_from(&IDENTITY.key).expect("it is a key");
            let mut parameters =
                CertificateParams::new([NAME.to_owned(), "localhost".to_owned()]).expect("names");
            parameters.distinguished_name = DistinguishedName::new();
            parameters.serial_number = Some(SerialNumber::from(1));
            parameters.self_signed(&pair).expect("it can be signed").der().clone()
        };
        assert_eq!(IDENTITY.certificate, again);
    }
}
