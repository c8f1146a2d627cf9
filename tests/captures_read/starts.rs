//! How flows begin, and which segments belong to which: missing starts, ports used again, flows side by side.

use muxbed::capture::writer::Plan;
use muxbed::capture::{ClientKnownBy, Direction, read};

use super::{CLIENT, SERVER, TALK, TIME, address, flow_of, ladder, ladder_of, plan};
use super::{plan_between, read_whole, talk, written};

use Direction::{ToClient, ToServer};

fn changed(change: impl FnOnce(&mut Plan)) -> Plan {
    let mut plan = plan();
    talk(&mut plan);
    change(&mut plan);
    plan
}

#[test]
fn a_conversation_without_its_start_is_read_from_where_it_is() {
    let plan = changed(|plan| {
        plan.packets.drain(..4);
    });
    let mut expected = vec!["> no start", "> 0 HTTP/2", "> 6 .0", "< 0 settings", "> 8 ack"];
    expected.extend(["> 11 +he", "> 14 ade", "> 17 rs", "< 8 respo", "< 13 nse", "> end", "< end"]);
    assert_eq!(ladder_of(&plan), expected);

    // With the first segment lost of a direction whose place is known from the other's acknowledgment.
    let plan = changed(|plan| {
        plan.lose(7).packets.drain(..3);
    });
    let lines = ladder_of(&plan);
    assert_eq!(lines[0], "> no start");
    assert!(lines.contains(&"< 0 gap 8".to_owned()));

    // What comes from before the place that is known.
    let plan = changed(|plan| {
        plan.repeat(3, 3).widen(6, 0, 3).packets.drain(..4);
    });
    let (lines, notes) = flow_of(&plan, |flow| (ladder(flow), flow.notes));
    assert_eq!(lines[1..4], ["> 0 HTTP/2", "> 6 .0", "< 0 settings"]);
    assert_eq!((notes.before_start, notes.retransmissions), (1, 1));
}

#[test]
fn the_client_of_a_conversation_without_start_is_guessed_and_said_to_be() {
    let known = |client_bytes: &[u8], server_port: u16, from: usize| {
        let mut plan = plan_between("10.1.0.1:4000", &format!("10.1.0.2:{server_port}"));
        plan.open().send(ToClient, b"greeting", 99).send(ToServer, client_bytes, 99);
        plan.packets.drain(..from);
        flow_of(&plan, |flow| {
            let right = flow.client.port() == 4000;
            let greeting = if right { "< 0 greeting" } else { "> 0 greeting" };
            assert!(ladder(flow).contains(&greeting.to_owned()));
            (right, flow.client_known_by)
        })
    };
    for port in [443, 50_000] {
        let preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
        assert_eq!(known(preface, port, 3), (true, ClientKnownBy::Preface));
        let request = b"GET / HTTP/1.1\r\n";
        assert_eq!(known(request, port, 3), (true, ClientKnownBy::RequestLine));
        let hello = b"\x16\x03\x01\x00\x05\x01\x00\x00\x01\x00";
        assert_eq!(known(hello, port, 3), (true, ClientKnownBy::ClientHello));
        let higher = (port < 4000, ClientKnownBy::HigherPort);
        assert_eq!(known(b"anything", port, 3), higher);
        assert_eq!(known(b"anything", port, 0), (true, ClientKnownBy::Handshake));
        assert_eq!(known(b"anything", port, 1), (true, ClientKnownBy::Handshake));
    }
    assert!(ClientKnownBy::Preface.is_guess() && !ClientKnownBy::Handshake.is_guess());
}

#[test]
fn a_handshake_may_be_captured_in_part_or_late_or_cross_itself() {
    // Only the SYN, only its answer, neither answer nor ACK.
    let plan = changed(|plan| {
        plan.lose(1);
    });
    assert_eq!(ladder_of(&plan)[0], "> opened");
    assert_eq!(ladder_of(&plan)[1..], TALK[1..]);
    let plan = changed(|plan| {
        plan.lose(0);
    });
    assert_eq!(ladder_of(&plan), TALK);
    // The SYN after the first data.
    let plan = changed(|plan| {
        plan.lose(1).delay(0, 3);
    });
    let (lines, known) = flow_of(&plan, |flow| (ladder(flow), flow.client_known_by));
    assert_eq!((&lines[0][..], known), ("> opened", ClientKnownBy::Handshake));
    assert_eq!(lines[1..], TALK[1..]);
    // The answer again with another number, before the client acknowledges one.
    let plan = changed(|plan| {
        plan.repeat(1, 1).packets[1].sequence = 700;
    });
    assert_eq!(ladder_of(&plan), TALK);
    // Bytes with the SYN, which its answer acknowledges or does not.
    for acknowledged in [7, 1] {
        let plan = changed(|plan| {
            plan.packets[0].bytes = plan.packets.remove(3).bytes;
            plan.packets[1].acknowledges = Some(acknowledged);
        });
        let lines = ladder_of(&plan);
        assert_eq!(lines[..3], ["> 0 PRI * ", "< opened", "> 6 HTTP/2"]);
        assert_eq!(lines[3..], TALK[3..]);
    }
    // Both ends open.
    let plan = changed(|plan| {
        plan.packets[1].acknowledges = None;
    });
    let (lines, client) = flow_of(&plan, |flow| (ladder(flow), flow.client));
    assert_eq!(lines[1..], TALK[1..]);
    assert_eq!(client, address(CLIENT));
}

#[test]
fn ports_used_again_begin_another_flow() {
    let again = |initial: u32, client: &str, server: &str, later: u64| {
        let mut plan = Plan::new(address(client), address(server), TIME + later);
        plan.initial = [initial, initial ^ 0x1234_5678];
        talk(&mut plan);
        plan
    };
    let second = 1_000_000_000;
    let first = again(77, CLIENT, SERVER, 0);
    let mut unfinished = again(1 << 30, CLIENT, SERVER, second);
    unfinished.packets.truncate(9);
    unfinished.lose(4);
    let mut reversed = again(3 << 30, SERVER, CLIENT, 2 * second);
    reversed.packets.truncate(15);
    let without_start = {
        let mut plan = again(0x9999_9999, SERVER, CLIENT, 3 * second);
        plan.packets.drain(..3);
        plan
    };
    let last_end = {
        let mut plan = again(3 << 30, SERVER, CLIENT, 2 * second);
        plan.packets.drain(..15);
        plan
    };
    // Of three more only the answer to a SYN is captured, then a reset; or the last part of a handshake.
    let mut after_reset = again(0x5555_5555, SERVER, CLIENT, 5 * second);
    after_reset.packets.drain(..2);
    after_reset.packets.drain(1..);
    let only_answer = |initial, later| {
        let mut plan = again(initial, SERVER, CLIENT, later);
        plan.packets.drain(..1);
        plan.packets.truncate(2);
        plan.reset(ToClient);
        plan
    };
    let plans = [
        first,
        unfinished,
        reversed,
        last_end,
        without_start,
        only_answer(0x7777_7777, 4 * second),
        only_answer(0xf777_7777, 4 * second + second / 2),
        after_reset,
    ];
    let file = written(&plans);
    let capture = read_whole(&file);
    let flows: Vec<_> = capture.flows.iter().map(|flow| (flow.client, flow.number)).collect();
    let [client, server] = [CLIENT, SERVER].map(address);
    let clients = [client, client, server, server, server, server, client];
    assert_eq!(flows, clients.into_iter().zip(1..).collect::<Vec<_>>());
    assert_eq!(ladder(&capture.flows[0]), TALK);
    let lines = ladder(&capture.flows[1]);
    assert_eq!(lines[1..4], ["> 0 PRI * ", "> 6 gap 6", "> 12 .0"], "given out at the end");
    assert_eq!(ladder(&capture.flows[2]), TALK);
    assert_eq!(ladder(&capture.flows[3])[0], "> no start");
    assert_eq!(ladder(&capture.flows[3])[1..], TALK[1..]);
    assert_eq!(ladder(&capture.flows[4]), ["< opened", "< reset"]);
    assert_eq!(ladder(&capture.flows[5]), ["< opened", "< reset"]);
    assert_eq!(ladder(&capture.flows[6]), ["< no start"]);
}

#[test]
fn an_answer_for_the_connection_before_is_not_taken_for_this_one() {
    // The server still has the old connection and acknowledges its bytes; the client resets that and tries again.
    for acknowledged in [1 << 24, 1 << 31, (1 << 32) - (1 << 24)] {
        let plan = changed(|plan| {
            plan.repeat(2, 1).delay(1, 2);
            plan.packets.swap(1, 2);
            plan.packets[1].direction = ToClient;
            plan.packets[1].acknowledges = Some(acknowledged);
            plan.packets.remove(2);
        });
        let (lines, notes) = flow_of(&plan, |flow| (ladder(flow), flow.notes));
        assert_eq!(lines, TALK);
        assert_eq!(notes.out_of_window, 1);
    }
}

#[test]
fn flows_side_by_side_are_kept_apart() {
    let mut plans = Vec::new();
    for port in 1..=50_u16 {
        let mut plan = plan_between(&format!("10.1.0.1:{port}"), SERVER);
        plan.wait(u64::from(port) * 7_001);
        talk(&mut plan);
        plans.push(plan);
    }
    // The same ports between other addresses, and of the other version; and one port on both ends.
    for (client, server) in
        [("10.1.0.3:1", SERVER), ("10.1.0.4:443", SERVER), ("[::ffff:10.1.0.1]:1", "[::ffff:10.1.0.2]:443")]
    {
        let mut plan = plan_between(client, server);
        talk(&mut plan);
        plans.push(plan);
    }
    let file = written(&plans);
    let capture = read_whole(&file);
    assert_eq!(capture.flows.len(), 53);
    for flow in &capture.flows {
        assert_eq!(ladder(flow), TALK);
        assert_eq!(flow.packets, 17);
    }
}

#[test]
fn segments_that_cannot_belong_are_dropped() {
    let plan = changed(|plan| {
        plan.repeat(9, 1).packets[9].sequence += 1 << 31;
        // More data after the end of the client.
        plan.repeat(12, 4);
        let last = plan.packets.len() - 1;
        plan.packets[last].sequence += 100;
        plan.packets[last].bytes = 0..5;
    });
    let (lines, notes) = flow_of(&plan, |flow| (ladder(flow), flow.notes));
    assert_eq!(lines, TALK);
    assert_eq!(notes.out_of_window, 2);

    // And an acknowledgment of what can't have been sent.
    let plan = changed(|plan| plan.packets[6].acknowledges = Some((1 << 30) + 100));
    let (lines, notes) = flow_of(&plan, |flow| (ladder(flow), flow.notes));
    assert_eq!(lines, TALK);
    assert_eq!(notes.out_of_window, 1);
}

#[test]
fn a_clock_that_steps_back_is_noted_and_time_stands() {
    let mut plan = plan();
    talk(&mut plan);
    let mut file = written(std::slice::from_ref(&plan));
    // Timestamps of the fifth packet: sections, interface and packets of known sizes come before.
    let offsets: Vec<usize> = (0..file.len())
        .step_by(4)
        .filter(|&at| file[at..].starts_with(&[6, 0, 0, 0]) && file[at + 8..].starts_with(&[0; 4]))
        .collect();
    let at = offsets[4] + 12;
    file[at..at + 4].copy_from_slice(&0_u32.to_le_bytes());
    let capture = read(&file).unwrap();
    assert_eq!(capture.time_steps_back, 1);
    assert_eq!(ladder(&capture.flows[0]), TALK);
    let times: Vec<_> = capture.flows[0].events[1..4].iter().map(|event| event.time).collect();
    assert_eq!(times, [150_000, 150_000, 250_000]);
}
