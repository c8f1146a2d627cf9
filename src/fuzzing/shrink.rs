//! Makes a script as small as it gets while something about it stays.
//!
//! It works on the byte form, which says where its clients, steps, frames and cuts are, and where a smaller byte is a
//! commoner choice. So there is nothing to know here of what a script can hold, and nothing to
//! keep up with. Of two scripts the one with fewer bytes is smaller, of two with as many the one whose bytes come first.
//!
//! Left out: what only a change in several places at once would reach.

use std::collections::BTreeSet;

use crate::script::Script;

/// A script that was made smaller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shrunk {
    /// The smallest that was found.
    pub script: Script,
    /// How many scripts were tried.
    pub tries: usize,
    /// Whether nothing smaller is one change away. Else the tries were used up.
    pub is_minimal: bool,
}

/// The smallest script to be found from this one of which `stays` is true, with at most so many tries. `stays` is not
/// asked about `script` itself.
pub fn shrink(script: &Script, most_tries: usize, stays: impl FnMut(&Script) -> bool) -> Shrunk {
    let mut search = Search {
        bytes: script.to_bytes(),
        script: script.clone(),
        stays,
        tried: BTreeSet::new(),
        left: most_tries,
    };
    loop {
        let before = search.bytes.len();
        let first = search.bytes.clone();
        search.take_elements_out();
        search.take_bytes_out();
        search.shorten();
        // Choices are worth a look only where nothing more can go.
        if search.bytes.len() == before {
            search.lower();
        }
        if search.bytes == first || search.left == 0 {
            let is_minimal = search.left > 0;
            return Shrunk { script: search.script, tries: most_tries - search.left, is_minimal };
        }
    }
}

struct Search<F> {
    script: Script,
    bytes: Vec<u8>,
    stays: F,
    /// What has been asked about: many changes of the bytes are the same script.
    tried: BTreeSet<Vec<u8>>,
    left: usize,
}

impl<F: FnMut(&Script) -> bool> Search<F> {
    /// Whether the script that these bytes are is smaller and will do; then it is the new one.
    fn attempt(&mut self, bytes: &[u8]) -> bool {
        if self.left == 0 {
            return false;
        }
        let script = Script::from_bytes(bytes);
        let bytes = script.to_bytes();
        let is_smaller = (bytes.len(), &bytes) < (self.bytes.len(), &self.bytes);
        if !is_smaller || !self.tried.insert(bytes.clone()) {
            return false;
        }
        self.left -= 1;
        let stays = (self.stays)(&script);
        if stays {
            self.script = script;
            self.bytes = bytes;
        }
        stays
    }

    /// Takes clients, steps, frames and so on out, the largest first.
    fn take_elements_out(&mut self) {
        let mut place = 0;
        loop {
            let (bytes, mut elements) = self.script.to_elements();
            elements.sort_by_key(|element| std::cmp::Reverse(element.range.len()));
            let Some(element) = elements.get(place) else { return };
            let gap: &[u8] = if element.is_option { &[0] } else { &[] };
            let rest = [&bytes[..element.range.start], gap, &bytes[element.range.end..]].concat();
            if !self.attempt(&rest) {
                place += 1;
            }
        }
    }

    /// Takes bytes out whatever they mean: halves, quarters, down to single ones.
    fn take_bytes_out(&mut self) {
        let mut length = self.bytes.len();
        while length > 0 {
            let mut start = 0;
            while start < self.bytes.len() {
                let end = (start + length).min(self.bytes.len());
                let rest = [&self.bytes[..start], &self.bytes[end..]].concat();
                if !self.attempt(&rest) {
                    start += length;
                }
            }
            length /= 2;
        }
    }

    /// Takes texts and payloads, whose length stands before them, for shorter ones.
    fn shorten(&mut self) {
        let mut at = 0;
        while at < self.bytes.len() {
            let length = usize::from(self.bytes[at]);
            let end = at + 1 + length;
            if end > self.bytes.len() || length == 0 {
                at += 1;
                continue;
            }
            let shorter = [0, length / 2, length - 1];
            let shortened = shorter.iter().any(|&kept| {
                let head = [&self.bytes[..at], &[kept as u8]].concat();
                let front = [&head, &self.bytes[at + 1..at + 1 + kept], &self.bytes[end..]].concat();
                let back = [&head, &self.bytes[end - kept..end], &self.bytes[end..]].concat();
                self.attempt(&front) || self.attempt(&back)
            });
            at += usize::from(!shortened);
        }
    }

    /// Takes commoner choices and smaller numbers.
    fn lower(&mut self) {
        let mut at = 0;
        while at < self.bytes.len() {
            let byte = self.bytes[at];
            let lower = [0, 1, byte / 2, byte.saturating_sub(1)].into_iter().filter(|&lower| lower < byte);
            for lower in lower {
                let mut changed = self.bytes.clone();
                changed[at] = lower;
                if self.attempt(&changed) {
                    break;
                }
            }
            at += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{Item, Step, Who};

    fn script(text: &str) -> Script {
        Script::parse("t", text).unwrap_or_else(|error| panic!("{error}"))
    }

    fn sends_ping(script: &Script) -> bool {
        script.clients.iter().any(|client| match &client.who {
            Who::Scripted(behaviour) => behaviour.connect.iter().any(|step| match step {
                Step::Send(items) => items.iter().any(|item| matches!(item, Item::Ping { .. })),
                _ => false,
            }),
            Who::Catalogued { .. } => false,
        })
    }

    #[test]
    fn only_what_has_to_stay_is_left() {
        let long = "client grpc-go@1.33.3\nclient \"pings\"\n  cut 1 9 24\n  > preface, settings\n  wait 5ms\n  \
                    > raw \"some bytes\", ping 0102030405060708, settings ack\n  < settings within 20s\n  close\n\
                    server cmux-header-to-tonic\nnetwork\n  latency 5ms\nexpect served\n";
        let shrunk = shrink(&script(long), 10_000, sends_ping);
        assert!(shrunk.is_minimal);
        assert_eq!(shrunk.script, script("client \"\"\n  > ping 0000000000000000\n"));
    }

    #[test]
    fn it_stops_when_it_has_tried_often_enough() {
        let shrunk = shrink(&script("client \"c\"\n  > preface, ping 0102030405060708\n"), 3, |_| false);
        assert_eq!((shrunk.tries, shrunk.is_minimal), (3, false));
    }
}
