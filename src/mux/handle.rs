//! What can be told to a multiplexer that is running.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;

use super::sniff::Mux;

/// Tells a running multiplexer to take other rules, or to end. Clones tell the same one.
#[derive(Clone, Debug)]
pub struct Handle {
    control: Arc<Control>,
}

/// What a running multiplexer is told.
#[derive(Debug)]
pub(super) struct Control {
    mux: Mutex<Arc<Mux>>,
    drain: watch::Sender<Option<Duration>>,
    pending: AtomicUsize,
}

impl Handle {
    pub(super) fn new(mux: Mux) -> Self {
        let (drain, _) = watch::channel(None);
        let control = Control { mux: Mutex::new(Arc::new(mux)), drain, pending: AtomicUsize::new(0) };
        Self { control: Arc::new(control) }
    }

    /// Takes these rules, limits and TLS for connections that are accepted from now on. Those that are being sniffed
    /// go on with the ones they began with.
    pub fn replace(&self, mux: Mux) {
        *self.control.mux.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(mux);
    }

    /// Accepts no more, gives those that are being sniffed so long to be decided, and ends. The first call counts.
    pub fn drain(&self, within: Duration) {
        self.control.drain.send_if_modified(|drain| {
            let first = drain.is_none();
            drain.get_or_insert(within);
            first
        });
    }

    /// How many connections are being sniffed.
    pub fn pending(&self) -> usize {
        self.control.pending.load(Ordering::Relaxed)
    }

    pub(super) fn current(&self) -> Arc<Mux> {
        Arc::clone(&self.control.mux.lock().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn told_to_drain(&self) -> watch::Receiver<Option<Duration>> {
        self.control.drain.subscribe()
    }

    pub(super) fn set_pending(&self, pending: usize) {
        self.control.pending.store(pending, Ordering::Relaxed);
    }
}
