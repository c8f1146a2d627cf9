//! Declaring a type's byte form: once, for both directions.
//!
//! [`choice!`] takes an enum's variants in the order of their tags, [`record!`] a struct's fields in the order of their
//! bytes. Both name every variant and field in patterns without a rest, so that a new one does not compile before it
//! has a place here.

use super::{Reader, Writer};
use crate::script::OneOrMore;

/// Something that can be read from any bytes, and written so that it is read back.
pub(crate) trait ByteForm: Sized {
    fn read(input: &mut Reader<'_>) -> Self;
    fn write(&self, output: &mut Writer<'_>);
}

/// Something that a list can hold, or an option: it says of itself that it is there.
pub(crate) trait Listed: Sized {
    fn read_next(input: &mut Reader<'_>) -> Option<Self>;
    fn write_next(&self, output: &mut Writer<'_>);
}

impl<T: Listed> ByteForm for Vec<T> {
    fn read(input: &mut Reader<'_>) -> Self {
        std::iter::from_fn(|| T::read_next(input)).collect()
    }

    fn write(&self, output: &mut Writer<'_>) {
        self.iter().for_each(|element| output.element(element));
        output.end();
    }
}

impl<T: Listed> ByteForm for Option<T> {
    fn read(input: &mut Reader<'_>) -> Self {
        T::read_next(input)
    }

    fn write(&self, output: &mut Writer<'_>) {
        match self {
            Some(value) => output.option(value),
            None => output.end(),
        }
    }
}

impl<T: ByteForm> ByteForm for Box<T> {
    fn read(input: &mut Reader<'_>) -> Self {
        Self::new(T::read(input))
    }

    fn write(&self, output: &mut Writer<'_>) {
        T::write(self, output);
    }
}

/// The first element is there in any case: a byte that would end the list is then the commonest choice.
impl<T: ByteForm + Listed> ByteForm for OneOrMore<T> {
    fn read(input: &mut Reader<'_>) -> Self {
        let first = T::read_next(input).unwrap_or_else(|| T::read(&mut Reader::new(&[])));
        Self::new(first, Vec::read(input))
    }

    fn write(&self, output: &mut Writer<'_>) {
        self.iter().for_each(|element| output.element(element));
        output.end();
    }
}

/// The form of an enum: `Variant`, `Variant { 0: name }` for a tuple variant, `Variant { field: name }`.
macro_rules! choice {
    ($type:ident { $($variant:ident $({ $($field:tt: $name:ident),+ })?),+ $(,)? }) => {
        const _: () = {
            #[derive(Clone, Copy)]
            enum Tag { $($variant),+ }

            const TAGS: &[Tag] = &[$(Tag::$variant),+];

            fn read_tagged(tag: Tag, input: &mut Reader<'_>) -> $type {
                // Variants may all be without fields.
                let _ = &input;
                match tag {
                    $(Tag::$variant => {
                        $($(let $name = ByteForm::read(input);)+)?
                        $type::$variant { $($($field: $name),+)? }
                    })+
                }
            }

            fn write_tagged(value: &$type, base: u8, output: &mut Writer<'_>) {
                match value {
                    $($type::$variant { $($($field: $name),+)? } => {
                        output.tag(base + Tag::$variant as u8);
                        $($(ByteForm::write($name, output);)+)?
                    })+
                }
            }

            impl ByteForm for $type {
                fn read(input: &mut Reader<'_>) -> Self {
                    let tag = TAGS[input.choose(TAGS.len())];
                    read_tagged(tag, input)
                }

                fn write(&self, output: &mut Writer<'_>) {
                    write_tagged(self, 0, output);
                }
            }

            impl Listed for $type {
                fn read_next(input: &mut Reader<'_>) -> Option<Self> {
                    let tag = *TAGS.get(input.choose(TAGS.len() + 1).checked_sub(1)?)?;
                    Some(read_tagged(tag, input))
                }

                fn write_next(&self, output: &mut Writer<'_>) {
                    write_tagged(self, 1, output);
                }
            }
        };
    };
}

/// The form of a struct: its fields, one after another.
macro_rules! record {
    ($type:ident { $($field:ident),+ $(,)? }) => {
        impl ByteForm for $type {
            fn read(input: &mut Reader<'_>) -> Self {
                $(let $field = ByteForm::read(input);)+
                Self { $($field),+ }
            }

            fn write(&self, output: &mut Writer<'_>) {
                let Self { $($field),+ } = self;
                $(ByteForm::write($field, output);)+
            }
        }
    };
}

/// What has no choice to begin with: a 1 before it says that it is there.
macro_rules! listed_by_a_byte {
    ($($type:ty),+ $(,)?) => {$(
        impl Listed for $type {
            fn read_next(input: &mut Reader<'_>) -> Option<Self> {
                (input.choose(2) == 1).then(|| ByteForm::read(input))
            }

            fn write_next(&self, output: &mut Writer<'_>) {
                output.tag(1);
                self.write(output);
            }
        }
    )+};
}

pub(super) use record;
pub(crate) use {choice, listed_by_a_byte};
