//! In what manner a field is written.
//!
//! HPACK leaves every choice to the writer, and a test-bed has to make the choices of the client
//! it stands for, since a multiplexer or a server may get one of them wrong. The choices here are
//! those in which recorded clients differ, no more: nobody was seen to prefer an old entry to a
//! new one, or a dynamic entry to a static one.
//!
//! A literal larger than the whole dynamic table is not indexed, whatever the policy says: no
//! known encoder empties its table for nothing. Only a recorded block can do that.

use super::table::{OVERHEAD, Table, find_first_static_name, find_last_static_name};
use super::{Indexing, NameForm, Representation, huffman};

/// How to write a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Whether a field that stands in a table, value included, is written as its index: the
    /// static entry, else the newest dynamic one.
    pub indexed_when_known: bool,
    /// What a literal does to the dynamic table.
    pub indexing: Indexing,
    /// Where the name of a literal comes from.
    pub name: NameSource,
    /// Whether a name that is spelled out is Huffman-coded.
    pub name_huffman: Huffman,
    /// Whether a value is Huffman-coded.
    pub value_huffman: Huffman,
}

/// Where the name of a literal comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameSource {
    /// A static entry with that name, else the newest dynamic one, else it is spelled out.
    FromTable(StaticEntry),
    /// It is spelled out even if a table has it, as C-core does.
    Spelled,
}

/// Which static entry gives its name where several share it: `:method`, `:path`, `:scheme` and
/// `:status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StaticEntry {
    /// That of the lowest index, as in nghttp2, Netty and h2: 4 for `:path`.
    First,
    /// That of the highest index, as in golang.org/x/net: 5 for `:path`.
    Last,
}

/// When to use the Huffman code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Huffman {
    /// If it saves at least one octet.
    WhenShorter,
    /// Even if it does not.
    Always,
    /// Not at all.
    Never,
}

impl Policy {
    /// golang.org/x/net/http2/hpack, and so grpc-go and net/http: full matches by index,
    /// everything else indexed, names from the last static entry, Huffman where it is shorter.
    /// A field that its caller calls sensitive differs: not `indexed_when_known`, and `Never`.
    pub const GO: Policy = Policy {
        indexed_when_known: true,
        indexing: Indexing::Incremental,
        name: NameSource::FromTable(StaticEntry::Last),
        name_huffman: Huffman::WhenShorter,
        value_huffman: Huffman::WhenShorter,
    };

    /// The form that a field gets by this policy, given the writer's table.
    pub(super) fn choose(self, name: &[u8], value: &[u8], table: &Table) -> Representation {
        if self.indexed_when_known
            && let Some(index) = table.find_field(name, value)
        {
            return Representation::Indexed { index };
        }
        let fits = name.len() + value.len() + OVERHEAD <= table.max_size() as usize;
        let static_name = match self.name {
            NameSource::Spelled => None,
            NameSource::FromTable(StaticEntry::First) => find_first_static_name(name),
            NameSource::FromTable(StaticEntry::Last) => find_last_static_name(name),
        };
        let index = static_name.or_else(|| match self.name {
            NameSource::Spelled => None,
            NameSource::FromTable(_) => table.find_dynamic_name(name),
        });
        Representation::Literal {
            indexing: match self.indexing {
                Indexing::Incremental if !fits => Indexing::Without,
                other => other,
            },
            name: match index {
                Some(index) => NameForm::Indexed { index },
                None => NameForm::Literal { huffman: self.name_huffman.applies_to(name) },
            },
            value_huffman: self.value_huffman.applies_to(value),
        }
    }
}

impl Huffman {
    fn applies_to(self, octets: &[u8]) -> bool {
        match self {
            Huffman::WhenShorter => huffman::encoded_length(octets) < octets.len(),
            Huffman::Always => true,
            Huffman::Never => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::hpack::Encoder;

    fn encode(encoder: &mut Encoder, name: &str, value: &str, policy: Policy) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.encode([(name.as_bytes(), value.as_bytes(), policy)], &mut out);
        out
    }

    #[test]
    fn each_choice_of_a_policy_shows() {
        let plain = Policy {
            indexed_when_known: false,
            indexing: Indexing::Without,
            name: NameSource::FromTable(StaticEntry::First),
            name_huffman: Huffman::Never,
            value_huffman: Huffman::Never,
        };
        let write = |name, value, policy| encode(&mut Encoder::new(), name, value, policy);
        assert_eq!(write(":path", "/", plain), b"\x04\x01/");
        assert_eq!(write(":path", "/", Policy { indexed_when_known: true, ..plain }), b"\x84");
        assert_eq!(write(":path", "/", Policy { indexing: Indexing::Never, ..plain }), b"\x14\x01/");
        let last = NameSource::FromTable(StaticEntry::Last);
        let indexed = Policy { indexing: Indexing::Incremental, name: last, ..plain };
        assert_eq!(write(":path", "/x", indexed), b"\x45\x02/x");
        let spelled = Policy { name: NameSource::Spelled, ..plain };
        assert_eq!(write("age", "1", spelled), b"\x00\x03age\x011");
        let coded = Policy { name_huffman: Huffman::Always, ..spelled };
        assert_eq!(write("age", "1", coded), b"\x00\x82\x1c\xc5\x011");
        // Two octets coded as well as not.
        let shorter = Policy { value_huffman: Huffman::WhenShorter, ..plain };
        assert_eq!(write("age", "07", shorter), b"\x0f\x06\x0207");
        assert_eq!(write("age", "000", shorter), b"\x0f\x06\x82\x00\x01");
    }

    #[test]
    fn the_newest_of_equal_names_is_taken() {
        let mut encoder = Encoder::new();
        for value in ["1", "2", "3"] {
            encode(&mut encoder, "grpc-timeout", value, Policy::GO);
        }
        assert_eq!(encode(&mut encoder, "grpc-timeout", "2", Policy::GO), [0xbf]);
        assert_eq!(encode(&mut encoder, "grpc-timeout", "4", Policy::GO), b"\x7e\x014");
    }

    #[test]
    fn what_the_table_cannot_hold_is_not_indexed() {
        let mut encoder = Encoder::with_table_size(34);
        assert_eq!(encode(&mut encoder, "a", "1", Policy::GO)[0], 0x40);
        assert_eq!(encode(&mut encoder, "a", "12", Policy::GO)[0], 0x0f);
        assert_eq!(encode(&mut encoder, "a", "1", Policy::GO), [0xbe]);
    }
}
