//! This project's own multiplexer as a server of the bed: gRPC by header, HTTP/1 beside it.

use std::sync::{Arc, LazyLock};

use tokio::io::{AsyncRead, AsyncWrite};

use crate::mux::{Closed, Mux, Observer, Rejection, Route, Rule, Rules, Sniffed};
use crate::net::PeerAddress;

use super::Accepted;
use super::back_end::Running;
use super::fronts::{Notes, ServerPace};
use super::http1::{self, Handler};

static MUX: LazyLock<Mux> =
    LazyLock::new(|| Mux::new(Rules::new().to("grpc", Rule::Grpc).to("http", Rule::Http1)));

pub(super) async fn serve(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: PeerAddress,
    back_end: Running,
    pace: ServerPace,
    notes: Arc<dyn Notes>,
) {
    let number = peer.number();
    let noted = Noted { number, notes: &*notes };
    let Sniffed::Routed { route, connection } = MUX.sniff(stream, &noted).await else { return };
    if !pace.hand_over.is_zero() {
        tokio::time::sleep(pace.hand_over).await;
    }
    if route.name() == "grpc" {
        back_end.accept(Accepted::new(connection, peer));
    } else {
        http1::serve(connection, Handler::Page, pace.closing).await;
    }
}

struct Noted<'a> {
    number: u32,
    notes: &'a dyn Notes,
}

impl Observer for Noted<'_> {
    fn waits_for_headers(&self) {
        self.notes.note(self.number, "mux", "waits for HEADERS");
    }

    fn speaks(&self, bytes: usize) {
        self.notes.note(self.number, "mux", &format!("speaks before the back end is known ({bytes} bytes)"));
    }

    fn routed(&self, route: &Route, _bytes: usize) {
        self.notes.routed(self.number, "mux", route.name());
    }

    fn closed(&self, why: &Closed) {
        let why = match why {
            Closed::Rejected(Rejection::NoRule) => "matches nothing and closes".to_owned(),
            Closed::Rejected(Rejection::TooLong) => "has read enough and closes".to_owned(),
            Closed::Rejected(why) => format!("closes: {why}"),
            Closed::Deadline => "has waited long enough and closes".to_owned(),
            Closed::End { after } => format!("sees the client leave after {after} bytes"),
            Closed::Failed(error) => format!("can't go on: {error}"),
            why => format!("closes: {why}"),
        };
        self.notes.note(self.number, "mux", &why);
    }
}
