//! Cryptography without chance: ring's, with random numbers and key exchange of our own.
//!
//! ring draws its X25519 keys from the system, which would make every run different, so the exchange is x25519-dalek's with a
//! key drawn here. The generator belongs to the run: each run has a thread for itself, and begins with [`begin_run`].
//!
//! Since each run draws the same keys, their products are kept: a scenario is run under many schedules, and multiplying them was
//! most of what a handshake cost.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use rustls::crypto::{
    ActiveKeyExchange, CryptoProvider, GetRandomFailed, SecureRandom, SharedSecret, SupportedKxGroup, ring,
};
use rustls::pki_types::UnixTime;
use rustls::time_provider::TimeProvider;
use rustls::{Error, NamedGroup, PeerMisbehaved, SignatureAlgorithm};
use x25519_dalek::{PublicKey, StaticSecret};

/// The first state of every run's generator; any number but 0 does.
const SEED: u64 = 0x6d75_7862_6564_2020;

/// The most products that a thread keeps.
const MOST_PRODUCTS: usize = 8192;

type Key = [u8; 32];

thread_local! {
    static GENERATOR: Cell<u64> = const { Cell::new(SEED) };
    /// What comes of a secret with the base point, or with a peer's key.
    static PRODUCTS: RefCell<BTreeMap<(Key, Option<Key>), Key>> = const { RefCell::new(BTreeMap::new()) };
}

/// Puts this thread's generator at its beginning.
pub(crate) fn begin_run() {
    GENERATOR.set(SEED);
}

pub(super) static PROVIDER: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    Arc::new(CryptoProvider {
        kx_groups: vec![&Exchange],
        secure_random: &Generator,
        ..ring::default_provider()
    })
});

/// The same without the suites that a certificate of another kind needs.
pub(super) static RSA_ALONE: LazyLock<Arc<CryptoProvider>> = LazyLock::new(|| {
    let mut provider = CryptoProvider::clone(&PROVIDER);
    provider.cipher_suites.retain(|suite| suite.usable_for_signature_algorithm(SignatureAlgorithm::RSA));
    Arc::new(provider)
});

/// A clock that stands still at the beginning of the captures' year.
#[derive(Debug)]
pub(super) struct StoppedClock;

impl TimeProvider for StoppedClock {
    fn current_time(&self) -> Option<UnixTime> {
        Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600)))
    }
}

/// Xorshift (Marsaglia, 2003): nothing here is a secret.
#[derive(Debug)]
struct Generator;

impl SecureRandom for Generator {
    fn fill(&self, buffer: &mut [u8]) -> Result<(), GetRandomFailed> {
        for chunk in buffer.chunks_mut(8) {
            let mut state = GENERATOR.get();
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            GENERATOR.set(state);
            chunk.copy_from_slice(&state.to_be_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

#[derive(Debug)]
struct Exchange;

impl SupportedKxGroup for Exchange {
    fn start(&self) -> Result<Box<dyn ActiveKeyExchange>, Error> {
        let mut secret = Key::default();
        Generator.fill(&mut secret)?;
        Ok(Box::new(Started { secret, public: product(secret, None) }))
    }

    fn name(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

struct Started {
    secret: Key,
    public: Key,
}

impl ActiveKeyExchange for Started {
    fn complete(self: Box<Self>, peer: &[u8]) -> Result<SharedSecret, Error> {
        let peer = Key::try_from(peer).map_err(|_| PeerMisbehaved::InvalidKeyShare)?;
        Ok(SharedSecret::from(product(self.secret, Some(peer)).as_slice()))
    }

    fn pub_key(&self) -> &[u8] {
        &self.public
    }

    fn group(&self) -> NamedGroup {
        NamedGroup::X25519
    }
}

fn product(secret: Key, peer: Option<Key>) -> Key {
    PRODUCTS.with_borrow_mut(|products| {
        if products.len() >= MOST_PRODUCTS {
            products.clear();
        }
        *products.entry((secret, peer)).or_insert_with(|| {
            let secret = StaticSecret::from(secret);
            match peer {
                None => PublicKey::from(&secret).to_bytes(),
                Some(peer) => secret.diffie_hellman(&PublicKey::from(peer)).to_bytes(),
            }
        })
    })
}
