//! Closing, draining, reloading.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use muxbed::mux::{AfterFailure, Closed, Mux, Observer, Route, Rule, Rules, Streams};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_stream::StreamExt;
use tokio_stream::wrappers::UnboundedReceiverStream;

use super::{Accepted, Running, grpc_and_http, rest, settle};

const GET: &[u8] = b"GET / HTTP/1.1\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn f1_a_route_that_is_closed_leaves_the_others() {
    let mut running = Running::start(Mux::new(Rules::new().to("grpc", Rule::Http2).to("http", Rule::Http1)));
    running.http.close();
    assert_eq!(rest(running.says(GET).await).await, b"");
    running.assert_closed("route_closed", 1);
    let _client = running.says(&muxbed::wire::PREFACE).await;
    assert!(running.grpc.accept().await.is_some());
}

#[tokio::test(start_paused = true)]
async fn f1_the_connections_of_a_route_are_a_stream_that_ends_when_there_will_be_no_more() {
    let mut running = Running::start(grpc_and_http());
    let _client = running.says(GET).await;
    assert!(running.http.next().await.is_some_and(|connection| connection.is_ok()));
    running.handle.drain(Duration::ZERO);
    assert!(running.http.next().await.is_none());
}

#[tokio::test(start_paused = true)]
async fn f2_what_is_queued_when_it_ends_is_delivered_and_nothing_is_leaked() {
    let mut running = Running::start(grpc_and_http());
    let clients = [running.says(GET).await, running.says(GET).await];
    let late = running.connect();
    settle().await;
    running.handle.drain(Duration::from_secs(1));
    settle().await;
    assert!(running.door.as_ref().unwrap().is_closed(), "no connection is accepted any more");
    let queued: Vec<Accepted> =
        [running.http.accept().await, running.http.accept().await].map(Option::unwrap).into();
    assert!(running.http.accept().await.is_none(), "there will be no more");
    assert_eq!(running.ended.await.unwrap().cut_off, 1);
    assert_eq!(rest(late).await, b"");
    drop(queued);
    for client in clients {
        assert_eq!(rest(client).await, b"");
    }
}

#[tokio::test(start_paused = true)]
async fn f3_a_client_that_makes_up_its_mind_while_it_drains_is_served() {
    let mut running = Running::start(grpc_and_http());
    let mut client = running.connect();
    let silent = running.connect();
    settle().await;
    running.handle.drain(Duration::from_secs(2));
    sleep(Duration::from_secs(1)).await;
    client.write_all(GET).await.unwrap();
    assert!(running.http.accept().await.is_some());
    assert_eq!(running.ended.await.unwrap().cut_off, 1);
    assert_eq!(running.started.elapsed(), Duration::from_secs(2));
    assert_eq!(rest(silent).await, b"");
}

#[tokio::test(start_paused = true)]
async fn f3_nobody_waits_for_the_drain_if_nothing_is_pending() {
    let running = Running::start(grpc_and_http());
    running.handle.drain(Duration::from_secs(60));
    assert_eq!(running.ended.await.unwrap().cut_off, 0);
    assert_eq!(running.started.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn f4_rules_are_replaced_while_connections_are_being_sniffed() {
    let mut running = Running::start(grpc_and_http());
    let mut before = running.says(b"GET / HT").await;
    settle().await;
    running.handle.replace(Mux::new(Rules::new().to("grpc", Rule::Any)));
    let after = running.says(GET).await;
    assert!(running.grpc.accept().await.is_some(), "what comes now goes by the new rules");
    before.write_all(b"TP/1.1\r\n\r\n").await.unwrap();
    assert!(running.http.accept().await.is_some(), "what had begun goes by those that it began with");
    drop((before, after));
}

#[tokio::test(start_paused = true)]
async fn f5_who_is_told_of_a_failure_may_end_it() {
    struct Strict;
    impl Observer for Strict {
        fn accept_failed(&self, _: &io::Error) -> AfterFailure {
            AfterFailure::Stop
        }
    }
    let (door, connections) = mpsc::unbounded_channel();
    let listener = Streams::new(UnboundedReceiverStream::new(connections));
    let mut listening = grpc_and_http().listen(listener).observer(Arc::new(Strict));
    let mut http = listening.route("http");
    let running = tokio::spawn(listening.run());
    let (mut client, server) = tokio::io::duplex(1024);
    door.send(Ok(server)).unwrap();
    door.send(Err(io::ErrorKind::OutOfMemory.into())).unwrap();
    settle().await;
    assert!(!running.is_finished(), "what was accepted is decided first");
    client.write_all(GET).await.unwrap();
    assert!(http.accept().await.is_some());
    assert_eq!(running.await.unwrap().cut_off, 0);
}

#[tokio::test(start_paused = true)]
async fn f6_a_connection_that_was_gone_before_it_was_accepted_costs_nothing() {
    let mut running = Running::start(grpc_and_http());
    let door = running.door.as_ref().unwrap();
    door.send(Err(io::ErrorKind::ConnectionAborted.into())).unwrap();
    let _client = running.says(GET).await;
    assert!(running.http.accept().await.is_some());
    assert_eq!(running.elapsed(), Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_listener_is_the_end_once_everything_is_decided() {
    let mut running = Running::start(grpc_and_http());
    let silent = running.connect();
    running.door = None;
    settle().await;
    assert!(!running.ended.is_finished());
    assert_eq!(rest(silent).await, b"");
    assert_eq!(running.ended.await.unwrap().cut_off, 0);
    assert_eq!(running.started.elapsed(), Duration::from_secs(5));
}

#[tokio::test]
async fn on_a_port_of_its_own_it_is_the_same_and_the_addresses_are_known() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut listening = grpc_and_http().listen(listener);
    let mut http = listening.route("http");
    let handle = listening.handle();
    let running = tokio::spawn(listening.run());
    let mut client = tokio::net::TcpStream::connect(address).await.unwrap();
    client.write_all(GET).await.unwrap();
    let mut connection = http.accept().await.unwrap();
    assert_eq!(connection.facts().peer(), Some(client.local_addr().unwrap()));
    assert_eq!(connection.facts().local(), Some(address));
    let mut request = [0; 18];
    connection.read_exact(&mut request).await.unwrap();
    assert!(connection.is_unfiltered());
    connection.write_all(b"hello").await.unwrap();
    drop(connection);
    assert_eq!(rest(client).await, b"hello");
    let _silent = tokio::net::TcpStream::connect(address).await.unwrap();
    handle.drain(Duration::ZERO);
    let asked = Instant::now();
    assert!(running.await.unwrap().cut_off <= 1);
    assert!(asked.elapsed() < Duration::from_secs(5), "nobody waits for the silent one");
    assert!(tokio::net::TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test(start_paused = true)]
async fn what_happened_is_counted_and_told_as_prometheus_reads_it() {
    let mut running = Running::start(grpc_and_http());
    let counters = &*running.counters;
    assert_eq!((counters.accepted(), counters.accept_failures()), (0, 0));
    let door = running.door.as_ref().unwrap();
    for _ in 0..2 {
        door.send(Err(io::ErrorKind::ConnectionReset.into())).unwrap();
    }
    let clients = [running.says(GET).await, running.says(GET).await];
    let opening = [&muxbed::wire::PREFACE[..], &[0, 0, 0, 4, 0, 0, 0, 0, 0]].concat();
    let _waits = running.says(&opening).await;
    assert!(running.http.accept().await.is_some() && running.http.accept().await.is_some());
    drop(running.connect());
    settle().await;
    assert_eq!((counters.accepted(), counters.accept_failures()), (4, 2));
    assert_eq!((counters.routed("http"), counters.routed("grpc")), (2, 0));
    assert_eq!((counters.closed("client_left"), counters.closed("no such reason")), (1, 0));
    let told = counters.to_string();
    for line in [
        "muxbed_accepted_total 4",
        "muxbed_accept_failures_total 2",
        "muxbed_early_settings_total 1",
        "muxbed_routed_total{route=\"http\"} 2",
        "muxbed_closed_total{reason=\"client_left\"} 1",
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    drop(clients);
}

#[tokio::test(start_paused = true)]
async fn who_observes_is_told_how_much_is_said_and_after_how_much_a_route_is_known() {
    #[derive(Default)]
    struct Told(Mutex<Vec<String>>);
    impl Observer for Told {
        fn accepted(&self) {
            self.0.lock().unwrap().push("accepted".to_owned());
        }
        fn waits_for_headers(&self) {
            self.0.lock().unwrap().push("waits".to_owned());
        }
        fn speaks(&self, bytes: usize) {
            self.0.lock().unwrap().push(format!("speaks {bytes}"));
        }
        fn routed(&self, route: &Route, bytes: usize) {
            self.0.lock().unwrap().push(format!("{route} after {bytes}"));
        }
        fn closed(&self, why: &Closed) {
            self.0.lock().unwrap().push(why.to_string());
        }
    }
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];
    let told = Arc::new(Told::default());
    let (door, connections) = mpsc::unbounded_channel();
    let listener = Streams::new(UnboundedReceiverStream::new(connections));
    let mut listening = grpc_and_http().listen(listener).observer(Arc::clone(&told));
    let _http = listening.route("http");
    tokio::spawn(listening.run());
    let connect = || {
        let (client, server) = tokio::io::duplex(1024);
        door.send(Ok(server)).unwrap();
        client
    };
    let mut waits = connect();
    waits.write_all(&[&muxbed::wire::PREFACE, SETTINGS].concat()).await.unwrap();
    settle().await;
    // Another answer, then what no client says.
    waits.write_all(PING).await.unwrap();
    settle().await;
    waits.write_all(&[0, 0, 1, 1, 4, 0, 0, 0, 1, 0x80]).await.unwrap();
    // SETTINGS, their acknowledgement, the answer to PING and a GOAWAY.
    let heard = rest(waits).await.len();
    let goaway = heard - 15 - 9 - 17;
    let mut client = connect();
    client.write_all(GET).await.unwrap();
    settle().await;
    let expected = [
        "accepted".to_owned(),
        "waits".to_owned(),
        "speaks 24".to_owned(),
        "speaks 17".to_owned(),
        format!("speaks {goaway}"),
        "it fits no rule".to_owned(),
        "accepted".to_owned(),
        "http after 18".to_owned(),
    ];
    assert_eq!(*told.0.lock().unwrap(), expected);
}
