//! `muxbed serve` on real sockets: what it prints, where connections go, and how it reloads and ends.
#![cfg(unix)]

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use muxbed::wire::PREFACE;
use muxbed::wire::proxy::{Header, Progress};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

const EMPTY: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
/// INITIAL_WINDOW_SIZE=1048576, NO_RFC7540_PRIORITIES=1.
const OWN: &[u8] = &[0, 0, 12, 4, 0, 0, 0, 0, 0, 0, 4, 0, 16, 0, 0, 0, 9, 0, 0, 0, 1];
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// A running program, and what it prints.
struct Serve {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    file: PathBuf,
}

impl Serve {
    async fn start(name: &str, config: &str) -> (Self, String) {
        let file = folder().join(name);
        fs::write(&file, config).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_muxbed"))
            .args(["serve", "--config"])
            .arg(&file)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut serve = Self { child, lines, file };
        let address = serve.line().await.strip_prefix("listening on ").unwrap().to_owned();
        (serve, address)
    }

    async fn line(&mut self) -> String {
        soon(self.lines.next_line()).await.unwrap().expect("a line")
    }

    async fn told(&self, signal: &str) {
        let id = self.child.id().unwrap().to_string();
        assert!(Command::new("kill").args([signal, &id]).status().await.unwrap().success());
    }

    async fn ends(&mut self) -> Option<i32> {
        soon(self.child.wait()).await.unwrap().code()
    }
}

/// Long enough for a machine that is busy with something else.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(Duration::from_secs(60), future).await.expect("it happens soon")
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

async fn rest(mut stream: impl tokio::io::AsyncRead + Unpin) -> Vec<u8> {
    let mut bytes = Vec::new();
    drop(soon(stream.read_to_end(&mut bytes)).await);
    bytes
}

/// A back end that accepts one connection, reads it to its end, answers and closes.
async fn answers(listener: &TcpListener, answer: &[u8]) -> Vec<u8> {
    let (mut stream, _) = soon(listener.accept()).await.unwrap();
    let mut read = Vec::new();
    soon(stream.read_to_end(&mut read)).await.unwrap();
    stream.write_all(answer).await.unwrap();
    read
}

#[tokio::test]
async fn connections_go_where_the_file_says_and_half_closes_arrive() {
    let back_end = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let socket = folder().join("app.sock");
    drop(fs::remove_file(&socket));
    let app = UnixListener::bind(&socket).unwrap();
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let config = format!(
        "listen = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\n\
         [routes]\nhttp = {{ to = \"tcp:{}\", proxy-header = \"v2\" }}\napp = \"unix:{}\"\ngone = \"tcp:{gone}\"\n\
         [[rules]]\nwhen = \"http1\"\nto = \"http\"\n[[rules]]\nwhen = {{ prefix = \"APP\" }}\nto = \"app\"\n\
         [[rules]]\nwhen = {{ prefix = \"\\u0001\" }}\nto = \"gone\"\n",
        back_end.local_addr().unwrap(),
        socket.display()
    );
    let (mut serve, address) = Serve::start("routes.toml", &config).await;
    let metrics = serve.line().await.strip_prefix("metrics on ").unwrap().to_owned();

    let mut client = TcpStream::connect(&address).await.unwrap();
    client.write_all(GET).await.unwrap();
    client.shutdown().await.unwrap();
    let read = answers(&back_end, b"HTTP/1.1 204 No Content\r\n\r\n").await;
    let Progress::Complete { header, length } = Header::read(&read) else { panic!("{read:?}") };
    assert_eq!(header.addresses.unwrap().source, client.local_addr().unwrap());
    assert_eq!(header.addresses.unwrap().destination.to_string(), address);
    assert_eq!(&read[length..], GET);
    assert_eq!(rest(client).await, b"HTTP/1.1 204 No Content\r\n\r\n");

    let mut client = TcpStream::connect(&address).await.unwrap();
    // With a space behind it, it might still become a request line, and the rule before would have to wait.
    client.write_all(b"APP\0hello").await.unwrap();
    let (mut accepted, _) = soon(app.accept()).await.unwrap();
    let mut hello = [0; 9];
    soon(accepted.read_exact(&mut hello)).await.unwrap();
    accepted.write_all(b"bye").await.unwrap();
    drop(accepted);
    assert_eq!(rest(client).await, b"bye");

    let mut client = TcpStream::connect(&address).await.unwrap();
    client.write_all(b"\x01").await.unwrap();
    assert_eq!(rest(client).await, b"", "its back end is down");
    let mut client = TcpStream::connect(&address).await.unwrap();
    client.write_all(b"\x02").await.unwrap();
    assert_eq!(rest(client).await, b"", "it fits no rule");

    let mut asks = TcpStream::connect(&metrics).await.unwrap();
    asks.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let says = String::from_utf8(rest(asks).await).unwrap();
    for line in [
        "muxbed_accepted_total 4",
        "muxbed_routed_total{route=\"http\"} 1",
        "muxbed_closed_total{reason=\"no_rule\"} 1",
        "muxbed_back_end_failures_total{route=\"gone\"} 1",
        "muxbed_relayed_total 2",
    ] {
        assert!(says.lines().any(|said| said == line), "`{line}` is not in: {says}");
    }
    serve.told("-TERM").await;
    assert_eq!(serve.ends().await, Some(0));
}

#[tokio::test]
async fn it_reloads_without_dropping_a_connection_and_drains_without_waiting_for_the_silent() {
    let [before, after] =
        [TcpListener::bind("127.0.0.1:0").await.unwrap(), TcpListener::bind("127.0.0.1:0").await.unwrap()];
    let socket = folder().join("listens.sock");
    drop(fs::remove_file(&socket));
    let config = |back_end: &TcpListener, listen: &str| {
        format!(
            "listen = [{listen}]\ndrain = \"1s\"\nroutes = {{ http = \"tcp:{}\" }}\n\
             [[rules]]\nwhen = \"http1\"\nto = \"http\"\n",
            back_end.local_addr().unwrap()
        )
    };
    let (mut serve, address) = Serve::start("reload.toml", &config(&before, "\"127.0.0.1:0\"")).await;
    let mut early = TcpStream::connect(&address).await.unwrap();
    early.write_all(GET).await.unwrap();
    let (mut accepted, _) = soon(before.accept()).await.unwrap();

    // What can't be meant changes nothing.
    fs::write(&serve.file, "listen = 1").unwrap();
    serve.told("-HUP").await;
    let listen = format!("\"127.0.0.1:0\", \"unix:{}\"", socket.display());
    fs::write(&serve.file, config(&after, &listen)).unwrap();
    serve.told("-HUP").await;
    loop {
        let line = serve.line().await;
        if line == "reloaded" {
            break;
        }
        assert_eq!(line, format!("listening on unix:{}", socket.display()));
    }
    for mut late in [
        Box::new(TcpStream::connect(&address).await.unwrap()) as Box<dyn Duplex>,
        Box::new(UnixStream::connect(&socket).await.unwrap()),
    ] {
        late.write_all(GET).await.unwrap();
        late.shutdown().await.unwrap();
        assert_eq!(answers(&after, b"new").await, GET);
        assert_eq!(rest(late).await, b"new");
    }
    accepted.write_all(b"still here").await.unwrap();
    let mut still = [0; 10];
    soon(early.read_exact(&mut still)).await.unwrap();
    assert_eq!(&still, b"still here");

    let silent = TcpStream::connect(&address).await.unwrap();
    serve.told("-TERM").await;
    assert_eq!(serve.ends().await, Some(0));
    assert_eq!(rest(silent).await, b"");
    assert!(!socket.exists(), "its socket's file is gone with it");
    assert!(TcpStream::connect(&address).await.is_err());
}

trait Duplex: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin {}

impl<T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin> Duplex for T {}

#[tokio::test]
async fn an_address_that_is_taken_is_said_and_exits_with_2() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let file = folder().join("taken.toml");
    let config = format!("listen = \"{address}\"\nroutes = {{ a = \"tcp:127.0.0.1:1\" }}\nrules = []\n");
    fs::write(&file, config).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_muxbed")).args(["serve", "--config"]).arg(&file).output();
    let output = soon(run).await.unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains(&format!("{address} can't be listened on")));
}

#[tokio::test]
async fn a_back_end_that_is_asked_for_its_settings_is_one_server_with_one_settings_frame_to_a_client_that_waits()
 {
    const HEADERS: &[u8] = b"\0\0\x1f\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc";
    const PING: &[u8] = &[0, 0, 8, 6, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8];

    let back_end = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = that_asks(back_end.local_addr().unwrap());
    let asked = tells_its_own(&back_end);
    let ((mut serve, address), ()) = tokio::join!(Serve::start("asks.toml", &config), asked);

    let mut client = TcpStream::connect(&address).await.unwrap();
    client.write_all(&[&PREFACE, EMPTY].concat()).await.unwrap();
    let mut said = [0; OWN.len() + ACK.len()];
    soon(client.read_exact(&mut said)).await.unwrap();
    assert_eq!(said[..], [OWN, ACK].concat());
    client.write_all(&[ACK, HEADERS].concat()).await.unwrap();

    let (mut accepted, _) = soon(back_end.accept()).await.unwrap();
    let mut first = [0; PREFACE.len() + EMPTY.len() + HEADERS.len()];
    soon(accepted.read_exact(&mut first)).await.unwrap();
    assert_eq!(first[..], [&PREFACE, EMPTY, HEADERS].concat());
    accepted.write_all(&[OWN, ACK, PING].concat()).await.unwrap();
    let mut acknowledged = [0; ACK.len()];
    soon(accepted.read_exact(&mut acknowledged)).await.unwrap();
    assert_eq!(
        acknowledged, ACK,
        "the client has acknowledged what the back end says, though not a second time"
    );
    let mut ping = [0; PING.len()];
    soon(client.read_exact(&mut ping)).await.unwrap();
    assert_eq!(ping, PING, "the client gets neither the SETTINGS nor the acknowledgement again");

    serve.told("-TERM").await;
    drop((client, accepted));
    assert_eq!(serve.ends().await, Some(0));
}

fn that_asks(back_end: SocketAddr) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nearly-settings = \"ask\"\n[routes]\ngrpc = \"tcp:{back_end}\"\n\
         [[rules]]\nwhen = \"grpc\"\nto = \"grpc\"\n"
    )
}

/// A back end that is asked for its SETTINGS, and tells.
async fn tells_its_own(back_end: &TcpListener) {
    let (mut stream, _) = soon(back_end.accept()).await.unwrap();
    let mut question = [0; PREFACE.len() + EMPTY.len()];
    soon(stream.read_exact(&mut question)).await.unwrap();
    assert_eq!(question[..], [&PREFACE, EMPTY].concat());
    stream.write_all(OWN).await.unwrap();
    assert!(rest(stream).await.starts_with(ACK));
}

#[tokio::test]
async fn a_back_end_that_is_down_when_it_is_to_be_asked_is_asked_again_until_it_answers() {
    // Bound and not listening: others can't have the port, and whoever connects is refused.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let down = socket.local_addr().unwrap();
    let (mut serve, address) = Serve::start("asks-again.toml", &that_asks(down)).await;
    let said_early = async |address: &str| {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(&[&PREFACE, EMPTY].concat()).await.unwrap();
        let mut header = [0; 9];
        soon(client.read_exact(&mut header)).await.unwrap();
        let mut settings = vec![0; usize::from(header[2])];
        soon(client.read_exact(&mut settings)).await.unwrap();
        [&header[..], &settings].concat()
    };
    let for_any_back_end = said_early(&address).await;
    assert_eq!(for_any_back_end[3], 4, "SETTINGS");
    assert_ne!(for_any_back_end, OWN);

    let back_end = socket.listen(16).unwrap();
    tells_its_own(&back_end).await;
    // It is told to the listeners a moment after the back end has told it.
    while said_early(&address).await != OWN {}
    serve.told("-TERM").await;
    assert_eq!(serve.ends().await, Some(0));
}

#[tokio::test]
async fn a_back_end_that_does_not_accept_costs_those_their_connection_that_wait_too_long_or_are_too_many() {
    // What it does not accept fills its backlog, and the system lets nobody else in.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let slow = socket.listen(1).unwrap();
    let back_end = slow.local_addr().unwrap();
    let mut in_front = Vec::new();
    while let Ok(stream) = timeout(Duration::from_millis(500), TcpStream::connect(back_end)).await {
        in_front.push(stream.unwrap());
    }
    let config = format!(
        "listen = \"127.0.0.1:0\"\nmetrics = \"127.0.0.1:0\"\n[routes]\n\
         impatient = {{ to = \"tcp:{back_end}\", connect = \"200ms\" }}\n\
         patient = {{ to = \"tcp:{back_end}\", connect = \"60s\", queue = 1 }}\n\
         [[rules]]\nwhen = \"http1\"\nto = \"patient\"\n[[rules]]\nwhen = \"any\"\nto = \"impatient\"\n"
    );
    let (mut serve, address) = Serve::start("slow.toml", &config).await;
    let metrics = serve.line().await.strip_prefix("metrics on ").unwrap().to_owned();

    let mut impatient = TcpStream::connect(&address).await.unwrap();
    impatient.write_all(b"\x01").await.unwrap();
    assert_eq!(rest(impatient).await, b"");

    let mut waiting = Vec::new();
    for _ in 0..2 {
        let mut patient = TcpStream::connect(&address).await.unwrap();
        patient.write_all(GET).await.unwrap();
        patient.shutdown().await.unwrap();
        waiting.push(tokio::spawn(rest(patient)));
    }
    loop {
        let mut asks = TcpStream::connect(&metrics).await.unwrap();
        asks.write_all(b"GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let says = String::from_utf8(rest(asks).await).unwrap();
        if says.lines().any(|said| said == "muxbed_closed_total{reason=\"queue_full\"} 1") {
            let failed = "muxbed_back_end_failures_total{route=\"impatient\"} 1";
            assert!(says.lines().any(|said| said == failed), "{says}");
            break;
        }
    }
    // There is room again, and the one that has waited is served.
    for _ in 0..in_front.len() {
        drop(soon(slow.accept()).await.unwrap());
    }
    assert_eq!(answers(&slow, b"served").await, GET);
    let mut served = Vec::new();
    for waited in waiting {
        served.push(soon(waited).await.unwrap());
    }
    served.sort();
    assert_eq!(served, [&b""[..], b"served"]);
    serve.told("-TERM").await;
    assert_eq!(serve.ends().await, Some(0));
}
