//! Where a client's bytes are cut changes nothing: every recorded first flight, cut at every position and byte by byte,
//! goes the same way through the multiplexer and arrives the same.

use std::collections::BTreeSet;
use std::fs;

use bytes::Bytes;
use muxbed::bed::bed;
use muxbed::capture::{self, Direction};
use muxbed::clients::KnownClient;
use muxbed::mux::{Mux, Rule, Rules, Sniffed};
use muxbed::net::{Cuts, Network, Path, pair};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What every recorded client sent on each of its connections; alike ones once.
fn flights() -> BTreeSet<Bytes> {
    let mut flights = BTreeSet::new();
    for entry in fs::read_dir("captures").expect("the recordings") {
        let path = entry.expect("a file").path();
        if path.extension().is_none_or(|extension| extension != "pcap" && extension != "pcapng") {
            continue;
        }
        let bytes = fs::read(&path).expect("the capture");
        for flow in capture::read(&bytes).expect("it is a capture").flows {
            let sent: Vec<u8> =
                flow.data(Direction::ToServer).flat_map(|(_, bytes)| bytes).copied().collect();
            flights.insert(Bytes::from(sent));
        }
    }
    flights
}

/// Where the bytes go, and what arrives there.
fn through_mux(flight: &Bytes, cuts: Cuts) -> (String, Vec<u8>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
    runtime.expect("a runtime").block_on(async {
        let network = Network { to_server: Path { cuts, ..Path::default() }, ..Network::default() };
        let (mut client, server) = pair(&network);
        client.write_all(flight).await.expect("the window is wide");
        client.shutdown().await.expect("the connection is open");
        let mux = Mux::new(Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1));
        match mux.sniff(server, &()).await {
            Sniffed::Routed { route, mut connection } => {
                let mut arrived = Vec::new();
                connection.read_to_end(&mut arrived).await.expect("it ends in order");
                (route.to_string(), arrived)
            }
            Sniffed::Closed(why) => (format!("{why:?}"), Vec::new()),
        }
    })
}

#[test]
fn every_recorded_first_flight_goes_the_same_way_however_it_is_cut() {
    let flights = flights();
    let mut routes = std::collections::BTreeMap::<String, u32>::new();
    for flight in &flights {
        let (route, arrived) = through_mux(flight, Cuts::AsWritten);
        if ["grpc", "http"].contains(&route.as_str()) {
            assert_eq!(Bytes::from(arrived.clone()), flight, "nothing is lost and nothing added");
        }
        for cut in 1..flight.len() as u64 {
            assert_eq!(
                through_mux(flight, Cuts::At([cut].into())),
                (route.clone(), arrived.clone()),
                "cut at {cut}"
            );
        }
        assert_eq!(through_mux(flight, Cuts::EveryByte), (route.clone(), arrived), "every byte by itself");
        *routes.entry(route).or_default() += 1;
    }
    assert!(routes["grpc"] > 300 && routes["http"] > 10, "{routes:?}");
}

/// The longest first flight of grpc-go and grpc-js, up to its first request, is shorter than this.
const OPENING: u64 = 250;

#[test]
fn every_client_is_served_wherever_its_bytes_are_cut() {
    let families = ["grpc-go@*", "grpc-js@>=1.14"];
    for client in families.iter().flat_map(|all| KnownClient::find_all(all).expect("the family is known")) {
        for cut in (1..OPENING).map(|cut| Cuts::At([cut].into())).chain([Cuts::EveryByte]) {
            let to_server = Path { cuts: cut.clone(), ..Path::default() };
            let network = Network { to_server, ..Network::default() };
            let server = "mux-to-tonic".parse().expect("it is a server");
            let run = bed().known_client(client.clone()).named_server(server).network(network).run();
            assert!(run.works(), "{cut:?}: {run}");
        }
    }
}
