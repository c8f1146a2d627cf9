//! The smallest parts: choices, numbers, times, texts and payloads.

use std::num::{NonZeroU32, NonZeroUsize};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use ::bytes::Bytes;

use super::ByteForm;
use super::declare::{Listed, listed_by_a_byte};
use crate::script::FieldList;

/// The greatest number that is one byte.
const ONE_BYTE: u8 = 0xf7;

/// Bytes that are read as a script.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
    lists: Vec<Arc<str>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, lists: Vec::new() }
    }

    /// The next byte; 0 behind the end.
    pub(crate) fn byte(&mut self) -> u8 {
        match self.rest {
            [first, rest @ ..] => {
                self.rest = rest;
                *first
            }
            [] => 0,
        }
    }

    /// What has not been read.
    pub(super) fn rest(self) -> &'a [u8] {
        self.rest
    }

    /// One of so many choices, counted from 0.
    pub(crate) fn choose(&mut self, choices: usize) -> usize {
        usize::from(self.byte()) % choices
    }

    pub(crate) fn number(&mut self) -> u64 {
        match self.byte() {
            small @ ..=ONE_BYTE => small.into(),
            more => (ONE_BYTE..more).fold(0, |number, _| number << 8 | u64::from(self.byte())),
        }
    }

    /// So many bytes, or as many as are left.
    pub(crate) fn take(&mut self, length: u64) -> &'a [u8] {
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(self.rest.len());
        let (taken, rest) = self.rest.split_at(length);
        self.rest = rest;
        taken
    }

    /// Says which header lists steps may refer to.
    pub(super) fn name_lists(&mut self, lists: &[FieldList]) {
        self.lists = lists.iter().map(|list| list.name.as_str().into()).collect();
    }

    /// The name of one of the lists, if there are any.
    pub(super) fn list_name(&mut self) -> Option<Arc<str>> {
        let number = self.number();
        let count = self.lists.len() as u64;
        let place = number.checked_rem(count)?;
        self.lists.get(usize::try_from(place).ok()?).cloned()
    }
}

/// A part of a script's bytes that can be taken out or put elsewhere, and leaves a script in which nothing else differs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Element {
    /// Its bytes.
    pub(crate) range: Range<usize>,
    /// What it is: where one stands, another of the same kind can.
    pub(crate) kind: &'static str,
    /// Whether there may be only one, for whose absence a 0 stands.
    pub(crate) is_option: bool,
}

/// A script that becomes bytes.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    out: Vec<u8>,
    /// What has been written so far, the inner before the outer.
    elements: Vec<Element>,
    lists: &'a [FieldList],
}

impl<'a> Writer<'a> {
    pub(crate) fn new(lists: &'a [FieldList]) -> Self {
        Self { out: Vec::new(), elements: Vec::new(), lists }
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.out
    }

    pub(super) fn into_elements(self) -> (Vec<u8>, Vec<Element>) {
        (self.out, self.elements)
    }

    /// An element of a list.
    pub(super) fn element<T: Listed>(&mut self, element: &T) {
        self.part(element, false);
    }

    /// What an option holds.
    pub(super) fn option<T: Listed>(&mut self, value: &T) {
        self.part(value, true);
    }

    fn part<T: Listed>(&mut self, value: &T, is_option: bool) {
        let start = self.out.len();
        value.write_next(self);
        let kind = std::any::type_name::<T>();
        self.elements.push(Element { range: start..self.out.len(), kind, is_option });
    }

    pub(crate) fn tag(&mut self, tag: u8) {
        self.out.push(tag);
    }

    /// Ends a list.
    pub(crate) fn end(&mut self) {
        self.tag(0);
    }

    pub(crate) fn number(&mut self, number: u64) {
        match u8::try_from(number) {
            Ok(small) if small <= ONE_BYTE => self.out.push(small),
            _ => {
                let octets = number.to_be_bytes();
                let count = octets.len() - number.leading_zeros() as usize / 8;
                self.out.push(ONE_BYTE + count as u8);
                self.octets(&octets[octets.len() - count..]);
            }
        }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        self.octets(bytes);
    }

    pub(crate) fn octets(&mut self, octets: &[u8]) {
        self.out.extend_from_slice(octets);
    }

    /// The place of a list among those of the script.
    pub(super) fn list_name(&mut self, name: &str) {
        let place = self.lists.iter().position(|list| list.name == name);
        self.number(place.unwrap_or_default() as u64);
    }
}

impl ByteForm for bool {
    fn read(input: &mut Reader<'_>) -> Self {
        input.choose(2) == 1
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.tag((*self).into());
    }
}

impl ByteForm for u8 {
    fn read(input: &mut Reader<'_>) -> Self {
        input.byte()
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.tag(*self);
    }
}

impl ByteForm for [u8; 8] {
    fn read(input: &mut Reader<'_>) -> Self {
        std::array::from_fn(|_| input.byte())
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.octets(self);
    }
}

impl ByteForm for u64 {
    fn read(input: &mut Reader<'_>) -> Self {
        input.number()
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(*self);
    }
}

/// The low 32 bits of a number.
impl ByteForm for u32 {
    fn read(input: &mut Reader<'_>) -> Self {
        input.number() as u32
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number((*self).into());
    }
}

/// Counted from 1.
impl ByteForm for NonZeroUsize {
    fn read(input: &mut Reader<'_>) -> Self {
        let more = usize::try_from(input.number()).unwrap_or(usize::MAX);
        Self::MIN.saturating_add(more)
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(self.get() as u64 - 1);
    }
}

/// Counted from 1.
impl ByteForm for NonZeroU32 {
    fn read(input: &mut Reader<'_>) -> Self {
        let more = u32::try_from(input.number()).unwrap_or(u32::MAX);
        Self::MIN.saturating_add(more)
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.number(u64::from(self.get() - 1));
    }
}

/// A unit and how many of it.
impl ByteForm for Duration {
    fn read(input: &mut Reader<'_>) -> Self {
        let unit = UNITS[input.choose(UNITS.len())];
        Self::from_nanos(input.number().saturating_mul(unit))
    }

    fn write(&self, output: &mut Writer<'_>) {
        let nanoseconds = u64::try_from(self.as_nanos()).unwrap_or(u64::MAX);
        let exact = |unit: &u64| nanoseconds.is_multiple_of(*unit);
        let place = UNITS.iter().position(exact).unwrap_or_default();
        output.tag(place as u8);
        output.number(nanoseconds / UNITS[place]);
    }
}

/// Second, millisecond, microsecond and nanosecond in nanoseconds.
const UNITS: [u64; 4] = [1_000_000_000, 1_000_000, 1_000, 1];

impl ByteForm for Bytes {
    fn read(input: &mut Reader<'_>) -> Self {
        let length = input.number();
        Self::copy_from_slice(input.take(length))
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.bytes(self);
    }
}

impl ByteForm for String {
    fn read(input: &mut Reader<'_>) -> Self {
        let length = input.number();
        Self::from_utf8_lossy(input.take(length)).into_owned()
    }

    fn write(&self, output: &mut Writer<'_>) {
        output.bytes(self.as_bytes());
    }
}

listed_by_a_byte!(Duration, String, Bytes);

#[cfg(test)]
mod tests {
    use super::*;

    fn written<T: ByteForm>(value: &T) -> Vec<u8> {
        let mut output = Writer::new(&[]);
        value.write(&mut output);
        output.into_bytes()
    }

    fn read<T: ByteForm>(bytes: &[u8]) -> T {
        T::read(&mut Reader::new(bytes))
    }

    #[test]
    fn numbers_are_as_short_as_they_can_be() {
        for (number, length) in [(0, 1), (0xf7, 1), (0xf8, 2), (0xff, 2), (0x100, 3), (u64::MAX, 9)] {
            assert_eq!(written::<u64>(&number).len(), length, "{number}");
            assert_eq!(read::<u64>(&written(&number)), number);
        }
        assert_eq!(read::<u64>(&[0xff, 1]), 1 << 56);
        assert_eq!(read::<u32>(&[0xfc, 1, 0, 0, 0, 7]), 7);
    }

    #[test]
    fn a_payload_has_no_more_bytes_than_there_are() {
        assert_eq!(read::<Bytes>(&[0xff, 255, 255, 255, 255, 255, 255, 255, 255, 7]), vec![7]);
        assert_eq!(read::<String>(&[2, b'a', 0xff, b'z']), "a\u{fffd}");
    }

    #[test]
    fn times_keep_their_unit() {
        for time in [Duration::ZERO, Duration::from_secs(20), Duration::from_millis(5)] {
            assert_eq!(written(&time).len(), 2);
            assert_eq!(read::<Duration>(&written(&time)), time);
        }
        let longest = Duration::from_nanos(u64::MAX);
        assert_eq!(read::<Duration>(&written(&longest)), longest);
        assert_eq!(read::<Duration>(&[0, 0xff, 255, 255, 255, 255, 255, 255, 255, 255]), longest);
    }
}
