//! Through the multiplexer SETTINGS and acknowledgements add up, for back ends that count them and for clients of every kind,
//! wherever bytes are cut and whoever is slow.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use muxbed::Incoming;
use muxbed::bed::{Run, What, bed};
use muxbed::mux::{EarlySettings, Mux, Rule, Rules, Sniffed};
use muxbed::net::{Cuts, Network, Path, Side};
use muxbed::wire::{Frame, FrameReader, PREFACE, Setting, SettingId};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};

/// One that waits for SETTINGS, one that does not, one that acknowledges with what it writes next, and one that does not wait
/// and acknowledges late.
const CLIENTS: [&str; 4] = ["grpc-go@1.33.3", "grpc-go@1.17.0", "grpcio@1.44.0", "grpcio@1.31.0"];

const BACK_ENDS: [&str; 6] =
    ["mux", "mux-to-h2c", "mux-to-tonic", "mux-to-nghttp2", "mux-to-netty", "mux-to-c-core"];

/// The longest opening of those clients, up to their first request, is shorter.
const OPENING: u64 = 420;

fn cut_at(cut: u64) -> Network {
    Network { to_server: Path { cuts: Cuts::At([cut].into()), ..Path::default() }, ..Network::default() }
}

#[test]
fn every_back_end_serves_two_calls_on_one_connection_under_every_cut_and_schedule() {
    for client in CLIENTS {
        for back_end in BACK_ENDS {
            let server = back_end.parse().expect("it is a server");
            let networks = (1..OPENING).step_by(3).map(cut_at).chain([Network::every_byte()]);
            for network in networks {
                let run = bed().client(client).named_server(server).network(network).run();
                assert!(run.works() && !run.racy, "{run}");
                let alive = run.endings().all(|ending| {
                    ending.connections.len() == 1
                        && ending.connections[0].requests == 2
                        && ending.connections[0].goaway.is_none()
                });
                assert!(alive, "the connection outlives its first call: {run}");
            }
        }
    }
}

#[test]
fn a_client_sees_limits_that_were_not_looser_before_and_priorities_that_do_not_change() {
    for back_end in BACK_ENDS {
        let server = back_end.parse().expect("it is a server");
        let run = bed().client("grpc-go@1.33.3").named_server(server).run();
        let settings = settings_heard(&run);
        assert_eq!(settings.len(), 2, "the multiplexer's and the back end's own: {run}");
        for settings in &settings {
            let states = |id| settings.iter().any(|setting| setting.id == id);
            assert!(states(SettingId::MaxConcurrentStreams), "its absence would read as no limit: {run}");
            assert!(!states(SettingId::NoRfc7540Priorities), "it may not change: {run}");
        }
        let window = settings[0].iter().find(|setting| setting.id == SettingId::InitialWindowSize);
        assert!(window.is_none_or(|window| window.value <= 65_535), "{run}");
    }
}

/// Real tonic behind the multiplexer, with what passes between them counted.
#[test]
fn a_server_gets_as_many_acknowledgements_as_it_sent_settings() {
    for client in CLIENTS {
        for cut in (1..OPENING).step_by(7) {
            behind_a_mux_that_says(&EarlySettings::default(), client, cut);
        }
    }
}

/// A client that acknowledges late included, and one that has said its first request by then.
#[test]
fn what_a_known_server_says_is_said_once_and_acknowledged_once() {
    let (_, seen) = behind_a_mux_that_says(&EarlySettings::default(), CLIENTS[0], 1);
    let mut frames = FrameReader::new(1 << 14);
    frames.push(&seen[0].from_server.bytes);
    let first = frames.next_frame().expect("frames").expect("it has spoken").parse();
    let Ok(Frame::Settings(own)) = first else { panic!("{first:?}") };
    let known = EarlySettings::of_back_end(&own);
    for client in CLIENTS {
        for cut in (1..OPENING).step_by(7) {
            let (run, _) = behind_a_mux_that_says(&known, client, cut);
            assert_eq!(settings_heard(&run), std::slice::from_ref(&own), "{client} cut at {cut}: {run}");
        }
    }
}

/// The run, and what passed between the multiplexer and the server on each connection.
fn behind_a_mux_that_says(early: &EarlySettings, client: &str, cut: u64) -> (Run, Vec<Seen>) {
    let seen: Arc<Mutex<Vec<Arc<Mutex<Seen>>>>> = Arc::default();
    let (counting, early) = (Arc::clone(&seen), early.clone());
    let server = move |incoming| counted_tonic(incoming, early.clone(), Arc::clone(&counting));
    let run = bed().client(client).server(server).network(cut_at(cut)).run_once();
    assert!(run.works(), "{run}");
    let seen: Vec<Seen> =
        seen.lock().unwrap().iter().map(|seen| std::mem::take(&mut *seen.lock().unwrap())).collect();
    assert!(!seen.is_empty());
    for Seen { from_client, from_server } in &seen {
        let (sent, acknowledged) = (from_server.settings, from_client.acknowledgements);
        assert_eq!((sent, acknowledged), (1, 1), "{client} cut at {cut}: {run}");
        assert_eq!(from_client.settings, from_server.acknowledgements, "{client} cut at {cut}");
    }
    (run, seen)
}

/// The SETTINGS that the client got.
fn settings_heard(run: &Run) -> Vec<Vec<Setting>> {
    let mut frames = FrameReader::new(1 << 14);
    for event in run.ending.transcript.events() {
        if let What::Segment { from: Side::Server, bytes } = &event.what {
            frames.push(bytes);
        }
    }
    let frames = std::iter::from_fn(|| frames.next_frame().expect("frames")).map(|frame| frame.parse());
    frames
        .filter_map(|frame| if let Ok(Frame::Settings(settings)) = frame { Some(settings) } else { None })
        .collect()
}

#[test]
fn a_client_that_waits_for_everything_is_served_and_its_ping_answered_first() {
    let script = "client \"waits\"\n  > preface, settings INITIAL_WINDOW_SIZE=1048576\n  > settings MAX_FRAME_SIZE=32768\n  \
                  > ping 0102030405060708\n  < settings within 1s\n  < settings ack within 1s\n  < ping ack within 1s\n  \
                  > headers 1 grpc /grpc.health.v1.Health/Check, data 1 end 0000000000\n  < end 1 within 5s\n  close\n";
    let script = muxbed::script::Script::parse("waits", script).unwrap_or_else(|error| panic!("{error}"));
    for back_end in BACK_ENDS {
        let server = back_end.parse().expect("it is a server");
        let run = bed().script(&script).expect("it is written out").named_server(server).run();
        assert!(run.works(), "{run}");
    }
}

/// Else every byte of a long connection would go on being looked at.
#[tokio::test]
async fn once_nothing_is_left_to_be_taken_out_a_connection_is_looked_at_no_more() {
    const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
    const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
    const HEADERS: &[u8] = b"\0\0\x1f\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc";
    let (mut client, stream) = tokio::io::duplex(1024);
    let mux = Mux::new(Rules::new().to("grpc", Rule::Grpc));
    let speaks = async {
        client.write_all(&[&PREFACE, SETTINGS].concat()).await.unwrap();
        let mut first = [0; 15];
        client.read_exact(&mut first).await.unwrap();
        client.write_all(HEADERS).await.unwrap();
    };
    let (sniffed, ()) = tokio::join!(mux.sniff(stream, &()), speaks);
    let Sniffed::Routed { mut connection, .. } = sniffed else { panic!("{sniffed:?}") };
    let mut request = vec![0; PREFACE.len() + SETTINGS.len() + HEADERS.len()];
    connection.read_exact(&mut request).await.unwrap();
    connection.write_all(&[SETTINGS, ACK].concat()).await.unwrap();
    assert!(!connection.is_unfiltered(), "the client has yet to acknowledge the multiplexer's SETTINGS");
    client.write_all(&[ACK, ACK].concat()).await.unwrap();
    let mut acknowledgement = [0; ACK.len()];
    connection.read_exact(&mut acknowledgement).await.unwrap();
    assert_eq!(acknowledgement, ACK);
    assert!(connection.is_unfiltered());
}

async fn counted_tonic(
    mut incoming: Incoming,
    early: EarlySettings,
    seen: Arc<Mutex<Vec<Arc<Mutex<Seen>>>>>,
) {
    let (queue, accepted) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        let (_reporter, health) = tonic_health::server::health_reporter();
        let connections = tokio_stream::wrappers::UnboundedReceiverStream::new(accepted);
        let server = tonic::transport::Server::builder().add_service(health);
        server.serve_with_incoming(connections).await.expect("the listener does not fail");
    });
    let mux = Mux::new(Rules::new().to("grpc", Rule::Grpc)).early_settings(early);
    while let Some(stream) = incoming.accept().await {
        let (mux, queue, seen) = (mux.clone(), queue.clone(), Arc::clone(&seen));
        tokio::spawn(async move {
            if let Sniffed::Routed { connection, .. } = mux.sniff(stream, &()).await {
                let counts = Arc::new(Mutex::new(Seen::default()));
                seen.lock().unwrap().push(Arc::clone(&counts));
                drop(queue.send(Ok::<_, io::Error>(Counted { inner: connection, counts })));
            }
        });
    }
}

#[derive(Default)]
struct Seen {
    from_client: Half,
    from_server: Half,
}

/// The SETTINGS of one direction.
#[derive(Default)]
struct Half {
    bytes: Vec<u8>,
    settings: usize,
    acknowledgements: usize,
}

impl Half {
    /// Reads all of it again: it is short, and so the count depends on no state.
    fn push(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        let mut frames = FrameReader::new(1 << 24);
        frames.push(self.bytes.strip_prefix(&PREFACE[..]).unwrap_or(&self.bytes));
        (self.settings, self.acknowledgements) = (0, 0);
        while let Ok(Some(frame)) = frames.next_frame() {
            match frame.parse() {
                Ok(Frame::Settings(_)) => self.settings += 1,
                Ok(Frame::SettingsAck) => self.acknowledgements += 1,
                _ => {}
            }
        }
    }
}

struct Counted<S> {
    inner: S,
    counts: Arc<Mutex<Seen>>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let polled = Pin::new(&mut self.inner).poll_read(context, buffer);
        self.counts.lock().unwrap().from_client.push(&buffer.filled()[before..]);
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let polled = Pin::new(&mut self.inner).poll_write(context, bytes);
        if let Poll::Ready(Ok(length)) = polled {
            self.counts.lock().unwrap().from_server.push(&bytes[..length]);
        }
        polled
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S> tonic::transport::server::Connected for Counted<S> {
    type ConnectInfo = ();

    fn connect_info(&self) {}
}
