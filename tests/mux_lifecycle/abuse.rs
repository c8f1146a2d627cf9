//! Clients and systems that give too much, or take nothing.

use std::io;
use std::time::Duration;

use muxbed::mux::{Mux, Overflow, Rule, Rules, Streams, Value};
use muxbed::wire::{ErrorCode, Frame, FrameReader, PREFACE};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{Running, grpc_and_http, rest, settle};

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

/// The code of the GOAWAY at the end of what a client heard.
fn goaway(heard: &[u8]) -> Option<ErrorCode> {
    let mut reader = FrameReader::new(1 << 14);
    reader.push(heard);
    let frames: Vec<_> = std::iter::from_fn(|| reader.next_frame().unwrap()).collect();
    assert_eq!(frames[0].parse().map(|frame| matches!(frame, Frame::Settings(_))), Ok(true));
    match frames.last()?.parse().unwrap() {
        Frame::GoAway { code, .. } => Some(code),
        _ => None,
    }
}

/// Sends the opening and then a frame over and over, until it is closed; what it heard.
async fn flood(running: &Running, opening: &[u8], frame: &[u8]) -> (usize, Vec<u8>) {
    let (mut read, mut write) = tokio::io::split(running.connect());
    let heard = tokio::spawn(async move {
        let mut heard = Vec::new();
        drop(read.read_to_end(&mut heard).await);
        heard
    });
    let mut sent = opening.len();
    write.write_all(opening).await.unwrap();
    while sent < 1 << 20 && write.write_all(frame).await.is_ok() {
        sent += frame.len();
    }
    (sent, heard.await.unwrap())
}

#[tokio::test(start_paused = true)]
async fn c1_what_comes_before_a_request_is_read_up_to_the_limit() {
    let running = Running::start(grpc_and_http());
    let opening = [&PREFACE[..], SETTINGS].concat();
    let window_update: &[u8] = &[0, 0, 4, 8, 0, 0, 0, 0, 0, 0, 0, 0, 1];
    for frame in [window_update, &[&[0, 0x3f, 0, 0x42, 0, 0, 0, 0, 0][..], &[0; 0x3f00]].concat()] {
        let (sent, heard) = flood(&running, &opening, frame).await;
        assert!(sent < 256 * 1024, "{sent}");
        assert_eq!(goaway(&heard), Some(ErrorCode::EnhanceYourCalm));
    }
    running.assert_closed("too_long", 2);
}

#[tokio::test(start_paused = true)]
async fn a12_a_flood_of_what_has_to_be_answered_is_closed_by_name() {
    let running = Running::start(grpc_and_http());
    for frame in [SETTINGS, PING] {
        let (sent, heard) = flood(&running, &[&PREFACE[..], SETTINGS].concat(), frame).await;
        assert!(sent < 256 * 1024, "{sent}");
        assert_eq!(goaway(&heard), Some(ErrorCode::EnhanceYourCalm));
    }
    running.assert_closed("flood", 2);
}

#[tokio::test(start_paused = true)]
async fn a12_a_client_that_does_not_read_its_answers_is_closed_at_the_deadline() {
    let (door, connections) = mpsc::unbounded_channel();
    let listener = Streams::new(UnboundedReceiverStream::new(connections));
    let running = Running::with(grpc_and_http(), door.clone(), listener);
    // There is room for a few bytes only.
    let (mut client, server) = tokio::io::duplex(12);
    door.send(Ok(server)).unwrap();
    let opening = [&PREFACE[..], SETTINGS, PING, PING].concat();
    drop(timeout(Duration::from_secs(60), client.write_all(&opening)).await);
    tokio::time::sleep(Duration::from_secs(10)).await;
    running.assert_closed("deadline", 1);
}

#[tokio::test(start_paused = true)]
async fn c2_a_header_block_without_end_is_read_up_to_the_limit() {
    let running = Running::start(grpc_and_http());
    // HEADERS without END_HEADERS, and CONTINUATIONs with one field each.
    let headers: &[u8] = &[0, 0, 1, 1, 0, 0, 0, 0, 1, 0x82];
    let opening = [&PREFACE[..], SETTINGS, headers].concat();
    let (sent, heard) = flood(&running, &opening, &[0, 0, 1, 9, 0, 0, 0, 0, 1, 0x82]).await;
    assert!(sent < 256 * 1024, "{sent}");
    assert_eq!(goaway(&heard), Some(ErrorCode::EnhanceYourCalm));
    running.assert_closed("too_long", 1);
    // A block of 4,000 references to one large field, which would take 16 MB.
    let field = [&[0x40, 1, b'a', 0x7f, 0x81, 0x1e][..], &[b'v'; 4000]].concat();
    let block = [&field[..], &vec![0xbe; 4000]].concat();
    let length = u32::try_from(block.len()).unwrap().to_be_bytes();
    let header = [length[1], length[2], length[3], 1, 4, 0, 0, 0, 1];
    let client = running.says(&[&PREFACE[..], SETTINGS, &header, &block].concat()).await;
    assert_eq!(goaway(&rest(client).await), Some(ErrorCode::ProtocolError));
    running.assert_closed("no_rule", 1);
}

#[tokio::test(start_paused = true)]
async fn c3_a_request_line_beyond_the_limit_goes_where_one_says() {
    let line = [b"GET /", &[b'x'; 20_000][..], b" HTTP/1.1\r\n\r\n"].concat();
    let running = Running::start(grpc_and_http());
    assert_eq!(rest(running.says(&line).await).await, b"");
    running.assert_closed("too_long", 1);
    let mut running = Running::start(grpc_and_http().otherwise("http"));
    drop(running.says(&line).await);
    assert_eq!(rest(running.http.accept().await.unwrap()).await, line);
    let mut running = Running::start(grpc_and_http().limit(32 * 1024));
    drop(running.says(&line).await);
    assert_eq!(rest(running.http.accept().await.unwrap()).await, line);
}

#[tokio::test(start_paused = true)]
async fn c4_a_record_that_lies_about_its_length_does_not_hang_anybody() {
    let name = Value::Equals("a.example".to_owned());
    let rules = Rules::new().to("grpc", Rule::ServerName(name)).to("http", Rule::Any);
    let mut running = Running::start(Mux::new(rules));
    let _client = running.says(&[22, 3, 1, 0xff, 0xff]).await;
    assert!(running.http.accept().await.is_some());
    assert_eq!(running.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn c5_rules_for_all_protocols_share_what_was_read() {
    let name = Value::Equals("a.example".to_owned());
    let rules = Rules::new()
        .to("http", Rule::ServerName(name))
        .to("http", Rule::Http1Header { name: "host".to_owned(), value: Value::Equals("b".to_owned()) })
        .to("grpc", Rule::Grpc)
        .to("http", Rule::Http1);
    let mut running = Running::start(Mux::new(rules));
    // A hello of more than one segment, cut anywhere, is SNI's to wait for, and takes up nobody else's room.
    let hello = [&[22, 3, 1, 0x10, 0, 1, 0, 0x20, 0][..], &[7; 4087]].concat();
    let mut client = running.connect();
    for piece in hello.chunks(1000) {
        client.write_all(piece).await.unwrap();
        settle().await;
    }
    assert_eq!(running.handle.pending(), 1, "the rest of the hello is to come");
    drop(running.says(b"GET / HTTP/1.1\r\nHost: b\r\n\r\n").await);
    assert!(running.http.accept().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn c6_a_system_without_descriptors_is_asked_again_and_not_all_the_time() {
    let mut running = Running::start(grpc_and_http());
    const EMFILE: i32 = 24;
    let door = running.door.as_ref().unwrap();
    for _ in 0..10 {
        door.send(Err(io::Error::from_raw_os_error(EMFILE))).unwrap();
    }
    drop(running.says(b"GET / HTTP/1.1\r\n\r\n").await);
    assert!(running.http.accept().await.is_some());
    // 5, 10, 20 .. 640 ms, and 1 s twice.
    assert_eq!(running.elapsed(), Duration::from_millis(5 * 255 + 2000));
    assert_eq!(running.counters.accept_failures(), 10);
}

#[tokio::test(start_paused = true)]
async fn c7_a_route_that_nobody_serves_sheds_what_its_queue_can_not_take() {
    for (overflow, after) in [(Overflow::Close, 0), (Overflow::Wait, 5)] {
        let (door, connections) = mpsc::unbounded_channel();
        let counters = std::sync::Arc::new(muxbed::mux::Counters::default());
        let listener = Streams::new(UnboundedReceiverStream::new(connections));
        let mut listening = grpc_and_http().listen(listener).observer(std::sync::Arc::clone(&counters));
        let mut http = listening.route_with("http", 2, overflow);
        tokio::spawn(listening.run());
        let started = Instant::now();
        let mut clients = Vec::new();
        for _ in 0..3 {
            let (mut client, server) = tokio::io::duplex(1024);
            client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
            door.send(Ok(server)).unwrap();
            clients.push(client);
            settle().await;
        }
        assert_eq!(rest(clients.pop().unwrap()).await, b"");
        assert_eq!((started.elapsed(), counters.closed("queue_full")), (Duration::from_secs(after), 1));
        assert!(http.accept().await.is_some() && http.accept().await.is_some());
    }
}

#[tokio::test(start_paused = true)]
async fn a12_what_a_slow_client_was_being_told_at_the_deadline_comes_whole_before_the_back_end_speaks() {
    // The room that the client's window leaves ends in every part of the frames that it is owed.
    for room in 1..30 {
        let (door, connections) = mpsc::unbounded_channel();
        let listener = Streams::new(UnboundedReceiverStream::new(connections));
        let mut running = Running::with(grpc_and_http().otherwise("http"), door.clone(), listener);
        let (client, server) = tokio::io::duplex(room);
        let (mut client_reads, mut client_writes) = tokio::io::split(client);
        door.send(Ok(server)).unwrap();
        let says = tokio::spawn(async move {
            client_writes.write_all(&[&PREFACE[..], SETTINGS].concat()).await.unwrap();
            client_writes
        });
        let mut connection = running.http.accept().await.unwrap();
        assert_eq!(running.elapsed(), Duration::from_secs(5));
        let heard = tokio::spawn(async move { rest(&mut client_reads).await });
        connection.write_all(&[SETTINGS, ACK].concat()).await.unwrap();
        connection.shutdown().await.unwrap();
        drop(connection);
        let heard = heard.await.unwrap();
        let mut reader = FrameReader::new(1 << 14);
        reader.push(&heard);
        let frames = std::iter::from_fn(|| reader.next_frame().unwrap()).map(|frame| frame.parse().unwrap());
        let told: Vec<&str> = frames
            .map(|frame| match frame {
                Frame::Settings(_) => "SETTINGS",
                Frame::SettingsAck => "SETTINGS ack",
                _ => "something else",
            })
            .collect();
        assert_eq!(told, ["SETTINGS", "SETTINGS ack", "SETTINGS"], "room for {room}");
        assert_eq!(reader.buffered(), 0);
        drop(says);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_refused_has_a_second_to_hear_why() {
    const TEXT: &[u8] = b"\0\0\x19\x01\x04\0\0\0\x01\0\x0ccontent-type\x0atext/plain";
    for (pause, hears) in [(10, Some(ErrorCode::Http11Required)), (300, None)] {
        let (door, connections) = mpsc::unbounded_channel();
        let listener = Streams::new(UnboundedReceiverStream::new(connections));
        let running = Running::with(grpc_and_http(), door.clone(), listener);
        let (client, server) = tokio::io::duplex(16);
        let (mut reads, mut writes) = tokio::io::split(client);
        door.send(Ok(server)).unwrap();
        let says = tokio::spawn(async move {
            drop(writes.write_all(&[&PREFACE[..], SETTINGS, TEXT].concat()).await);
            writes
        });
        let mut heard = Vec::new();
        while reads.read_buf(&mut heard).await.is_ok_and(|length| length > 0) {
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        assert_eq!(goaway(&heard), hears);
        running.assert_closed("no_rule", 1);
        drop(says);
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_whose_first_request_does_not_come_is_told_so_at_the_deadline() {
    let running = Running::start(grpc_and_http());
    let client = running.says(&[&PREFACE[..], SETTINGS].concat()).await;
    assert_eq!(goaway(&rest(client).await), Some(ErrorCode::Http11Required));
    assert_eq!(running.elapsed(), Duration::from_secs(5));
    running.assert_closed("deadline", 1);
}
