//! A script as bytes, in which every byte string is some script.
//!
//! That is what a fuzzer needs: it changes bytes blindly, and should meet another script and not an error. So
//! [`Script::from_bytes`] never fails, and small changes of the bytes are small changes of the script:
//!
//! - what there is a choice of is told by a byte, modulo the number of choices, the commonest first;
//! - a list has no length: each element begins with its choice, counted from 1, and 0 ends the list. Taking bytes out or
//!   putting some in adds or removes elements and leaves the others alone;
//! - behind the end there are zeros, which end every list; a text or payload has as many bytes as are left;
//! - numbers up to 247 are one byte; a greater byte says how many follow, the highest first;
//! - what is rarely said of a client or a network is a list of what differs from the default;
//! - a header list is referred to by its place among those of the script, so a reference never leads nowhere.
//!
//! [`Script::to_bytes`] is its inverse for every script that has a text. Each type's form is declared once, and both
//! directions are made of the declaration: a variant or field that it lacks does not compile.
//!
//! Left out are versions of the form. When it changes, seeds are made anew from their texts.

mod behaviour;
mod declare;
mod parts;
mod primitive;
mod step;

use std::collections::BTreeSet;

use super::{FieldList, Script};

pub(crate) use declare::{ByteForm, Listed, choice, listed_by_a_byte};
pub(crate) use primitive::{Element, Reader, Writer};

impl Script {
    /// The script that these bytes are: for any bytes, in time and memory in proportion to their number.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::from_bytes_with_rest(bytes).0
    }

    /// The same, and what stands behind the script.
    pub(crate) fn from_bytes_with_rest(bytes: &[u8]) -> (Self, &[u8]) {
        let mut input = Reader::new(bytes);
        let field_lists = field_lists(&mut input);
        input.name_lists(&field_lists);
        let script = Self {
            field_lists,
            clients: ByteForm::read(&mut input),
            server: ByteForm::read(&mut input),
            network: ByteForm::read(&mut input),
            expectations: ByteForm::read(&mut input),
            afterwards: ByteForm::read(&mut input),
        };
        (script, input.rest())
    }

    /// The script as bytes, of which [`Self::from_bytes`] makes the same script.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_elements().0
    }

    /// The same, and where in them its clients, steps, frames, cuts and so on are; the inner before the outer.
    pub(crate) fn to_elements(&self) -> (Vec<u8>, Vec<Element>) {
        let Self { field_lists, clients, server, network, expectations, afterwards } = self;
        let mut output = Writer::new(field_lists);
        field_lists.write(&mut output);
        clients.write(&mut output);
        server.write(&mut output);
        network.write(&mut output);
        expectations.write(&mut output);
        afterwards.write(&mut output);
        output.into_elements()
    }
}

/// Of several lists of one name the first counts.
fn field_lists(input: &mut Reader<'_>) -> Vec<FieldList> {
    let mut lists: Vec<FieldList> = ByteForm::read(input);
    let mut taken = BTreeSet::new();
    lists.retain(|list| taken.insert(list.name.clone()));
    lists
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::servers::Front;

    fn bytes(text: &str) -> Vec<u8> {
        let script = Script::parse("t", text).expect("it is well formed");
        let bytes = script.to_bytes();
        assert_eq!(Script::from_bytes(&bytes), script);
        bytes
    }

    #[test]
    fn nothing_is_the_empty_script() {
        assert_eq!(Script::from_bytes(&[]), Script::default());
        assert_eq!(Script::from_bytes(&[0; 100]), Script::default());
    }

    #[test]
    fn common_things_are_short() {
        let call = "headers 1 grpc /grpc.health.v1.Health/Check";
        let ladder = format!("client \"\"\n  > preface, settings\n  < settings\n  > {call}\n");
        let lists: &[u8] = &[0];
        let written_out: &[u8] = &[1];
        let steps: [&[u8]; 4] = [&[1, 1, 2, 0, 0], &[2, 0, 0, 0], &[1, 3, 0, 0, 0, 0, 0], &[0]];
        let particulars_and_name: &[u8] = &[0, 0];
        let the_end_of_everything_else: &[u8] = &[0, 0, 0, 0, 0, 0, 0];
        let expected =
            [lists, written_out, &steps.concat(), particulars_and_name, the_end_of_everything_else];
        assert_eq!(bytes(&ladder), expected.concat());
    }

    #[test]
    fn an_element_can_be_taken_out_and_the_others_stay() {
        let script = |text: &str| Script::parse("t", text).expect("it is well formed");
        let whole =
            script("client \"c\"\n  > preface, ping 0102030405060708\n  < settings within 5s\n  close\n");
        let (bytes, elements) = whole.to_elements();
        let without = |element: &Element| {
            let gap: &[u8] = if element.is_option { &[0] } else { &[] };
            let rest = [&bytes[..element.range.start], gap, &bytes[element.range.end..]].concat();
            Script::from_bytes(&rest).to_string()
        };
        let left: Vec<String> = elements.iter().map(without).collect();
        let client = |steps: &str| format!("client \"c\"\n{steps}");
        let expected = [
            client("  > ping 0102030405060708\n  < settings within 5s\n  close\n"),
            client("  > preface\n  < settings within 5s\n  close\n"),
            client("  < settings within 5s\n  close\n"),
            client("  > preface, ping 0102030405060708\n  < settings\n  close\n"),
            client("  > preface, ping 0102030405060708\n  close\n"),
            client("  > preface, ping 0102030405060708\n  < settings within 5s\n"),
            String::new(),
        ];
        assert_eq!(left, expected);
    }

    #[test]
    fn cutting_the_bytes_ends_what_they_say() {
        let whole = bytes("client \"name\"\n  > preface\n  > settings\n  close\nserver mux\n");
        let steps = |length: usize| {
            let script = Script::from_bytes(&whole[..length]);
            script.to_string().lines().filter(|line| line.starts_with("  ")).count()
        };
        assert!((0..=whole.len()).map(steps).is_sorted());
        assert_eq!((steps(0), steps(whole.len())), (0, 3));
    }

    #[test]
    fn a_server_that_answers_by_itself_has_nothing_behind_it() {
        for front in 0..=u8::MAX {
            let script = Script::from_bytes(&[0, 0, front, 3]);
            let Some(server) = script.server else { continue };
            assert_eq!(server.to_string().parse(), Ok(server));
        }
        assert_eq!(Script::from_bytes(&[0, 0, 1]).server, Some(Front::Mux.into()));
    }
}
