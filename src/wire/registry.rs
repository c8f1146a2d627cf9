//! How the number spaces of a protocol become types: open enums, since every registry grows and senders also probe with
//! numbers that nobody assigned.
//!
//! A file that declares one has `std::fmt` in scope.

/// Declares an open enum over a wire number, with both conversions and the registered names.
macro_rules! registry {
    (
        $(#[$about:meta])*
        $registry:ident: $number:ty, unknown $unknown:literal,
        $($(#[$entry_about:meta])* $entry:ident = $value:literal $name:literal,)+
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $registry {
            $($(#[$entry_about])* $entry,)+
            /// Any other number. Converting from a number gives this for unassigned ones only.
            Unknown($number),
        }

        impl $registry {
            /// The entry registered under `name`, which is written as [`Display`](fmt::Display)
            /// writes it.
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$entry),)+
                    _ => None,
                }
            }
        }

        impl From<$number> for $registry {
            fn from(number: $number) -> Self {
                match number {
                    $($value => Self::$entry,)+
                    other => Self::Unknown(other),
                }
            }
        }

        impl From<$registry> for $number {
            fn from(entry: $registry) -> Self {
                match entry {
                    $($registry::$entry => $value,)+
                    $registry::Unknown(number) => number,
                }
            }
        }

        impl fmt::Display for $registry {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$entry => f.pad($name),)+
                    Self::Unknown(number) => write!(f, concat!($unknown, " {:#x}"), number),
                }
            }
        }
    };
}

pub(in crate::wire) use registry;
