//! The numbers of TLS that have names, and an alert, which is two of them.
//!
//! Names are those of RFC 8446 and of the IANA registries, since they are what other programs print and what people
//! search for.

use std::fmt;

use crate::wire::registry::registry;

registry! {
    /// What a record holds (RFC 8446 section 5.1).
    ContentType: u8, unknown "content type",
    /// Nothing, in TLS 1.3; the beginning of the protected part, in what came before.
    ChangeCipherSpec = 20 "change_cipher_spec",
    /// An [`Alert`].
    Alert = 21 "alert",
    /// Handshake messages, whole or in part.
    Handshake = 22 "handshake",
    /// What the two ends have to say; in TLS 1.3 everything protected looks so from outside.
    ApplicationData = 23 "application_data",
    /// A probe or its answer (RFC 6520).
    Heartbeat = 24 "heartbeat",
}

registry! {
    /// A handshake message's type (RFC 8446 section 4, RFC 5246 section 7.4).
    HandshakeKind: u8, unknown "handshake type",
    /// A server asks for another handshake, before TLS 1.3.
    HelloRequest = 0 "hello_request",
    /// What a client offers.
    ClientHello = 1 "client_hello",
    /// What a server chose.
    ServerHello = 2 "server_hello",
    /// A ticket for a later session.
    NewSessionTicket = 4 "new_session_ticket",
    /// The end of what a client sent before the handshake was done.
    EndOfEarlyData = 5 "end_of_early_data",
    /// The rest of what a server chose, protected.
    EncryptedExtensions = 8 "encrypted_extensions",
    /// Certificates.
    Certificate = 11 "certificate",
    /// A server's share of the key, before TLS 1.3.
    ServerKeyExchange = 12 "server_key_exchange",
    /// A server wants the client's certificate.
    CertificateRequest = 13 "certificate_request",
    /// A server has said all, before TLS 1.3.
    ServerHelloDone = 14 "server_hello_done",
    /// The proof that the certificate is the sender's.
    CertificateVerify = 15 "certificate_verify",
    /// A client's share of the key, before TLS 1.3.
    ClientKeyExchange = 16 "client_key_exchange",
    /// The proof that both saw the same handshake.
    Finished = 20 "finished",
    /// A revocation status, before TLS 1.3.
    CertificateStatus = 22 "certificate_status",
    /// The sender's next records have new keys.
    KeyUpdate = 24 "key_update",
    /// Certificates, compressed (RFC 8879).
    CompressedCertificate = 25 "compressed_certificate",
}

registry! {
    /// A version of the protocol.
    ProtocolVersion: u16, unknown "TLS version",
    /// SSL 3.0.
    Ssl3 = 0x0300 "SSL 3.0",
    /// TLS 1.0.
    Tls10 = 0x0301 "TLS 1.0",
    /// TLS 1.1.
    Tls11 = 0x0302 "TLS 1.1",
    /// TLS 1.2.
    Tls12 = 0x0303 "TLS 1.2",
    /// TLS 1.3.
    Tls13 = 0x0304 "TLS 1.3",
}

registry! {
    /// A cipher suite. Those with names are what current software negotiates, and what it still offers beside them.
    CipherSuite: u16, unknown "cipher suite",
    /// RSA key exchange, AES-CBC.
    RsaAes128Sha = 0x002f "TLS_RSA_WITH_AES_128_CBC_SHA",
    /// RSA key exchange, AES-CBC.
    RsaAes256Sha = 0x0035 "TLS_RSA_WITH_AES_256_CBC_SHA",
    /// RSA key exchange, AES-GCM.
    RsaAes128Gcm = 0x009c "TLS_RSA_WITH_AES_128_GCM_SHA256",
    /// RSA key exchange, AES-GCM.
    RsaAes256Gcm = 0x009d "TLS_RSA_WITH_AES_256_GCM_SHA384",
    /// Diffie-Hellman, AES-GCM.
    DheRsaAes128Gcm = 0x009e "TLS_DHE_RSA_WITH_AES_128_GCM_SHA256",
    /// Diffie-Hellman, AES-GCM.
    DheRsaAes256Gcm = 0x009f "TLS_DHE_RSA_WITH_AES_256_GCM_SHA384",
    /// No suite: the client can renegotiate safely (RFC 5746).
    EmptyRenegotiationInfo = 0x00ff "TLS_EMPTY_RENEGOTIATION_INFO_SCSV",
    /// TLS 1.3, AES-GCM.
    Aes128Gcm = 0x1301 "TLS_AES_128_GCM_SHA256",
    /// TLS 1.3, AES-GCM.
    Aes256Gcm = 0x1302 "TLS_AES_256_GCM_SHA384",
    /// TLS 1.3, ChaCha20.
    ChaCha20 = 0x1303 "TLS_CHACHA20_POLY1305_SHA256",
    /// TLS 1.3, AES-CCM.
    Aes128Ccm = 0x1304 "TLS_AES_128_CCM_SHA256",
    /// TLS 1.3, AES-CCM with a short tag.
    Aes128Ccm8 = 0x1305 "TLS_AES_128_CCM_8_SHA256",
    /// No suite: the client tries again with a lower version (RFC 7507).
    Fallback = 0x5600 "TLS_FALLBACK_SCSV",
    /// Elliptic curves, ECDSA, AES-CBC.
    EcdheEcdsaAes128Sha = 0xc009 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA",
    /// Elliptic curves, ECDSA, AES-CBC.
    EcdheEcdsaAes256Sha = 0xc00a "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA",
    /// Elliptic curves, RSA, AES-CBC.
    EcdheRsaAes128Sha = 0xc013 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA",
    /// Elliptic curves, RSA, AES-CBC.
    EcdheRsaAes256Sha = 0xc014 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA",
    /// Elliptic curves, ECDSA, AES-CBC.
    EcdheEcdsaAes128Sha256 = 0xc023 "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256",
    /// Elliptic curves, ECDSA, AES-CBC.
    EcdheEcdsaAes256Sha384 = 0xc024 "TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384",
    /// Elliptic curves, RSA, AES-CBC.
    EcdheRsaAes128Sha256 = 0xc027 "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256",
    /// Elliptic curves, RSA, AES-CBC.
    EcdheRsaAes256Sha384 = 0xc028 "TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA384",
    /// Elliptic curves, ECDSA, AES-GCM.
    EcdheEcdsaAes128Gcm = 0xc02b "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
    /// Elliptic curves, ECDSA, AES-GCM.
    EcdheEcdsaAes256Gcm = 0xc02c "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
    /// Elliptic curves, RSA, AES-GCM.
    EcdheRsaAes128Gcm = 0xc02f "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    /// Elliptic curves, RSA, AES-GCM.
    EcdheRsaAes256Gcm = 0xc030 "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
    /// Elliptic curves, ECDSA, AES-CCM.
    EcdheEcdsaAes128Ccm = 0xc0ac "TLS_ECDHE_ECDSA_WITH_AES_128_CCM",
    /// Elliptic curves, RSA, ChaCha20.
    EcdheRsaChaCha20 = 0xcca8 "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
    /// Elliptic curves, ECDSA, ChaCha20.
    EcdheEcdsaChaCha20 = 0xcca9 "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
    /// Diffie-Hellman, ChaCha20.
    DheRsaChaCha20 = 0xccaa "TLS_DHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
}

registry! {
    /// How bad an alert says it is (RFC 5246 section 7.2); in TLS 1.3 the description alone decides.
    AlertLevel: u8, unknown "alert level",
    /// The connection may go on.
    Warning = 1 "warning",
    /// It may not.
    Fatal = 2 "fatal",
}

registry! {
    /// What an alert is about (RFC 8446 section 6).
    AlertDescription: u8, unknown "description",
    /// The sender sends nothing more.
    CloseNotify = 0 "close_notify",
    /// A message came out of turn.
    UnexpectedMessage = 10 "unexpected_message",
    /// A record can't be authenticated.
    BadRecordMac = 20 "bad_record_mac",
    /// As `bad_record_mac`; no longer sent.
    DecryptionFailed = 21 "decryption_failed",
    /// A record is too long.
    RecordOverflow = 22 "record_overflow",
    /// Decompression gave nonsense; no longer sent.
    DecompressionFailure = 30 "decompression_failure",
    /// The two have nothing in common.
    HandshakeFailure = 40 "handshake_failure",
    /// The sender has no certificate; SSL 3.0 only.
    NoCertificate = 41 "no_certificate",
    /// A certificate is corrupt.
    BadCertificate = 42 "bad_certificate",
    /// A certificate's kind is not supported.
    UnsupportedCertificate = 43 "unsupported_certificate",
    /// A certificate was revoked.
    CertificateRevoked = 44 "certificate_revoked",
    /// A certificate is not valid now.
    CertificateExpired = 45 "certificate_expired",
    /// A certificate is unacceptable in another way.
    CertificateUnknown = 46 "certificate_unknown",
    /// A field contradicts another, or the protocol.
    IllegalParameter = 47 "illegal_parameter",
    /// Nobody trusted has signed the certificate.
    UnknownCa = 48 "unknown_ca",
    /// The certificate is good and its owner may not enter.
    AccessDenied = 49 "access_denied",
    /// A message can't be parsed.
    DecodeError = 50 "decode_error",
    /// A signature or a Finished is wrong.
    DecryptError = 51 "decrypt_error",
    /// A cipher that export laws forbade; no longer sent.
    ExportRestriction = 60 "export_restriction",
    /// None of the offered versions is spoken here.
    ProtocolVersion = 70 "protocol_version",
    /// The two have no cipher in common that the sender thinks strong enough.
    InsufficientSecurity = 71 "insufficient_security",
    /// The sender's own trouble.
    InternalError = 80 "internal_error",
    /// A client came again with a lower version than it need (RFC 7507).
    InappropriateFallback = 86 "inappropriate_fallback",
    /// The user does not want to any more.
    UserCanceled = 90 "user_canceled",
    /// No second handshake, please; before TLS 1.3.
    NoRenegotiation = 100 "no_renegotiation",
    /// An extension is needed.
    MissingExtension = 109 "missing_extension",
    /// An extension was not offered, or may not stand there.
    UnsupportedExtension = 110 "unsupported_extension",
    /// A certificate can't be had from where the client said; no longer sent.
    CertificateUnobtainable = 111 "certificate_unobtainable",
    /// Nobody of that name is here.
    UnrecognizedName = 112 "unrecognized_name",
    /// The revocation status is bad.
    BadCertificateStatusResponse = 113 "bad_certificate_status_response",
    /// A certificate is not the one whose hash the client named; no longer sent.
    BadCertificateHashValue = 114 "bad_certificate_hash_value",
    /// Nobody knows that pre-shared key.
    UnknownPskIdentity = 115 "unknown_psk_identity",
    /// The client has to show a certificate.
    CertificateRequired = 116 "certificate_required",
    /// The two have no protocol in common (RFC 7301).
    NoApplicationProtocol = 120 "no_application_protocol",
    /// A ClientHello could not be decrypted (RFC 9849).
    EchRequired = 121 "ech_required",
}

impl ProtocolVersion {
    /// Whether the number is one that clients send to see that servers ignore what they don't know (RFC 8701).
    pub fn is_grease(self) -> bool {
        let [high, low] = u16::from(self).to_be_bytes();
        high == low && low & 0x0f == 0x0a
    }
}

/// One end tells the other why it goes, or that it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alert {
    /// How bad.
    pub level: AlertLevel,
    /// What about.
    pub description: AlertDescription,
}

impl Alert {
    /// Reads the content of an alert record, if it is one whole alert.
    pub fn parse(content: &[u8]) -> Option<Self> {
        match content {
            &[level, description] => Some(Self { level: level.into(), description: description.into() }),
            _ => None,
        }
    }

    /// Whether the sender only says that it is done, or that its user does not want to any more (RFC 8446 section 6.1).
    pub fn is_closure(self) -> bool {
        matches!(self.description, AlertDescription::CloseNotify | AlertDescription::UserCanceled)
    }

    /// Whether its sender sends nothing more.
    pub fn ends_the_senders_part(self) -> bool {
        self.is_fatal() || self.description == AlertDescription::CloseNotify
    }

    /// Whether the connection can't go on: in TLS 1.3 every alert that is no closure, before that as it says itself.
    pub fn is_fatal(self) -> bool {
        !self.is_closure() && self.level != AlertLevel::Warning
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} alert {}", self.level, self.description)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_is_said_in_words() {
        let said = |content: &[u8]| Alert::parse(content).map(|alert| alert.to_string());
        assert_eq!(said(&[2, 120]).as_deref(), Some("fatal alert no_application_protocol"));
        assert_eq!(said(&[1, 0]).as_deref(), Some("warning alert close_notify"));
        assert_eq!(said(&[2, 99]).as_deref(), Some("fatal alert description 0x63"));
        assert_eq!(said(&[2]), None);
        assert_eq!(said(&[2, 120, 2]), None);
    }

    #[test]
    fn numbers_that_test_a_servers_patience_are_known() {
        assert!(ProtocolVersion::from(0x0a0a).is_grease());
        assert!(ProtocolVersion::from(0xfafa).is_grease());
        assert!(!ProtocolVersion::from(0x0a1a).is_grease());
        assert!(!ProtocolVersion::Tls13.is_grease());
        assert!(!ProtocolVersion::from(0x0b0b).is_grease());
    }

    #[test]
    fn who_closes_ends_its_part_without_anything_being_wrong() {
        let ends = |content: &[u8]| {
            let alert = Alert::parse(content).expect("it is one");
            (alert.is_closure(), alert.is_fatal(), alert.ends_the_senders_part())
        };
        assert_eq!(ends(&[1, 0]), (true, false, true), "close_notify");
        assert_eq!(ends(&[2, 0]), (true, false, true), "close_notify, with whatever level");
        assert_eq!(ends(&[1, 90]), (true, false, false), "user_canceled, behind which close_notify comes");
        assert_eq!(ends(&[2, 40]), (false, true, true), "handshake_failure");
        assert_eq!(ends(&[1, 112]), (false, false, false), "unrecognized_name as a warning");
    }
}
