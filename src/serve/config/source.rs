//! The parts of a configuration file with their places, and what is wrong with one.

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::quantity::quantity;
use crate::script::{Complaint, ScriptError};
use crate::serve::IdentityError;

/// A configuration that can't be used: what is wrong and where, with line and caret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(ScriptError);

impl ConfigError {
    pub(super) fn new(file: &str, text: &str, wrong: Wrong) -> Self {
        Self(ScriptError::new(file, text, wrong.span, wrong.complaint))
    }

    /// What is wrong with a file that `tls` names.
    pub(in crate::serve) fn of_tls(file: &str, text: &str, error: &IdentityError) -> Self {
        let table = DeTable::parse(text).ok();
        let tls = table.as_ref().and_then(|table| table.get_ref().get("tls")?.get_ref().as_table());
        let span = tls.and_then(|tls| tls.get(error.key)).map_or(0..0, Spanned::span);
        Self::new(file, text, Wrong::new(span, error.to_string()))
    }

    pub(in crate::serve) fn text_of(file: &str, bytes: Vec<u8>) -> Result<String, Self> {
        ScriptError::text_of(file, bytes, None).map_err(Self)
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.0.line
    }

    /// The column, in characters from 1.
    pub fn column(&self) -> usize {
        self.0.column
    }

    /// What is wrong, without the place.
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for ConfigError {}

/// What is wrong, and where in the text.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) span: Range<usize>,
    pub(super) complaint: Complaint,
}

impl Wrong {
    pub(super) fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, complaint: Complaint::new(message) }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.complaint = self.complaint.help(help);
        self
    }
}

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Value<'a> {
    value: &'a DeValue<'a>,
    pub(super) span: Range<usize>,
}

impl<'a> Value<'a> {
    fn new(spanned: &'a Spanned<DeValue<'a>>) -> Self {
        Self { value: spanned.get_ref(), span: spanned.span() }
    }

    pub(super) fn wrong(&self, message: impl Into<String>) -> Wrong {
        Wrong::new(self.span.clone(), message)
    }

    fn is_not(&self, wanted: &str) -> Wrong {
        self.wrong(format!("{wanted} has to stand here, not a value of type {}", self.value.type_str()))
    }

    pub(super) fn as_text(&self) -> Option<&'a str> {
        self.value.as_str()
    }

    pub(super) fn text(&self, what: &str) -> Result<&'a str, Wrong> {
        self.as_text().ok_or_else(|| self.is_not(what))
    }

    /// A table with no other keys than these.
    pub(super) fn section(&self, what: &'static str, keys: &[&str]) -> Result<Section<'a>, Wrong> {
        let table = self.value.as_table().ok_or_else(|| self.is_not(what))?;
        Section { what, table, span: self.span.clone() }.with_keys(keys)
    }

    /// A table with whatever keys.
    pub(super) fn entries(&self, what: &str) -> Result<Vec<Entry<'a>>, Wrong> {
        let table = self.value.as_table().ok_or_else(|| self.is_not(what))?;
        let entry = |(key, value): (&'a Spanned<_>, &'a Spanned<_>)| {
            let name: &'a std::borrow::Cow<'a, str> = key.get_ref();
            (name.as_ref(), key.span(), Value::new(value))
        };
        Ok(table.iter().map(entry).collect())
    }

    pub(super) fn list(&self, what: &str) -> Result<Vec<Self>, Wrong> {
        let list = self.value.as_array().ok_or_else(|| self.is_not(what))?;
        Ok(list.iter().map(Value::new).collect())
    }

    /// Texts, in a list or one by itself.
    pub(super) fn texts(&self, what: &str) -> Result<Vec<&'a str>, Wrong> {
        match self.as_text() {
            Some(text) => Ok(vec![text]),
            None => self.list(what)?.iter().map(|value| value.text(what)).collect(),
        }
    }

    pub(super) fn number(&self, what: &str) -> Result<u32, Wrong> {
        let number = self.value.as_integer().ok_or_else(|| self.is_not(what))?;
        let parsed = u32::from_str_radix(number.as_str(), number.radix());
        parsed.map_err(|_| self.wrong(format!("`{}` is no number of 32 bits", number.as_str())))
    }

    pub(super) fn duration(&self) -> Result<Duration, Wrong> {
        const UNITS: [(&str, u64); 4] = [("ms", 1), ("s", 1000), ("min", 60_000), ("h", 3_600_000)];
        let text = self.text("a duration, for example \"5s\",")?;
        let milliseconds = quantity(text, &UNITS).map(Duration::from_millis);
        milliseconds.ok_or_else(|| {
            self.wrong(format!("`{text}` is no duration"))
                .help("write for example \"5s\", \"500ms\" or \"2min\"")
        })
    }

    pub(super) fn size(&self) -> Result<usize, Wrong> {
        const UNITS: [(&str, u64); 3] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20)];
        let text = self.text("a size, for example \"16KiB\",")?;
        let bytes = quantity(text, &UNITS).and_then(|bytes| usize::try_from(bytes).ok());
        bytes.filter(|bytes| *bytes > 0).ok_or_else(|| {
            self.wrong(format!("`{text}` is no size"))
                .help("write for example \"512B\", \"16KiB\" or \"1MiB\"")
        })
    }

    /// One of these words.
    pub(super) fn word<T: Copy>(&self, what: &str, words: &[(&str, T)]) -> Result<T, Wrong> {
        let text = self.text(what)?;
        let known = words.iter().find(|(word, _)| *word == text);
        known.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            Wrong { span: self.span.clone(), complaint: Complaint::unknown(what, text, &words) }
        })
    }
}

/// A key, its place, and what stands behind it.
pub(super) type Entry<'a> = (&'a str, Range<usize>, Value<'a>);

/// A table whose keys are known.
#[derive(Debug)]
pub(super) struct Section<'a> {
    what: &'static str,
    table: &'a DeTable<'a>,
    span: Range<usize>,
}

impl<'a> Section<'a> {
    /// The file itself.
    pub(super) fn root(
        table: &'a DeTable<'a>,
        end: usize,
        what: &'static str,
        keys: &[&str],
    ) -> Result<Self, Wrong> {
        Self { what, table, span: end..end }.with_keys(keys)
    }

    pub(super) fn get(&self, key: &str) -> Option<Value<'a>> {
        self.table.get(key).map(Value::new)
    }

    pub(super) fn expect(&self, key: &str) -> Result<Value<'a>, Wrong> {
        let missing = || Wrong::new(self.span.clone(), format!("{} needs `{key}`", self.what));
        self.get(key).ok_or_else(missing)
    }

    fn with_keys(self, keys: &[&str]) -> Result<Self, Wrong> {
        for key in self.table.keys() {
            let name = key.get_ref().as_ref();
            if !keys.contains(&name) {
                return Err(Wrong { span: key.span(), complaint: Complaint::unknown("key", name, keys) });
            }
        }
        Ok(self)
    }
}
