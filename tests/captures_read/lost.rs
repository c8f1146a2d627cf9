//! What a capture lacks, or has only after it was acknowledged: where the gaps are, and when they are declared.

use muxbed::capture::Direction;
use muxbed::capture::writer::Plan;

use super::{TALK, flow_of, ladder, ladder_of, plan, talk};

use Direction::{ToClient, ToServer};

fn changed(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan();
    talk(&mut plan);
    change(&mut plan);
    plan
}

#[test]
fn a_gap_is_declared_when_its_bytes_are_acknowledged() {
    // The server's `settings` are lost; the client's next segment shows that it had them.
    let plan = changed(|plan| {
        plan.lose(7);
    });
    let mut expected = TALK.to_vec();
    expected[4] = "< 0 gap 8";
    assert_eq!(ladder_of(&plan), expected);
    flow_of(&plan, |flow| {
        assert!(!flow.is_complete());
        // It may end in a FIN as far as that segment tells; what comes later shows that it did not.
        assert_eq!((flow.events[4].packet, flow.events[4].time), (8, 8 * 50_000));
    });
}

#[test]
fn a_gap_that_nothing_acknowledges_is_declared_at_the_end() {
    let plan = changed(|plan| {
        plan.packets.retain(|packet| packet.direction == ToServer);
        // `HTTP/2` is lost, of `ack` and what follows only the ACKs of the server would tell.
        plan.lose(3);
    });
    let expected = [
        "> opened",
        "> 0 PRI * ",
        "> 6 gap 6",
        "> 12 .0",
        "< 0 gap 8",
        "> 14 ack",
        "> 17 +he",
        "> 20 ade",
        "> 23 rs",
        "< 8 gap 8",
        "> end",
    ];
    let lines = ladder_of(&plan);
    let of = |lines: &[String], direction: &str| -> Vec<String> {
        let of = |line: &&String| line.starts_with(direction);
        lines.iter().filter(of).cloned().collect()
    };
    let expected = expected.map(String::from);
    assert_eq!(of(&lines, ">"), of(&expected, ">"));
    assert_eq!(of(&lines, "<")[0], "< 0 gap 8");

    // Of the client's last data only its FIN tells.
    let plan = changed(|plan| {
        plan.packets.retain(|packet| packet.direction == ToServer);
        plan.lose(8);
    });
    assert_eq!(of(&ladder_of(&plan), ">").last_chunk(), Some(&["> 23 gap 2", "> end"].map(String::from)));
}

#[test]
fn what_waits_in_both_directions_is_given_out_by_packet() {
    let mut plan = plan();
    plan.open();
    for (direction, bytes) in [(ToClient, b"abcd"), (ToServer, b"efgh")] {
        plan.send(direction, bytes, 1);
    }
    // Of both the first byte is lost, nothing is acknowledged, and the client's others come between the server's.
    for packet in &mut plan.packets[3..] {
        packet.acknowledges = Some(1);
    }
    plan.lose(7).lose(3).delay(5, 3);
    let expected =
        ["< opened", "< 0 gap 1", "< 1 b", "< 2 c", "< 3 d", "> 0 gap 1", "> 1 f", "> 2 g", "> 3 h"];
    assert_eq!(ladder_of(&plan), expected);
    plan.packets[3..].reverse();
    plan.delay(3, 0);
    let mut reversed = expected;
    reversed[1..].rotate_left(4);
    assert_eq!(ladder_of(&plan), reversed);
}

#[test]
fn a_byte_that_was_lost_is_told_from_a_probe() {
    let mut plan = plan();
    plan.open().send(ToServer, b"abc", 1).acknowledge(ToClient).send(ToServer, b"d", 1);
    // The acknowledgment is captured before `b`, which then looks like a probe: a byte just before what is expected.
    // Once it is there, another like it is one.
    plan.delay(4, 2).delay(4, 2).repeat(5, 1);
    let (lines, notes) = flow_of(&plan, |flow| (ladder(flow), flow.notes));
    assert_eq!(lines[1..], ["> 0 a", "> 1 b", "> 2 c", "> 3 d"]);
    assert_eq!((notes.late, notes.keep_alives), (1, 1));
}

#[test]
fn the_end_of_a_stream_may_be_missing_too() {
    // The last data and the FIN of the client are lost, then only its last data.
    let plan = changed(|plan| {
        plan.lose(14).lose(11);
    });
    let lines = ladder_of(&plan);
    assert_eq!(lines[8..], ["> 23 gap 2", "< 8 respo", "< 13 nse", "< end"]);
    assert_eq!(flow_of(&plan, |flow| flow.notes.unseen_ends), 1);
    let plan = changed(|plan| {
        plan.lose(11);
    });
    let lines = ladder_of(&plan);
    assert_eq!(lines[8..], ["> 23 gap 2", "< 8 respo", "< 13 nse", "> end", "< end"]);
}

#[test]
fn bytes_that_come_after_their_acknowledgment_take_the_place_of_the_gap() {
    for places in [2, 4, 6] {
        let plan = changed(|plan| {
            plan.delay(7, places);
        });
        assert_eq!(ladder_of(&plan), TALK, "{places}");
        assert_eq!(flow_of(&plan, |flow| flow.notes.late), 1);
    }
    // Of two lost segments only the second comes, and it comes twice, once wrong.
    let plan = changed(|plan| {
        plan.repeat(4, 6).repeat(4, 7).lose(4).lose(3);
        let wrong = plan.packets.iter().rposition(|packet| packet.bytes == (6..12));
        plan.packets[wrong.unwrap()].garbled = true;
    });
    let lines = ladder_of(&plan);
    assert_eq!(lines[1..4], ["> 0 gap 6", "> 6 HTTP/2", "> 12 .0"]);
    assert_eq!(flow_of(&plan, |flow| flow.notes.conflicts), 1);
}
