//! Faults that tests plant to see that they are found.
//!
//! A place that could be wrong asks whether it is to be. Outside this crate's own tests the answer is `false` while it is
//! compiled, so that there is nothing to be left on and nothing is spent; in them it is asked of the thread, since tests
//! run beside each other.

/// A fault, each of a kind that a multiplexer or a codec can really have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The classifier decides a byte later than it can.
    LateDecision,
    /// A frame's header that comes in two pieces loses a byte.
    ByteLostAtACut,
    /// The back end's acknowledgement of SETTINGS reaches a client that has one already.
    SurplusAck,
    /// More is kept for a decision than the limit allows.
    UnboundedBuffer,
    /// Nobody looks at the clock.
    MissedDeadline,
    /// Huffman-coded strings are padded with zeros.
    WrongHuffmanPadding,
}

/// Whether this fault is there.
#[cfg(not(test))]
#[inline(always)]
pub(crate) const fn is_planted(_: Fault) -> bool {
    false
}

#[cfg(test)]
pub(crate) use planting::{is_planted, with};

#[cfg(test)]
mod planting {
    use std::cell::Cell;

    use super::Fault;

    thread_local! {
        static PLANTED: Cell<Option<Fault>> = const { Cell::new(None) };
    }

    pub(crate) fn is_planted(fault: Fault) -> bool {
        PLANTED.get() == Some(fault)
    }

    /// Does something on this thread with a fault, and takes it out again whatever happens.
    pub(crate) fn with<T>(fault: Option<Fault>, run: impl FnOnce() -> T) -> T {
        struct Uproot;
        impl Drop for Uproot {
            fn drop(&mut self) {
                PLANTED.set(None);
            }
        }
        let _uproot = Uproot;
        PLANTED.set(fault);
        run()
    }
}
