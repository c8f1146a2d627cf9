//! The fields of a hello, taken from its front one by one: numbers, and vectors that state their length.
//!
//! Every taking names the part that it is for, so that an error says where a length lied and not only that one did.

use std::collections::BTreeSet;

use super::error::{HelloPart, TlsError};

/// The rest of a message, or of a part of one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a> {
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    pub(super) fn is_empty(self) -> bool {
        self.rest.is_empty()
    }

    pub(super) fn take(&mut self, length: usize, part: HelloPart) -> Result<&'a [u8], TlsError> {
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(TlsError::Truncated(part))?;
        self.rest = rest;
        Ok(taken)
    }

    pub(super) fn number_8(&mut self, part: HelloPart) -> Result<u8, TlsError> {
        Ok(self.take(1, part)?[0])
    }

    pub(super) fn number_16(&mut self, part: HelloPart) -> Result<u16, TlsError> {
        let bytes = self.take(2, part)?;
        Ok(u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    /// A vector whose length is stated in one byte.
    pub(super) fn vector_8(&mut self, part: HelloPart) -> Result<&'a [u8], TlsError> {
        let length = self.number_8(part)?;
        self.take(length.into(), part)
    }

    /// A vector whose length is stated in two bytes.
    pub(super) fn vector_16(&mut self, part: HelloPart) -> Result<&'a [u8], TlsError> {
        let length = self.number_16(part)?;
        self.take(length.into(), part)
    }

    /// Nothing may be left.
    pub(super) fn finish(self, part: HelloPart) -> Result<(), TlsError> {
        if self.is_empty() { Ok(()) } else { Err(TlsError::Malformed(part)) }
    }
}

/// A list of 16-bit numbers that fills its vector; an empty one is malformed.
pub(super) fn numbers_16(bytes: &[u8], part: HelloPart) -> Result<Vec<u16>, TlsError> {
    if bytes.is_empty() || !bytes.len().is_multiple_of(2) {
        return Err(TlsError::Malformed(part));
    }
    Ok(bytes.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect())
}

/// The extensions that end a hello, each with its number, in their order. A hello may have none, without even a length.
pub(super) fn extensions(mut fields: Fields<'_>) -> Result<Vec<(u16, Fields<'_>)>, TlsError> {
    let mut list = Vec::new();
    if fields.is_empty() {
        return Ok(list);
    }
    let part = HelloPart::Extensions;
    let mut rest = Fields::new(fields.vector_16(part)?);
    fields.finish(part)?;
    let mut seen = BTreeSet::new();
    while !rest.is_empty() {
        let number = rest.number_16(part)?;
        let content = Fields::new(rest.vector_16(part)?);
        if !seen.insert(number) {
            return Err(TlsError::RepeatedExtension(number));
        }
        list.push((number, content));
    }
    Ok(list)
}

/// The numbers of the extensions that are read here.
pub(super) mod extension {
    /// RFC 6066 section 3.
    pub(in super::super) const SERVER_NAME: u16 = 0;
    /// RFC 7301.
    pub(in super::super) const ALPN: u16 = 16;
    /// RFC 8446 section 4.2.10.
    pub(in super::super) const EARLY_DATA: u16 = 42;
    /// RFC 8446 section 4.2.1.
    pub(in super::super) const SUPPORTED_VERSIONS: u16 = 43;
}

/// The protocol names of an ALPN extension (RFC 7301 section 3.1): at least one, none of them empty.
pub(super) fn protocol_names<'a>(mut content: Fields<'a>) -> Result<Vec<&'a [u8]>, TlsError> {
    let part = HelloPart::Alpn;
    let mut list = Fields::new(content.vector_16(part)?);
    content.finish(part)?;
    let mut names = Vec::new();
    while !list.is_empty() {
        let name = list.vector_8(part)?;
        if name.is_empty() {
            return Err(TlsError::Malformed(part));
        }
        names.push(name);
    }
    if names.is_empty() { Err(TlsError::Malformed(part)) } else { Ok(names) }
}
