//! What somebody reads who has misspelt something: file, line, column, a caret, and what was probably meant.

use muxbed::script::Script;

#[track_caller]
fn complaint(text: &str) -> String {
    Script::parse("typo.bed", text).expect_err("it is misspelt").to_string()
}

#[test]
fn a_block() {
    insta::assert_snapshot!(complaint("sever mux\n"), @"
    error: there is no block `sever`
     --> typo.bed:1:1
      |
    1 | sever mux
      | ^^^^^
      |
      = help: the nearest is `server`; there are client, server, network, expect, afterwards, fields
    ");
}

#[test]
fn a_step() {
    insta::assert_snapshot!(complaint("client \"c\"\n  > preface\n  half-clsoe\n"), @"
    error: there is no step `half-clsoe`
     --> typo.bed:3:3
      |
    3 |   half-clsoe
      |   ^^^^^^^^^^
      |
      = help: the nearest is `half-close`; there are tls, >, hold, <, wait, half-close, close, reset, silent, cut, no, acks, priorities, frames, settings, streams, ready, call, upgraded, finally, unagreed, on, fail-fast, after, tries
    ");
}

#[test]
fn an_item_after_others() {
    insta::assert_snapshot!(complaint("client \"c\"\n  > preface, setings\n"), @"
    error: there is no item `setings`
     --> typo.bed:2:14
      |
    2 |   > preface, setings
      |              ^^^^^^^
      |
      = help: the nearest is `settings`; there are preface, settings, headers, request, data, window-update, ping, goaway, reset-stream, priority, frame, raw, hex, settings ack
    ");
}

#[test]
fn what_is_waited_for() {
    insta::assert_snapshot!(complaint("client \"c\"\n  < setting within 20s\n"), @"
    error: there is no condition `setting`
     --> typo.bed:2:5
      |
    2 |   < setting within 20s
      |     ^^^^^^^
      |
      = help: the nearest is `settings`; there are settings, headers, end, reset-stream, goaway, ping ack, bytes, http1, close
    ");
}

#[test]
fn a_duration_without_a_unit() {
    insta::assert_snapshot!(complaint("client \"c\"\n  < settings within 20\n"), @"
    error: `20` is no duration
     --> typo.bed:2:21
      |
    2 |   < settings within 20
      |                     ^^
      |
      = help: write for example `20s` or `5ms`
    ");
}

#[test]
fn a_server() {
    insta::assert_snapshot!(complaint("# gRPC behind cmux\nserver cmux-seting\n"), @"
    error: a server's name: there is no server `cmux-seting`; the nearest is `cmux-settings`
     --> typo.bed:2:8
      |
    2 | server cmux-seting
      |        ^^^^^^^^^^^
    ");
}

#[test]
fn an_event() {
    insta::assert_snapshot!(complaint("client \"c\"\n  on timeot connecting fail \"too late\"\n"), @r#"
    error: there is no event `timeot`
     --> typo.bed:2:6
      |
    2 |   on timeot connecting fail "too late"
      |      ^^^^^^
      |
      = help: the nearest is `timeout`; there are end, reset, http1, not-settings, protocol, goaway, unprocessed, reset-stream, status, http-status, content-type, no-alpn, alert, not-tls, timeout, deadline
    "#);
}

#[test]
fn a_header_list() {
    let text = "fields request\n  te trailers\nclient \"c\"\n  > preface\n  > headers 1 fields requests\n";
    insta::assert_snapshot!(complaint(text), @"
    error: there is no header list `requests`
     --> typo.bed:5:22
      |
    5 |   > headers 1 fields requests
      |                      ^^^^^^^^
      |
      = help: there is only `request`
    ");
    insta::assert_snapshot!(complaint("client \"fields\"\n  > headers 1 fields fields\n"), @"
    error: there is no block `fields fields` in this file
     --> typo.bed:2:22
      |
    2 |   > headers 1 fields fields
      |                      ^^^^^^
    ");
}

#[test]
fn a_second_list_of_one_name() {
    insta::assert_snapshot!(complaint("fields request\nfields request\n"), @"
    error: there is a block `fields request` further up
     --> typo.bed:2:8
      |
    2 | fields request
      |        ^^^^^^^
      |
      = help: steps could refer to one of the two only
    ");
}

#[test]
fn offsets_that_do_not_rise() {
    insta::assert_snapshot!(complaint("client \"é\"\n  cut 9 1\n"), @"
    error: offsets must rise
     --> typo.bed:2:9
      |
    2 |   cut 9 1
      |         ^
    ");
    insta::assert_snapshot!(complaint("client \"é\"\n  cut 0 1\n"), @"
    error: before the first byte there is nothing to cut off: offsets begin with 1
     --> typo.bed:2:7
      |
    2 |   cut 0 1
      |       ^
    ");
}

#[test]
fn a_client_without_a_version() {
    insta::assert_snapshot!(complaint("client grpc-go\n"), @"
    error: a client: `grpc-go` has no version; write NAME@VERSION, for example `grpc-go@1.33.3`
     --> typo.bed:1:8
      |
    1 | client grpc-go
      |        ^^^^^^^
    ");
}

#[test]
fn a_text_without_an_end() {
    insta::assert_snapshot!(complaint("client \"c\"\n  < settings else \"gave up\n  close\n"), @r#"
    error: this text does not end, or has an escape other than \" \\ \r \n \t \xHH
     --> typo.bed:2:19
      |
    2 |   < settings else "gave up
      |                   ^^^^^^^^
    "#);
}

#[test]
fn a_line_in_the_wrong_place() {
    insta::assert_snapshot!(complaint("server mux\n  latency 5ms\n"), @"
    error: nothing above this line can hold it
     --> typo.bed:2:3
      |
    2 |   latency 5ms
      |   ^^^^^^^
    ");
}
