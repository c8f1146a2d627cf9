//! From a logged secret to the key and nonce of one direction: RFC 8446 section 7 for TLS 1.3, RFC 5246 section 6.3 for
//! TLS 1.2.
//!
//! HKDF and HMAC are ring's; what is here is which bytes go into them.

use ring::{hkdf, hmac};

use super::cipher::{Cipher, Hash};

/// A key and what nonces are made of.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) key: Vec<u8>,
    /// As long as a nonce, or the four bytes at its beginning where records bring the rest.
    pub(super) iv: Vec<u8>,
}

/// The keys of a traffic secret (TLS 1.3); nothing if the secret has not the length of the suite's hash.
pub(super) fn traffic_keys(cipher: Cipher, secret: &[u8]) -> Option<Keys> {
    let key = expand_label(cipher.hash, secret, "key", cipher.aead.key_len())?;
    let iv = expand_label(cipher.hash, secret, "iv", cipher.aead.nonce_len())?;
    Some(Keys { key, iv })
}

/// The traffic secret after a KeyUpdate (TLS 1.3).
pub(super) fn next_secret(hash: Hash, secret: &[u8]) -> Option<Vec<u8>> {
    expand_label(hash, secret, "traffic upd", hash.length())
}

/// The keys of client and server (TLS 1.2).
pub(super) fn master_keys(
    cipher: Cipher,
    master: &[u8],
    client_random: &[u8; 32],
    server_random: &[u8; 32],
) -> [Keys; 2] {
    let key = cipher.aead.key_len();
    let iv = if cipher.explicit_nonce { 4 } else { cipher.aead.nonce_len() };
    let seed = [b"key expansion", &server_random[..], client_random].concat();
    let block = pseudorandom(cipher.hash, master, &seed, 2 * (key + iv));
    let (keys, ivs) = block.split_at(2 * key);
    let of =
        |side: usize| Keys { key: keys[side * key..][..key].to_vec(), iv: ivs[side * iv..][..iv].to_vec() };
    [of(0), of(1)]
}

/// HKDF-Expand-Label with an empty context.
fn expand_label(hash: Hash, secret: &[u8], label: &str, length: usize) -> Option<Vec<u8>> {
    if secret.len() != hash.length() {
        return None;
    }
    let label = ["tls13 ", label].concat();
    let info = [&(length as u16).to_be_bytes()[..], &[label.len() as u8], label.as_bytes(), &[0]].concat();
    let mut output = vec![0; length];
    let secret = hkdf::Prk::new_less_safe(hash.hkdf(), secret);
    secret.expand(&[&info], Length(length)).and_then(|key| key.fill(&mut output)).ok()?;
    Some(output)
}

struct Length(usize);

impl hkdf::KeyType for Length {
    fn len(&self) -> usize {
        self.0
    }
}

/// The PRF of TLS 1.2 (RFC 5246 section 5), `seed` with its label.
fn pseudorandom(hash: Hash, secret: &[u8], seed: &[u8], length: usize) -> Vec<u8> {
    let key = hmac::Key::new(hash.hmac(), secret);
    let mut output = Vec::with_capacity(length + hash.length());
    let mut chained = hmac::sign(&key, seed);
    while output.len() < length {
        let mut context = hmac::Context::with_key(&key);
        context.update(chained.as_ref());
        context.update(seed);
        output.extend_from_slice(context.sign().as_ref());
        chained = hmac::sign(&key, chained.as_ref());
    }
    output.truncate(length);
    output
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::tls::{CipherSuite, ProtocolVersion};

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// RFC 8448 section 3: the server's handshake traffic secret and its keys.
    #[test]
    fn the_keys_of_rfc_8448_come_out() {
        let digits = "b67b7d690cc16c4e75e54213cb2d37b4e9c912bcded9105d42befd59d391ad38";
        let secret: Vec<u8> =
            (0..32).map(|at| u8::from_str_radix(&digits[2 * at..][..2], 16).unwrap()).collect();
        let cipher = Cipher::of(CipherSuite::Aes128Gcm, ProtocolVersion::Tls13).unwrap();
        let keys = traffic_keys(cipher, &secret).unwrap();
        assert_eq!(hex(&keys.key), "3fce516009c21727d0f2e4e86ee403bc");
        assert_eq!(hex(&keys.iv), "5d313eb2671276ee13000b30");
        assert!(traffic_keys(cipher, &secret[1..]).is_none());
    }
}
