//! Clients that say nothing, little, or slowly.

use std::time::Duration;

use muxbed::mux::{Mux, Rule, Rules};
use muxbed::wire::PREFACE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::sleep;

use super::{Running, grpc_and_http, rest, settle};

const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn b1_clients_that_say_nothing_are_closed_at_the_deadline() {
    let running = Running::start(grpc_and_http());
    let clients: Vec<_> = (0..10_000).map(|_| running.connect()).collect();
    settle().await;
    assert_eq!(running.handle.pending(), 10_000);
    for client in clients {
        assert_eq!(rest(client).await, b"");
    }
    assert_eq!(running.elapsed(), Duration::from_secs(5));
    settle().await;
    assert_eq!(running.handle.pending(), 0);
    running.assert_closed("deadline", 10_000);
}

#[tokio::test(start_paused = true)]
async fn b2_a_thousand_silent_clients_do_not_hold_up_the_end() {
    let running = Running::start(grpc_and_http());
    let clients: Vec<_> = (0..1000).map(|_| running.connect()).collect();
    settle().await;
    running.handle.drain(Duration::from_secs(1));
    assert_eq!(running.ended.await.unwrap().cut_off, 1000);
    assert_eq!(running.started.elapsed(), Duration::from_secs(1));
    assert_eq!(running.counters.closed("drained"), 1000);
    for client in clients {
        assert_eq!(rest(client).await, b"");
    }
    assert_eq!(running.started.elapsed(), Duration::from_secs(1));
}

#[tokio::test(start_paused = true)]
async fn b3_a_preface_in_two_parts_far_apart_is_a_preface() {
    for cut in 1..PREFACE.len() {
        let mux = Mux::new(Rules::new().to("grpc", Rule::Http2).to("http", Rule::Http1));
        let mut running = Running::start(mux);
        let mut client = running.says(&PREFACE[..cut]).await;
        sleep(Duration::from_secs(3)).await;
        client.write_all(&PREFACE[cut..]).await.unwrap();
        let mut connection = running.grpc.accept().await.expect("it is HTTP/2");
        let mut read = [0; 24];
        connection.read_exact(&mut read).await.unwrap();
        assert_eq!(read, PREFACE);
    }
}

#[tokio::test(start_paused = true)]
async fn b4_a_request_octet_by_octet_is_a_request() {
    let mut running = Running::start(grpc_and_http());
    let mut client = running.connect();
    for octet in GET {
        client.write_all(&[*octet]).await.unwrap();
        sleep(Duration::from_millis(10)).await;
    }
    drop(client);
    assert_eq!(rest(running.http.accept().await.unwrap()).await, GET);
}

#[tokio::test(start_paused = true)]
async fn b5_a_short_message_is_decided_without_waiting() {
    let socks = Rule::Bytes(vec![5, 1, 0].into());
    let rules = Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1).to("grpc", socks);
    let mut running = Running::start(Mux::new(rules));
    let _short = running.says(b"GET / HTTP/1.0\r\n\r\n").await;
    assert!(running.http.accept().await.is_some());
    let _socks = running.says(&[5, 1, 0]).await;
    assert!(running.grpc.accept().await.is_some());
    assert_eq!(rest(running.says(b"GET /\r\n").await).await, b"");
    assert_eq!(rest(running.says(b"\x01").await).await, b"");
    assert_eq!(running.elapsed(), Duration::ZERO);
    running.assert_closed("no_rule", 2);
}

#[tokio::test(start_paused = true)]
async fn b6_what_goes_wrong_behind_a_good_beginning_is_told_at_its_first_wrong_byte() {
    let running = Running::start(grpc_and_http());
    assert_eq!(rest(running.says(b"PRI * HTTP/2.0\r\n\r\nXX").await).await, b"");
    assert_eq!(rest(running.says(b"PRI /x\rHTTP").await).await, b"");
    assert_eq!(running.elapsed(), Duration::ZERO);
    assert_eq!(rest(running.says(b"PR").await).await, b"");
    assert_eq!(running.elapsed(), Duration::from_secs(5));
    running.assert_closed("no_rule", 2);
    running.assert_closed("deadline", 1);
}

#[tokio::test(start_paused = true)]
async fn b7_the_deadline_is_for_all_of_it_and_not_for_each_byte() {
    let running = Running::start(grpc_and_http());
    let mut client = running.connect();
    let mut sent = 0;
    while client.write_all(b"G").await.is_ok() {
        sent += 1;
        sleep(Duration::from_millis(1500)).await;
    }
    assert_eq!((sent, running.elapsed()), (4, Duration::from_secs(6)), "the fifth came after 5 s");
    running.assert_closed("deadline", 1);
}

#[tokio::test(start_paused = true)]
async fn b8_an_end_behind_a_request_is_an_end_for_the_back_end_which_can_still_answer() {
    let mut running = Running::start(grpc_and_http());
    let mut client = running.says(GET).await;
    client.shutdown().await.unwrap();
    let mut connection = running.http.accept().await.unwrap();
    let mut read = Vec::new();
    connection.read_to_end(&mut read).await.unwrap();
    assert_eq!(read, GET);
    connection.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
    connection.shutdown().await.unwrap();
    assert_eq!(rest(client).await, b"HTTP/1.1 200 OK\r\n\r\n");
}

#[tokio::test(start_paused = true)]
async fn b9_a_health_check_that_only_connects_is_counted_and_no_more() {
    let running = Running::start(grpc_and_http().otherwise("http"));
    drop(running.connect());
    settle().await;
    running.assert_closed("client_left", 1);
    assert_eq!((running.counters.routed("http"), running.elapsed()), (0, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn b10_a_client_that_waits_for_the_server_to_speak_gets_one_at_the_deadline() {
    let mut running = Running::start(grpc_and_http().otherwise("http"));
    let mut client = running.connect();
    let mut connection = running.http.accept().await.unwrap();
    assert_eq!(running.elapsed(), Duration::from_secs(5));
    connection.write_all(b"220 a.example ESMTP\r\n").await.unwrap();
    let mut greeting = [0; 21];
    client.read_exact(&mut greeting).await.unwrap();

    // A rule that needs no bytes costs no time.
    let mut running = Running::start(Mux::new(Rules::new().to("http", Rule::Any)));
    let _client = running.connect();
    assert!(running.http.accept().await.is_some());
    assert_eq!(running.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn b11_what_comes_before_the_deadline_counts_and_what_comes_after_does_not() {
    for (at, served) in [(4999, true), (5001, false)] {
        let mut running = Running::start(grpc_and_http());
        let mut client = running.connect();
        sleep(Duration::from_millis(at)).await;
        assert_eq!(client.write_all(GET).await.is_ok(), served);
        settle().await;
        assert_eq!(running.counters.routed("http"), u64::from(served));
        assert_eq!(running.counters.closed("deadline"), u64::from(!served));
        running.http.close();
    }
}
