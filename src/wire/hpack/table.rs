//! The static and the dynamic table (RFC 7541 section 2.3 and appendix A).
//!
//! They share one index space: 1 to 61 are fixed, 62 is the newest dynamic entry and the oldest
//! has the highest index. Both ends of a connection hold the same dynamic table, and both count
//! 32 octets on top of each entry's name and value, so that its size says when entries go.
//!
//! Looking an entry up by content is a walk through the table. It is for the encoder alone, which
//! has at most some two hundred entries before it at the usual size.

use std::collections::VecDeque;
use std::num::NonZeroU32;

use bytes::Bytes;

use super::HpackError;

/// What an entry or a header list counts for each field on top of its octets (RFC 7541
/// section 4.1, RFC 9113 section 6.5.2).
pub(super) const OVERHEAD: usize = 32;

/// Entries to make room for at once.
const USUAL_ENTRIES: usize = 8;

/// The dynamic table, and through it the static one.
#[derive(Clone, Debug)]
pub(super) struct Table {
    /// Newest first.
    entries: VecDeque<Entry>,
    size: usize,
    max_size: u32,
}

/// A name and a value.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) name: Bytes,
    pub(super) value: Bytes,
}

impl Entry {
    /// Octets it counts in a table or a header list.
    pub(super) fn size(&self) -> usize {
        self.name.len() + self.value.len() + OVERHEAD
    }

    fn is(&self, name: &[u8], value: &[u8]) -> bool {
        self.name == name && self.value == value
    }
}

impl Table {
    pub(super) fn new(max_size: u32) -> Table {
        Table { entries: VecDeque::new(), size: 0, max_size }
    }

    pub(super) fn max_size(&self) -> u32 {
        self.max_size
    }

    /// Changes the size, dropping the oldest entries as needed (section 4.3).
    pub(super) fn resize(&mut self, max_size: u32) {
        self.max_size = max_size;
        self.evict(0);
    }

    /// Makes `entry` the newest. One larger than the whole table empties it (section 4.4).
    pub(super) fn insert(&mut self, entry: Entry) {
        let size = entry.size();
        self.evict(size);
        if size <= self.max_size as usize {
            self.size += size;
            if self.entries.capacity() == 0 {
                self.entries.reserve(USUAL_ENTRIES);
            }
            self.entries.push_front(entry);
        }
    }

    pub(super) fn entry(&self, index: NonZeroU32) -> Result<Entry, HpackError> {
        match fixed(index) {
            Some((name, value)) => Ok(Entry {
                name: Bytes::from_static(name.as_bytes()),
                value: Bytes::from_static(value.as_bytes()),
            }),
            None => self.dynamic(index).cloned(),
        }
    }

    pub(super) fn name(&self, index: NonZeroU32) -> Result<Bytes, HpackError> {
        match fixed(index) {
            Some((name, _)) => Ok(Bytes::from_static(name.as_bytes())),
            None => self.dynamic(index).map(|entry| entry.name.clone()),
        }
    }

    /// The entry at an index above the static ones.
    fn dynamic(&self, index: NonZeroU32) -> Result<&Entry, HpackError> {
        let last = (STATIC.len() + self.entries.len()) as u32;
        let entry = self.entries.get(index.get() as usize - 1 - STATIC.len());
        entry.ok_or(HpackError::IndexOutOfTable { index, last })
    }

    /// The index of a field: the static entry if there is one, else the newest dynamic one.
    pub(super) fn find_field(&self, name: &[u8], value: &[u8]) -> Option<NonZeroU32> {
        let fixed = named(name).find(|&position| STATIC[position].1.as_bytes() == value);
        let position = fixed.or_else(|| {
            let dynamic = self.entries.iter().position(|entry| entry.is(name, value));
            dynamic.map(|position| STATIC.len() + position)
        });
        position.and_then(index_of)
    }

    /// The index of the newest dynamic entry with that name.
    pub(super) fn find_dynamic_name(&self, name: &[u8]) -> Option<NonZeroU32> {
        let dynamic = self.entries.iter().position(|entry| entry.name == name);
        dynamic.and_then(|position| index_of(STATIC.len() + position))
    }

    fn evict(&mut self, needed: usize) {
        while self.size + needed > self.max_size as usize {
            match self.entries.pop_back() {
                Some(oldest) => self.size -= oldest.size(),
                None => return,
            }
        }
    }
}

fn fixed(index: NonZeroU32) -> Option<&'static (&'static str, &'static str)> {
    STATIC.get(index.get() as usize - 1)
}

/// The index of the first static entry with that name.
pub(super) fn find_first_static_name(name: &[u8]) -> Option<NonZeroU32> {
    named(name).next().and_then(index_of)
}

/// The index of the last static entry with that name.
pub(super) fn find_last_static_name(name: &[u8]) -> Option<NonZeroU32> {
    named(name).next_back().and_then(index_of)
}

/// Where the static entries with that name are.
fn named(name: &[u8]) -> impl DoubleEndedIterator<Item = usize> {
    let alike = match BY_LENGTH.starts.get(name.len()..) {
        Some(&[start, end, ..]) => &BY_LENGTH.positions[usize::from(start)..usize::from(end)],
        _ => &[],
    };
    let positions = alike.iter().map(|&position| usize::from(position));
    positions.filter(move |&position| STATIC[position].0.as_bytes() == name)
}

fn index_of(position: usize) -> Option<NonZeroU32> {
    NonZeroU32::new(position as u32 + 1)
}

/// The static entries by the lengths of their names, of which few have to be compared.
static BY_LENGTH: ByLength = ByLength::of_static();

struct ByLength {
    /// Positions in [`STATIC`], shorter names first, and rising among names of one length.
    positions: [u8; STATIC.len()],
    /// Where each length begins in there.
    starts: [u8; LONGEST_NAME + 2],
}

/// That of `access-control-allow-origin`.
const LONGEST_NAME: usize = 27;

impl ByLength {
    const fn of_static() -> ByLength {
        let mut sorted = ByLength { positions: [0; STATIC.len()], starts: [0; LONGEST_NAME + 2] };
        let mut sum = 0;
        let mut length = 0;
        while length <= LONGEST_NAME {
            sorted.starts[length] = sum as u8;
            let mut position = 0;
            while position < STATIC.len() {
                if STATIC[position].0.len() == length {
                    sorted.positions[sum] = position as u8;
                    sum += 1;
                }
                position += 1;
            }
            length += 1;
        }
        sorted.starts[length] = sum as u8;
        assert!(sum == STATIC.len(), "no name is longer");
        sorted
    }
}

/// RFC 7541 appendix A.
#[rustfmt::skip]
static STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"),
    (":path", "/index.html"), (":scheme", "http"), (":scheme", "https"), (":status", "200"),
    (":status", "204"), (":status", "206"), (":status", "304"), (":status", "400"),
    (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""),
    ("accept", ""), ("access-control-allow-origin", ""), ("age", ""), ("allow", ""),
    ("authorization", ""), ("cache-control", ""), ("content-disposition", ""),
    ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""),
    ("date", ""), ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""),
    ("if-match", ""), ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""),
    ("if-unmodified-since", ""), ("last-modified", ""), ("link", ""), ("location", ""),
    ("max-forwards", ""), ("proxy-authenticate", ""), ("proxy-authorization", ""), ("range", ""),
    ("referer", ""), ("refresh", ""), ("retry-after", ""), ("server", ""), ("set-cookie", ""),
    ("strict-transport-security", ""), ("transfer-encoding", ""), ("user-agent", ""), ("vary", ""),
    ("via", ""), ("www-authenticate", ""),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn index(number: u32) -> NonZeroU32 {
        NonZeroU32::new(number).unwrap()
    }

    fn entry(name: &'static str, value: &'static str) -> Entry {
        Entry { name: name.into(), value: value.into() }
    }

    #[test]
    fn static_entries_have_their_numbers() {
        let table = Table::new(0);
        let listed = [
            (1, ":authority", ""),
            (2, ":method", "GET"),
            (16, "accept-encoding", "gzip, deflate"),
            (31, "content-type", ""),
            (61, "www-authenticate", ""),
        ];
        for (number, name, value) in listed {
            assert!(table.entry(index(number)).unwrap().is(name.as_bytes(), value.as_bytes()));
        }
        let beyond = HpackError::IndexOutOfTable { index: index(62), last: 61 };
        assert_eq!(table.entry(index(62)).unwrap_err(), beyond);
        assert!(table.entry(NonZeroU32::MAX).is_err());
    }

    #[test]
    fn a_name_has_several_entries() {
        assert_eq!(find_first_static_name(b":path"), Some(index(4)));
        assert_eq!(find_last_static_name(b":path"), Some(index(5)));
        assert_eq!(find_last_static_name(b":status"), Some(index(14)));
        assert_eq!(find_last_static_name(b"te"), None);
        for name in [&b""[..], b"access-control-allow-origim", b"access-control-allow-origin-"] {
            assert_eq!(find_first_static_name(name), None);
        }
        for (position, (name, value)) in STATIC.iter().enumerate() {
            let found = Table::new(0).find_field(name.as_bytes(), value.as_bytes());
            assert_eq!(found, index_of(position));
        }
        let mut table = Table::new(200);
        table.insert(entry("te", "trailers"));
        table.insert(entry("te", "gzip"));
        table.insert(entry("date", ""));
        assert_eq!(table.find_dynamic_name(b"te"), Some(index(63)));
        assert_eq!(table.find_field(b"te", b"trailers"), Some(index(64)));
        assert_eq!(table.find_field(b"date", b""), Some(index(33)));
        assert_eq!(table.find_field(b":path", b"/x"), None);
    }

    #[test]
    fn the_oldest_go_when_room_is_needed() {
        let mut table = Table::new(2 * 34);
        table.insert(entry("a", "1"));
        table.insert(entry("b", "2"));
        assert!(table.entry(index(63)).unwrap().is(b"a", b"1"));
        table.insert(entry("c", "3"));
        assert!(table.entry(index(63)).unwrap().is(b"b", b"2"));
        assert!(table.entry(index(64)).is_err());
        table.resize(2 * 34 - 1);
        assert!(table.entry(index(62)).unwrap().is(b"c", b"3"));
        assert!(table.entry(index(63)).is_err());
        table.insert(entry("too", "much for a table of 67 octets, as this one is"));
        assert!(table.entry(index(62)).is_err());
        assert_eq!(table.size, 0);
    }
}
