//! What is accounted for of SETTINGS, frame by frame.

use super::*;
use crate::wire::filter::Filter;

const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
const DATA: &[u8] = &[0, 0, 3, 0, 1, 0, 0, 0, 1, 9, 9, 9];

/// Pushes the bytes whole, and in every two pieces, and byte by byte: the result must be one.
fn through<J: Judge + Clone>(judge: &J, bytes: &[u8]) -> (Vec<u8>, J) {
    let run = |pieces: &mut dyn Iterator<Item = &[u8]>| {
        let mut filter = Filter::new(judge.clone(), 0);
        let mut out = BytesMut::new();
        pieces.for_each(|piece| filter.push(piece, &mut out));
        filter.release(&mut out);
        (out.to_vec(), filter.judge)
    };
    let (whole, judge) = run(&mut std::iter::once(bytes));
    for cut in 0..=bytes.len() {
        assert_eq!(run(&mut [&bytes[..cut], &bytes[cut..]].into_iter()).0, whole);
    }
    assert_eq!(run(&mut bytes.chunks(1)).0, whole);
    (whole, judge)
}

#[test]
fn exactly_the_acknowledgements_that_are_owed_are_taken_out() {
    let judge = FromClient { unacknowledged: 1, ..FromClient::default() };
    let (out, judge) = through(&judge, &[SETTINGS, ACK, DATA, ACK].concat());
    assert_eq!(out, [SETTINGS, DATA, ACK].concat());
    assert!(judge.is_done());
}

#[test]
fn what_the_multiplexer_answers_it_does_not_pass_on() {
    let judge = FromClient { answers: true, ..FromClient::default() };
    let (out, judge) = through(&judge, &[SETTINGS, PING, DATA].concat());
    assert_eq!(out, [SETTINGS, DATA].concat());
    assert_eq!(judge.acknowledged, 1);
    let mut pong = PING.to_vec();
    pong[4] = 1;
    assert_eq!(judge.answer, [ACK, &pong].concat());
}

#[test]
fn a_frame_that_is_added_comes_between_two_frames_wherever_it_is_added() {
    let bytes = [DATA, DATA].concat();
    for cut in 0..=bytes.len() {
        let mut filter = Filter::new(FromClient { unacknowledged: 1, ..FromClient::default() }, 0);
        let mut out = BytesMut::new();
        filter.push(&bytes[..cut], &mut out);
        filter.insert(Bytes::from_static(ACK), &mut out);
        filter.push(&bytes[cut..], &mut out);
        let expected = match cut {
            0..9 => [ACK, DATA, DATA],
            9..21 => [DATA, ACK, DATA],
            _ => [DATA, DATA, ACK],
        };
        assert_eq!(out, expected.concat(), "cut at {cut}");
    }
}

#[test]
fn settings_wait_with_all_that_follows_while_the_back_end_has_not_acknowledged_those_before_them() {
    let bytes = [DATA, SETTINGS, DATA, PING].concat();
    for cut in 0..=bytes.len() {
        let judge = FromClient { is_ahead: true, ..FromClient::default() };
        let mut filter = Filter::new(judge, 0);
        let mut out = BytesMut::new();
        filter.push(&bytes[..cut], &mut out);
        filter.push(&bytes[cut..], &mut out);
        assert_eq!((&out[..], filter.is_waiting()), (DATA, true), "cut at {cut}");
        filter.judge.is_ahead = false;
        filter.go_on(&mut out);
        assert_eq!(out, bytes);
        assert!(filter.is_transparent());
    }
}

#[test]
fn a_frame_cut_off_is_passed_on_as_far_as_it_came() {
    let judge = FromClient { answers: true, ..FromClient::default() };
    let (out, _) = through(&judge, &[DATA, &PING[..12]].concat());
    assert_eq!(out, [DATA, &PING[..12]].concat());
}

#[test]
fn the_back_ends_settings_state_what_the_first_ones_stated() {
    let empty: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    let judge = FromServer::behind(&EarlySettings::default(), 1);
    let (out, judge) = through(&judge, &[empty, ACK, empty, ACK].concat());
    let unlimited: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff];
    assert_eq!(out, [unlimited, empty, ACK].concat());
    assert!(judge.is_done());
}

#[test]
fn what_may_not_change_is_kept_from_the_client_for_good() {
    let priorities: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1];
    let judge = FromServer::behind(&EarlySettings::default(), 0);
    let (out, judge) = through(&judge, &[priorities, DATA, priorities].concat());
    let unlimited: &[u8] = &[0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff];
    assert_eq!(out, [unlimited, DATA, SETTINGS].concat());
    assert!(!judge.is_done(), "it may state it again");
}

#[test]
fn a_back_end_that_is_known_has_been_spoken_for_once_it_says_what_was_said() {
    let own = [
        Setting { id: SettingId::MaxConcurrentStreams, value: 250 },
        Setting { id: SettingId::InitialWindowSize, value: 1 << 20 },
        Setting { id: SettingId::NoRfc7540Priorities, value: 1 },
    ];
    let early = EarlySettings::of_back_end(&own);
    assert_eq!(early.encoded(), encoded(&Frame::Settings(own.to_vec())));
    let explicit = Setting { id: SettingId::HeaderTableSize, value: 4096 };
    for said in [own.to_vec(), vec![own[1], own[2], own[0]], [&[explicit][..], &own].concat()] {
        let said = encoded(&Frame::Settings(said));
        let (out, judge) = through(&FromServer::behind(&early, 0), &[&said[..], DATA].concat());
        assert_eq!(out, DATA);
        assert!(judge.is_done() && judge.spoken_for);
    }
    let other = Setting { id: SettingId::InitialWindowSize, value: 100 };
    for said in [vec![own[0], own[2]], [&own[..], &[other]].concat()] {
        let said = encoded(&Frame::Settings(said));
        let (out, judge) = through(&FromServer::behind(&early, 0), &said);
        assert!(!out.is_empty() && !judge.spoken_for);
    }
}

#[test]
fn a_known_back_end_that_says_something_else_is_believed() {
    let own = [
        Setting { id: SettingId::HeaderTableSize, value: 0 },
        Setting { id: SettingId::InitialWindowSize, value: 100 },
        Setting { id: SettingId::MaxHeaderListSize, value: 8192 },
        Setting { id: SettingId::MaxConcurrentStreams, value: 10 },
    ];
    let early = EarlySettings::of_back_end(&own);
    let (out, _) = through(&FromServer::behind(&early, 0), SETTINGS);
    let initial = [
        Setting { id: SettingId::HeaderTableSize, value: 4096 },
        Setting { id: SettingId::InitialWindowSize, value: 65_535 },
        Setting { id: SettingId::MaxHeaderListSize, value: u32::MAX },
        Setting { id: SettingId::MaxConcurrentStreams, value: UNLIMITED },
    ];
    assert_eq!(out, encoded(&Frame::Settings(initial.to_vec())));
}

#[test]
fn what_may_not_change_may_be_said_again_as_it_was() {
    let priorities = |value| Setting { id: SettingId::NoRfc7540Priorities, value };
    let window = Setting { id: SettingId::InitialWindowSize, value: 100 };
    let early = EarlySettings::of_back_end(&[priorities(1)]);
    for (said, heard) in [(1, vec![priorities(1), window]), (0, vec![window])] {
        let said = encoded(&Frame::Settings(vec![priorities(said), window]));
        let (out, _) = through(&FromServer::behind(&early, 0), &said);
        assert_eq!(out, encoded(&Frame::Settings(heard)));
    }
}
