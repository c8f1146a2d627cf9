//! A list that is never empty: the items of a write, the texts of a failure.
//!
//! A write of nothing can't be written down in a script, and a client that fails says something. With this type neither
//! can be built, so nobody who reads one has to think of the case.

use std::ops::Deref;

/// At least one `T`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneOrMore<T>(Vec<T>);

impl<T> OneOrMore<T> {
    /// `first`, and then `rest`.
    pub fn new(first: T, rest: impl IntoIterator<Item = T>) -> Self {
        Self(std::iter::once(first).chain(rest).collect())
    }

    /// Adds one at the end.
    pub fn push(&mut self, next: T) {
        self.0.push(next);
    }
}

impl<T> From<T> for OneOrMore<T> {
    fn from(only: T) -> Self {
        Self(vec![only])
    }
}

impl<T> Deref for OneOrMore<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}
