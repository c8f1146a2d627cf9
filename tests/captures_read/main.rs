//! Captures are read: whatever the file format, link layer and disorder, the same conversation gives the same flow.
//!
//! `formats` writes one conversation in every way that a file can hold it; `starts`, `corners` and `lost` go through
//! what TCP and capture programs do to a stream, one case a test; `disorder` makes it up at random and feeds garbage;
//! `recordings` compares real captures with what tshark found in them. This file has what they share.

mod corners;
mod disorder;
mod formats;
mod lost;
#[path = "../properties/mod.rs"]
mod properties;
mod recordings;
mod starts;

use std::net::SocketAddr;

use muxbed::capture::writer::{Layout, Plan, write};
use muxbed::capture::{Capture, Direction, Flow, LinkType, What, read};
use muxbed::fuzzing::check_capture;

/// 2026-10-15 and some, with nanoseconds that microseconds can't hold.
const TIME: u64 = 1_792_000_000_123_456_789;

const CLIENT: &str = "10.1.0.1:40000";
const SERVER: &str = "10.1.0.2:443";

fn plan() -> Plan {
    plan_between(CLIENT, SERVER)
}

fn plan_between(client: &str, server: &str) -> Plan {
    Plan::new(address(client), address(server), TIME)
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// A conversation with cuts, both directions taking turns, and both ends.
fn talk(plan: &mut Plan) -> &mut Plan {
    plan.open()
        .send(Direction::ToServer, b"PRI * HTTP/2.0", 6)
        .acknowledge(Direction::ToClient)
        .send(Direction::ToClient, b"settings", 99)
        .send(Direction::ToServer, b"ack+headers", 3)
        .send(Direction::ToClient, b"response", 5)
        .end(Direction::ToServer)
        .end(Direction::ToClient)
        .acknowledge(Direction::ToServer)
}

/// What [`talk`] reads as.
const TALK: [&str; 13] = [
    "< opened",
    "> 0 PRI * ",
    "> 6 HTTP/2",
    "> 12 .0",
    "< 0 settings",
    "> 14 ack",
    "> 17 +he",
    "> 20 ade",
    "> 23 rs",
    "< 8 respo",
    "< 13 nse",
    "> end",
    "< end",
];

/// The events of a flow, one a line: direction, then the place and bytes of data, or what happened.
fn ladder(flow: &Flow<'_>) -> Vec<String> {
    flow.events
        .iter()
        .map(|event| {
            let direction = event.direction;
            match &event.what {
                What::Data { offset, bytes } => {
                    format!("{direction} {offset} {}", bytes.escape_ascii())
                }
                What::Opened => format!("{direction} opened"),
                What::MissingStart => format!("{direction} no start"),
                What::Gap { offset, length } => format!("{direction} {offset} gap {length}"),
                What::Truncated { offset, missing } => {
                    format!("{direction} {offset} cut {missing}")
                }
                What::End => format!("{direction} end"),
                What::Reset => format!("{direction} reset"),
            }
        })
        .collect()
}

/// Writes plans as Ethernet in a pcapng file, with nanoseconds.
fn written(plans: &[Plan]) -> Vec<u8> {
    write(&Layout::new(LinkType::Ethernet), plans)
}

/// The one flow that a plan is read as, passed to a check.
fn flow_of<T>(plan: &Plan, check: impl FnOnce(&Flow<'_>) -> T) -> T {
    let file = written(std::slice::from_ref(plan));
    let capture = read_whole(&file);
    assert_eq!(capture.flows.len(), 1, "one conversation");
    check(&capture.flows[0])
}

/// The ladder of the one flow that a plan is read as.
fn ladder_of(plan: &Plan) -> Vec<String> {
    flow_of(plan, ladder)
}

/// Reads a file that nothing is wrong with, and checks what holds for every capture.
fn read_whole(file: &[u8]) -> Capture<'_> {
    let capture = read(file).unwrap();
    assert_eq!(capture.cut_off, None);
    check_capture(file, &capture);
    capture
}
