//! What multiplexers were seen to get wrong, A1 to F6: the list that the scenarios are made from, and what of it they do not
//! show. Whoever teaches the bed something new finds here what it was wanted for.

use super::{KnownScenario, SCENARIOS};

/// An entry of the catalogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its id: a group's letter and a number.
    pub id: &'static str,
    /// What it is about.
    pub about: &'static str,
    /// What of it no scenario shows, and why; nothing if they show all of it.
    pub left: Option<&'static str>,
}

impl Known {
    /// The entry with this id.
    pub fn find(id: &str) -> Option<Self> {
        CATALOGUE.iter().find(|known| known.id == id).copied()
    }

    /// What no scenario shows, and why, in a sentence.
    pub fn unshown(self) -> String {
        let Self { id, about, left } = self;
        format!("no scenario shows {id} ({about}) yet: {}", left.unwrap_or_default())
    }

    /// The scenarios that show it.
    pub fn scenarios(self) -> impl Iterator<Item = KnownScenario> {
        SCENARIOS.iter().filter(move |scenario| scenario.entry() == self.id).copied()
    }
}

const fn shown(id: &'static str, about: &'static str) -> Known {
    Known { id, about, left: None }
}

const fn lacks(id: &'static str, about: &'static str, left: &'static str) -> Known {
    Known { id, about, left: Some(left) }
}

/// Groups: A SETTINGS, B silence and pieces, C size and abuse, D classification, E after the hand-over, F lifecycle.
pub const CATALOGUE: &[Known] = &[
    shown("A1", "a client that waits for SETTINGS, at a multiplexer that waits for HEADERS"),
    shown("A2", "a silent matcher before one that sends SETTINGS"),
    shown("A3", "the acknowledgement of the multiplexer's SETTINGS, before back ends that count"),
    shown("A4", "the same acknowledgement after the hand-over"),
    lacks(
        "A5",
        "HTTP/2 that is not gRPC, after SETTINGS were sent",
        "the set-up with a route for it: the bed's `mux` has rules for gRPC and HTTP/1 alone",
    ),
    shown("A6", "NO_RFC7540_PRIORITIES that changes between two SETTINGS"),
    shown("A7", "two and more matchers that send SETTINGS"),
    lacks(
        "A8",
        "acknowledgements that are answered with SETTINGS",
        "the endless loop: the cmux that is modelled is the newest, which has it no more",
    ),
    lacks(
        "A9",
        "a limit of streams that SETTINGS left out",
        "the storm of streams: no back end here refuses one",
    ),
    lacks(
        "A10",
        "windows or tables that the server lowers, applied too early",
        "no back end here lowers either below the values that RFC 9113 begins with",
    ),
    shown("A11", "PING before HEADERS"),
    lacks(
        "A12",
        "a flood of SETTINGS before HEADERS",
        "a writer that blocks: a script's client reads; the test `a12_a_client_that_does_not_read_its_answers_is_closed_at_the_deadline` has it",
    ),
    shown("A13", "the same over TLS"),
    shown("A14", "a client that waits for the acknowledgement of its own SETTINGS"),
    lacks(
        "B1",
        "connections that say nothing",
        "thousands at once: a script names each of its clients; the test `b2_a_thousand_silent_clients_do_not_hold_up_the_end` has them",
    ),
    lacks(
        "B2",
        "shutting down while a client is silent",
        "scripts do not shut servers down; the test `b2_a_thousand_silent_clients_do_not_hold_up_the_end` does",
    ),
    shown("B3", "a preface in pieces"),
    shown("B4", "HTTP/1 byte by byte"),
    shown("B5", "messages shorter than what a matcher reads"),
    shown("B6", "what begins as a preface and goes on otherwise"),
    shown("B7", "a byte now and then"),
    shown("B8", "the end of the stream, or a reset, while it is sniffed"),
    shown("B9", "an end before any byte"),
    lacks(
        "B10",
        "protocols in which the server speaks first",
        "a route at the deadline: the bed's `mux` has none; the test `b10_a_client_that_waits_for_the_server_to_speak_gets_one_at_the_deadline` has one",
    ),
    shown("B11", "a deadline shorter than the way"),
    lacks(
        "C1",
        "megabytes before any HEADERS",
        "the bytes themselves: written out they would be a script of megabytes; the test `c1_what_comes_before_a_request_is_read_up_to_the_limit` writes them",
    ),
    shown("C2", "CONTINUATION without end, tables too large"),
    lacks(
        "C3",
        "heads of HTTP/1 longer than the limit",
        "the bed's `mux` has no rule that reads further into HTTP/1 than its method; the test `c3_a_request_line_beyond_the_limit_goes_where_one_says` has one",
    ),
    lacks(
        "C4",
        "a ClientHello in pieces, lying lengths",
        "SNI: the bed's `mux` has no rule for it; the test `c4_a_record_that_lies_about_its_length_does_not_hang_anybody` has one",
    ),
    lacks(
        "C5",
        "two sniffers with a buffer each, and a long hello",
        "there is one sniffer with one buffer here, as the test `c5_rules_for_all_protocols_share_what_was_read` shows, and Envoy is not modelled",
    ),
    lacks(
        "C6",
        "no file descriptors left",
        "the simulated network has none to run out of; the test `c6_a_system_without_descriptors_is_asked_again_and_not_all_the_time` has a listener that fails so",
    ),
    lacks(
        "C7",
        "a back end that takes no more connections",
        "the bed's back ends take all; the test `c7_a_route_that_nobody_serves_sheds_what_its_queue_can_not_take` has one that does not",
    ),
    shown("D1", "methods and first lines of HTTP/1"),
    shown("D2", "content-types, upgrades, and shapes of header blocks"),
    shown("D3", "field names in upper case"),
    shown("D4", "TLS on a cleartext port and the other way round"),
    lacks(
        "D5",
        "the PROXY protocol before everything else",
        "the bed's `mux` does not read it; the tests of `mux_rules` have one that does",
    ),
    lacks(
        "D6",
        "what looks like HTTP and is not",
        "a server that answers PostgreSQL's question for TLS: there is none here",
    ),
    shown("D7", "HTTP/1 and h2 by ALPN on one port"),
    lacks(
        "E1",
        "gRPC and plain requests on one connection of HTTP/2",
        "routing each request: a connection goes to one back end here; the tests of `mux_per_request` have the other way",
    ),
    shown("E2", "several requests on one connection of HTTP/1"),
    shown("E3", "what is sniffed is replayed exactly"),
    lacks(
        "E4",
        "addresses and ALPN that the back end sees",
        "a client does not see them; the multiplexer's own tests do",
    ),
    lacks("E5", "throughput after the hand-over", "a matter of `cargo bench`"),
    shown("E6", "a back end that leaves while an acknowledgement is expected"),
    lacks(
        "F1",
        "closing one listener of several",
        "scripts do not close routes; the test `f1_a_route_that_is_closed_leaves_the_others` does",
    ),
    lacks(
        "F2",
        "closing the multiplexer",
        "scripts do not shut servers down; the test `f2_what_is_queued_when_it_ends_is_delivered_and_nothing_is_leaked` does",
    ),
    lacks(
        "F3",
        "draining until a deadline",
        "scripts do not shut servers down; the test `f3_a_client_that_makes_up_its_mind_while_it_drains_is_served` does",
    ),
    lacks(
        "F4",
        "new rules while connections are sniffed",
        "scripts do not change a server's rules; the test `f4_rules_are_replaced_while_connections_are_being_sniffed` does",
    ),
    lacks(
        "F5",
        "a handler of errors that says stop",
        "a script has no such handler; the test `f5_who_is_told_of_a_failure_may_end_it` has one",
    ),
    lacks(
        "F6",
        "accepting that fails for a while",
        "the simulated listener does not fail; in the test `f6_a_connection_that_was_gone_before_it_was_accepted_costs_nothing` one does",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_no_scenario_shows_has_a_reason() {
        for known in CATALOGUE {
            assert!(known.left.is_some() || known.scenarios().next().is_some(), "{}", known.id);
        }
    }

    #[test]
    fn it_goes_from_a1_to_f6() {
        let of_group = |group: &str| CATALOGUE.iter().filter(|known| known.id.starts_with(group)).count();
        assert_eq!(["A", "B", "C", "D", "E", "F"].map(of_group), [14, 11, 7, 7, 6, 6]);
    }
}
