//! The parts that frames are made of: a priority, a setting, a window increment.
//!
//! They are as wide as on the wire and hold any value that fits there, since a SETTINGS frame
//! with a forbidden value is something a test-bed has to be able to send. The ranges stand here
//! beside the types; [`RawFrame::parse`](super::RawFrame::parse) applies them.

use bytes::{Buf, BufMut, Bytes};

use super::raw::StreamId;
use super::registry::SettingId;

/// RFC 7540's place of a stream in the dependency tree (section 5.3 there; deprecated by RFC 9113
/// section 5.3.2, and still sent by clients).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority {
    /// Whether the dependency's other children are to depend on this stream instead.
    pub exclusive: bool,
    /// The stream it depends on; 0 is the root.
    pub dependency: StreamId,
    /// The octet as written, which stands for a weight one higher: 1 to 256.
    pub weight: u8,
}

/// One parameter of a SETTINGS frame (RFC 9113 section 6.5.1), whatever its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Which parameter.
    pub id: SettingId,
    /// Its value.
    pub value: u32,
}

/// The 31 bits of a WINDOW_UPDATE, in octets (RFC 9113 section 6.9). 0 can be written and is an
/// error to receive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Increment(u32);

impl Increment {
    /// The greatest increment, 2^31-1.
    pub const MAX: Increment = Increment((1 << 31) - 1);

    /// That many octets; `None` above 2^31-1.
    pub const fn new(octets: u32) -> Option<Increment> {
        if octets <= Self::MAX.0 { Some(Increment(octets)) } else { None }
    }

    /// The low 31 bits; the one above them is reserved.
    pub(super) const fn from_word(word: u32) -> Increment {
        Increment(word & Self::MAX.0)
    }
}

impl From<Increment> for u32 {
    fn from(increment: Increment) -> Self {
        increment.0
    }
}

impl Priority {
    /// Octets on the wire.
    pub(super) const LENGTH: usize = 5;

    /// The caller has seen to it that [`Priority::LENGTH`] octets are there.
    pub(super) fn read(payload: &mut Bytes) -> Priority {
        let (exclusive, dependency) = StreamId::from_word(payload.get_u32());
        Priority { exclusive, dependency, weight: payload.get_u8() }
    }

    pub(super) fn to_octets(self) -> [u8; Self::LENGTH] {
        let [a, b, c, d] = self.dependency.to_word(self.exclusive).to_be_bytes();
        [a, b, c, d, self.weight]
    }
}

impl Setting {
    /// Octets on the wire.
    pub(super) const LENGTH: usize = 6;

    /// The caller has seen to it that [`Setting::LENGTH`] octets are there.
    pub(super) fn read(payload: &mut Bytes) -> Setting {
        Setting { id: payload.get_u16().into(), value: payload.get_u32() }
    }

    pub(super) fn write(self, out: &mut Vec<u8>) {
        out.put_u16(self.id.into());
        out.put_u32(self.value);
    }

    /// Whether a peer may send this value (RFC 9113 section 6.5.2, RFC 8441 section 3, RFC 9218
    /// section 2.1). Anything goes for a setting that is not known.
    pub fn is_allowed(self) -> bool {
        match self.id {
            SettingId::EnablePush | SettingId::EnableConnectProtocol | SettingId::NoRfc7540Priorities => {
                self.value <= 1
            }
            SettingId::InitialWindowSize => self.value < 1 << 31,
            SettingId::MaxFrameSize => (1 << 14..1 << 24).contains(&self.value),
            SettingId::HeaderTableSize
            | SettingId::MaxConcurrentStreams
            | SettingId::MaxHeaderListSize
            | SettingId::Unknown(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_values_have_ranges() {
        use SettingId::*;
        let edges = [
            (EnablePush, 1, 2),
            (EnableConnectProtocol, 1, 2),
            (NoRfc7540Priorities, 0, u32::MAX),
            (InitialWindowSize, (1 << 31) - 1, 1 << 31),
            (MaxFrameSize, 16_384, 16_383),
            (MaxFrameSize, 16_777_215, 16_777_216),
        ];
        for (id, allowed, refused) in edges {
            assert!(Setting { id, value: allowed }.is_allowed(), "{id} {allowed}");
            assert!(!Setting { id, value: refused }.is_allowed(), "{id} {refused}");
        }
        for id in [HeaderTableSize, MaxConcurrentStreams, MaxHeaderListSize, Unknown(0x0a0a)] {
            assert!(Setting { id, value: u32::MAX }.is_allowed(), "{id}");
        }
    }

    #[test]
    fn the_exclusive_bit_is_not_part_of_the_dependency() {
        let octets: &[u8] = b"\x80\0\0\x03\x0f";
        let priority = Priority::read(&mut Bytes::from_static(octets));
        assert!(priority.exclusive);
        assert_eq!((u32::from(priority.dependency), priority.weight), (3, 15));
        assert_eq!(priority.to_octets(), octets);
    }

    #[test]
    fn increments_have_31_bits() {
        assert_eq!(Increment::from_word(u32::MAX), Increment::MAX);
        assert_eq!(Increment::new(1 << 31), None);
    }
}
