//! What TCP and capture programs do to a stream, one case a test: sent again, out of order, probed, lost, cut, aborted.

use muxbed::capture::writer::{Layout, Plan, write};
use muxbed::capture::{Direction, LinkType, Notes};

use super::{TALK, flow_of, ladder, ladder_of, plan, read_whole, talk};

use Direction::{ToClient, ToServer};

fn notes_of(plan: &Plan) -> Notes {
    flow_of(plan, |flow| flow.notes)
}

/// [`talk`], with its packets changed. The three packets of the handshake come first, then `PRI * `, `HTTP/2`, `.0`.
fn changed(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan();
    talk(&mut plan);
    change(&mut plan);
    plan
}

/// Makes the server acknowledge no more than this of what the client sends.
fn acknowledge_less(plan: &mut Plan, most: u64) {
    for packet in &mut plan.packets {
        if packet.direction == ToClient {
            packet.acknowledges = packet.acknowledges.map(|number| number.min(most));
        }
    }
}

#[test]
fn what_is_sent_again_is_not_given_out_again() {
    for (packet, places) in [(0, 1), (1, 3), (3, 1), (3, 9), (4, 2), (12, 3), (13, 1), (14, 2)] {
        let plan = changed(|plan| {
            plan.repeat(packet, places);
        });
        assert_eq!(ladder_of(&plan), TALK, "packet {packet}");
        let expected = Notes { retransmissions: 1, ..Notes::default() };
        assert_eq!(notes_of(&plan), expected, "packet {packet}");
    }
}

#[test]
fn a_segment_with_old_and_new_bytes_brings_the_new_ones() {
    let plan = changed(|plan| {
        plan.widen(4, 4, 0).widen(5, 9, 0);
    });
    assert_eq!(ladder_of(&plan), TALK);
    let expected = Notes { overlaps: 2, ..Notes::default() };
    assert_eq!(notes_of(&plan), expected);

    // Two segments sent again as one, with more behind them: only what is new, in one piece.
    let plan = changed(|plan| {
        plan.widen(5, 12, 0).packets.remove(4);
    });
    let lines = ladder_of(&plan);
    assert_eq!(lines[1..3], ["> 0 PRI * ", "> 6 HTTP/2.0"]);
    assert_eq!(lines[3..], TALK[4..]);
}

#[test]
fn the_first_bytes_win_and_others_are_noted() {
    let plan = changed(|plan| {
        plan.repeat(4, 1).packets[5].garbled = true;
    });
    assert_eq!(ladder_of(&plan), TALK);
    assert_eq!(notes_of(&plan).conflicts, 1);

    // Also where the bytes still wait for those before them.
    let plan = changed(|plan| {
        plan.repeat(4, 1).packets[5].garbled = true;
        plan.delay(3, 2);
    });
    assert_eq!(ladder_of(&plan), TALK);
    let notes = notes_of(&plan);
    assert_eq!((notes.conflicts, notes.retransmissions, notes.early), (1, 1, 1));
}

#[test]
fn a_reordered_segment_is_given_out_when_the_stream_is_contiguous() {
    let plan = changed(|plan| {
        plan.delay(3, 2);
    });
    let (lines, packets, times) = flow_of(&plan, |flow| {
        let packets: Vec<_> = flow.events.iter().map(|event| event.packet).collect();
        let times: Vec<_> = flow.events.iter().map(|event| event.time / 50_000).collect();
        (ladder(flow), packets, times)
    });
    assert_eq!(lines, TALK);
    assert_eq!(packets[..5], [2, 6, 4, 5, 8], "each names the packet that carried it");
    assert_eq!(times[..5], [1, 5, 5, 5, 7], "and is given out when the first came");

    // `.0` comes after the server's `settings`: whoever reads the events sees that the server did not wait for it.
    let plan = changed(|plan| {
        acknowledge_less(plan, 13);
        plan.delay(5, 2);
    });
    let lines = ladder_of(&plan);
    assert_eq!(lines[2..5], ["> 6 HTTP/2", "< 0 settings", "> 12 .0"]);
}

#[test]
fn an_end_waits_for_what_comes_before_it() {
    // The client's last two segments after its FIN, and its FIN in the data segment.
    let plan = changed(|plan| {
        acknowledge_less(plan, 18);
        plan.packets[11].fin = true;
        plan.packets.remove(14);
        plan.delay(9, 3).delay(9, 3);
    });
    let lines = ladder_of(&plan);
    assert_eq!(
        lines[5..],
        ["> 14 ack", "< 8 respo", "> 17 +he", "> 20 ade", "> 23 rs", "> end", "< 13 nse", "< end"]
    );
}

#[test]
fn probes_are_counted_and_bring_nothing() {
    let mut plan = plan();
    plan.open()
        .send(ToServer, b"abc", 9)
        .keep_alive(ToServer)
        .keep_alive(ToClient)
        .send(ToServer, b"def", 9)
        .end(ToClient)
        .keep_alive(ToServer);
    // Linux probes without a byte.
    plan.packets[9].bytes = 0..0;
    assert_eq!(ladder_of(&plan), ["< opened", "> 0 abc", "> 3 def", "< end"]);
    let expected = Notes { keep_alives: 3, ..Notes::default() };
    assert_eq!(notes_of(&plan), expected);
}

#[test]
fn a_probe_of_a_closed_window_brings_its_byte_once() {
    let mut plan = plan();
    plan.open().send(ToServer, b"abc", 9).probe_closed_window(ToServer, b'd');
    // Asked again with the same byte, then the window opens and the byte comes once more with others.
    let probe = plan.packets.len() - 1;
    plan.repeat(probe, 1).acknowledge(ToClient).send(ToServer, b"ef", 9);
    let last = plan.packets.len() - 1;
    plan.widen(last, 1, 0);
    assert_eq!(ladder_of(&plan), ["< opened", "> 0 abc", "> 3 d", "> 4 ef"]);
    let expected = Notes { zero_window_probes: 2, overlaps: 1, ..Notes::default() };
    assert_eq!(notes_of(&plan), expected);
}

#[test]
fn sequence_numbers_wrap() {
    for initial in [u32::MAX, u32::MAX - 1, u32::MAX - 7, u32::MAX - 20, 0, 1 << 31] {
        for disordered in [false, true] {
            let plan = changed(|plan| {
                plan.initial = [initial, initial.wrapping_add(3)];
                if disordered {
                    plan.delay(3, 2).repeat(8, 4).widen(10, 5, 1);
                }
            });
            let mut lines = ladder_of(&plan);
            if disordered {
                lines.sort();
                let mut sorted = TALK.map(String::from).to_vec();
                sorted.sort();
                // `ade` took one byte more with it.
                assert_eq!(lines.len(), sorted.len());
                assert!(lines.contains(&"> 20 ader".to_owned()));
            } else {
                assert_eq!(lines, TALK, "{initial}");
            }
        }
    }
    // More than once round, in gaps as long as a window can be.
    let mut plan = plan();
    plan.open();
    for round in 1..=6 {
        plan.send(ToServer, b"abc", 3).acknowledge(ToClient);
        let acknowledged = plan.packets.last_mut().unwrap();
        acknowledged.acknowledges = Some((round << 30) + 1);
        plan.packets[2 * round as usize + 1].sequence = ((round - 1) << 30) + 1;
    }
    plan.send(ToServer, b"end", 3);
    plan.packets.last_mut().unwrap().sequence = (6 << 30) + 1;
    let last = flow_of(&plan, |flow| {
        let (offset, bytes) = flow.data(ToServer).last().unwrap();
        (offset, bytes.to_vec(), flow.data(ToServer).count())
    });
    assert_eq!(last, (6 << 30, b"end".to_vec(), 7));
}

#[test]
fn a_half_closed_connection_goes_on_in_the_other_direction() {
    let mut plan = plan();
    plan.open()
        .send(ToServer, b"request", 9)
        .end(ToServer)
        .acknowledge(ToClient)
        .send(ToClient, b"long answer", 4)
        .acknowledge(ToServer)
        .end(ToClient)
        .acknowledge(ToServer);
    let expected = ["< opened", "> 0 request", "> end", "< 0 long", "< 4  ans", "< 8 wer", "< end"];
    assert_eq!(ladder_of(&plan), expected);
    assert_eq!(notes_of(&plan), Notes::default());
}

#[test]
fn a_reset_is_an_event_and_what_follows_is_noted() {
    let mut plan = plan();
    plan.open()
        .send(ToServer, b"too late", 9)
        .reset(ToClient)
        .send(ToServer, b"more", 2)
        .reset(ToClient)
        .reset(ToServer);
    let expected = ["< opened", "> 0 too late", "< reset", "> 8 mo", "> 10 re", "> reset"];
    assert_eq!(ladder_of(&plan), expected);
    let expected = Notes { after_reset: 2, retransmissions: 1, ..Notes::default() };
    assert_eq!(notes_of(&plan), expected);

    // Refused: the RST answers the SYN.
    let mut refused = super::plan();
    refused.open().packets.truncate(1);
    refused.reset(ToClient);
    assert_eq!(ladder_of(&refused), ["< reset"]);
}

#[test]
fn what_the_snapshot_length_cut_is_named_and_what_follows_is_there() {
    let mut plan = plan();
    talk(&mut plan);
    let mut layout = Layout::new(LinkType::Ethernet);
    // 14 bytes of Ethernet, 20 of IP, 20 of TCP, 5 of data. The SYNs have four more and lose nothing.
    layout.snapshot_length = 59;
    let file = write(&layout, std::slice::from_ref(&plan));
    let capture = read_whole(&file);
    let lines = ladder(&capture.flows[0]);
    let expected = [
        "< opened",
        "> 0 PRI *",
        "> 5 cut 1",
        "> 6 HTTP/",
        "> 11 cut 1",
        "> 12 .0",
        "< 0 setti",
        "< 5 cut 3",
        "> 14 ack",
    ];
    assert_eq!(lines[..9], expected);
    assert_eq!(lines[9..], TALK[6..]);

    // Sent again, cut elsewhere, before or after it was given out: what was missing takes its place.
    for (places, early) in [(1, false), (6, false), (1, true)] {
        let plan = changed(|plan| {
            plan.repeat(4, places).packets[4].missing = 4;
            if early {
                plan.delay(3, 2);
            }
        });
        let expected = ["> 0 PRI * ", "> 6 HT", "> 8 TP/2", "> 12 .0"];
        assert_eq!(ladder_of(&plan)[1..5], expected, "{places} {early}");
        let plan = changed(|plan| {
            plan.packets[4].missing = 4;
            plan.repeat(4, places);
        });
        assert_eq!(ladder_of(&plan)[2..4], ["> 6 HT", "> 8 cut 4"]);
        assert_eq!(notes_of(&plan).retransmissions, 1);
    }
}
