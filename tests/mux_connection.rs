//! A connection that the multiplexer has spoken on, as its back end has it: what was taken out for it or put in, in which order it is
//! written, and how it ends.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use muxbed::mux::{Connection, EarlySettings, Mux, Replay, Rule, Rules, Sniffed, Streams};
use muxbed::wire::{Frame, PREFACE, Setting, SettingId};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex};
use tokio::time::timeout;

const SETTINGS: &[u8] = &[0, 0, 0, 4, 0, 0, 0, 0, 0];
const ACK: &[u8] = &[0, 0, 0, 4, 1, 0, 0, 0, 0];
const DATA: &[u8] = &[0, 0, 3, 0, 1, 0, 0, 0, 1, 9, 9, 9];
const HEADERS: &[u8] = b"\0\0\x1f\x01\x04\0\0\0\x01\0\x0ccontent-type\x10application/grpc";

fn encoded(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    frame.encode(&mut bytes).expect("it is short");
    bytes
}

/// Of a back end that is known.
fn known() -> Vec<Setting> {
    vec![Setting { id: SettingId::MaxConcurrentStreams, value: 250 }]
}

/// A client that waits for SETTINGS and has got them, and its connection to the back end, which has read its request.
async fn spoken_on(early: EarlySettings, room: usize) -> (DuplexStream, Connection<DuplexStream>) {
    let (mut client, stream) = duplex(room);
    let mux = Mux::new(Rules::new().to("grpc", Rule::Grpc)).early_settings(early);
    let speaks = async {
        client.write_all(&[&PREFACE, SETTINGS].concat()).await.unwrap();
        assert_eq!(read(&mut client, 15).await[3], 4, "SETTINGS with one value");
        client.write_all(HEADERS).await.unwrap();
    };
    let (sniffed, ()) = tokio::join!(mux.sniff(stream, &()), speaks);
    let Sniffed::Routed { mut connection, .. } = sniffed else { panic!("{sniffed:?}") };
    let request = [&PREFACE, SETTINGS, HEADERS].concat();
    assert_eq!(read(&mut connection, request.len()).await, request);
    (client, connection)
}

async fn read(stream: &mut (impl AsyncRead + Unpin), length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    stream.read_exact(&mut bytes).await.expect("so much comes");
    bytes
}

async fn rest(stream: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).await.expect("it ends");
    bytes
}

#[tokio::test]
async fn the_acknowledgement_of_the_multiplexers_settings_is_taken_out_and_an_end_is_an_end() {
    let (mut client, mut connection) = spoken_on(EarlySettings::default(), 1024).await;
    client.write_all(&[ACK, DATA].concat()).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut connection).await, DATA);
}

/// Between two frames, and instead of the client's, which is taken out whenever it comes.
#[tokio::test]
async fn a_known_back_end_gets_one_acknowledgement_whether_the_clients_has_come_or_not() {
    let early = EarlySettings::of_back_end(&known());
    let own = encoded(&Frame::Settings(known()));

    let (mut client, mut connection) = spoken_on(early.clone(), 1024).await;
    client.write_all(&[ACK, DATA].concat()).await.unwrap();
    assert_eq!(read(&mut connection, DATA.len()).await, DATA);
    connection.write_all(&[&own, ACK, DATA].concat()).await.unwrap();
    assert_eq!(read(&mut client, ACK.len() + DATA.len()).await, [ACK, DATA].concat(), "it has its SETTINGS");
    client.write_all(DATA).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut connection).await, [ACK, DATA].concat());

    let (mut client, mut connection) = spoken_on(early, 1024).await;
    connection.write_all(&own).await.unwrap();
    client.write_all(&[ACK, DATA].concat()).await.unwrap();
    client.shutdown().await.unwrap();
    assert_eq!(rest(&mut connection).await, [ACK, DATA].concat());
}

/// A server that acknowledges two at once would leave the client without an acknowledgement.
#[tokio::test(start_paused = true)]
async fn settings_behind_the_first_request_wait_until_those_before_it_are_acknowledged_or_never_will_be() {
    for acknowledges in [true, false] {
        let (mut client, mut connection) = spoken_on(EarlySettings::default(), 1024).await;
        client.write_all(&[DATA, ACK, SETTINGS, DATA].concat()).await.unwrap();
        assert_eq!(read(&mut connection, DATA.len()).await, DATA);
        assert!(timeout(Duration::from_secs(1), read(&mut connection, 1)).await.is_err(), "they wait");
        connection.write_all(SETTINGS).await.unwrap();
        assert!(timeout(Duration::from_secs(1), read(&mut connection, 1)).await.is_err(), "they still wait");
        if acknowledges {
            connection.write_all(ACK).await.unwrap();
        } else {
            connection.shutdown().await.unwrap();
        }
        assert_eq!(read(&mut connection, 9 + DATA.len()).await, [SETTINGS, DATA].concat());
    }
}

/// hyper writes its slices one by one if not.
#[tokio::test]
async fn it_writes_vectored_if_the_connection_itself_does_and_all_slices_at_once() {
    for vectored in [true, false] {
        let (mut client, inner) = duplex(1024);
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        let accepted = tokio_stream::iter([Ok(Witness { inner, vectored, flushed: 0 })]);
        let mut listening = Mux::new(Rules::new().to("http", Rule::Http1)).listen(Streams::new(accepted));
        let mut http = listening.route("http");
        listening.run().await;
        let mut connection = http.accept().await.expect("it is HTTP/1");
        assert_eq!(connection.is_write_vectored(), vectored);
        let slices = [IoSlice::new(b"HTTP/1.1 "), IoSlice::new(b"200 OK\r\n\r\n")];
        assert_eq!(connection.write_vectored(&slices).await.unwrap(), 19);
        assert_eq!(read(&mut client, 19).await, b"HTTP/1.1 200 OK\r\n\r\n");
        connection.flush().await.unwrap();
        assert_eq!(connection.inner().accepted().flushed, 1);
    }
    // And so it does while something is left to take out.
    let (mut client, mut connection) = spoken_on(EarlySettings::default(), 1024).await;
    let slices =
        [IoSlice::new(&SETTINGS[..4]), IoSlice::new(&SETTINGS[4..]), IoSlice::new(ACK), IoSlice::new(DATA)];
    assert_eq!(connection.write_vectored(&slices).await.unwrap(), 9 + 9 + 12);
    let settings = [0, 0, 6, 4, 0, 0, 0, 0, 0, 0, 3, 0x7f, 0xff, 0xff, 0xff];
    assert_eq!(read(&mut client, 36).await, [ACK, &settings, DATA].concat());
}

#[tokio::test]
async fn what_was_read_is_read_again_on_a_connection_that_is_otherwise_itself() {
    for vectored in [true, false] {
        let (mut client, inner) = duplex(1024);
        let mut replay = Replay::new("GET /".into(), Witness { inner, vectored, flushed: 0 });
        client.write_all(b" HTTP/1.1").await.unwrap();
        assert_eq!(read(&mut replay, 3).await, b"GET");
        assert_eq!(read(&mut replay, 11).await, b" / HTTP/1.1");
        assert_eq!(replay.is_write_vectored(), vectored);
        let slices = [IoSlice::new(b"200"), IoSlice::new(b" OK")];
        assert_eq!(replay.write_vectored(&slices).await.unwrap(), 6);
        assert_eq!(replay.write(b"\r\n").await.unwrap(), 2);
        replay.flush().await.unwrap();
        assert_eq!(replay.inner().flushed, 1);
        replay.shutdown().await.unwrap();
        assert_eq!(rest(&mut client).await, b"200 OK\r\n");
    }
}

/// A connection that tells what it is asked for.
struct Witness {
    inner: DuplexStream,
    vectored: bool,
    flushed: usize,
}

impl AsyncRead for Witness {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl AsyncWrite for Witness {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.vectored
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.flushed += 1;
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
