//! The back ends behind a front: one way in for all of them.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::fronts::Tempo;
use super::model::Model;
use super::traits::Traits;
use super::{Accepted, BackEnd, c_core, grpc_go, netty, nghttp2, tonic_health};

/// A running back end.
#[derive(Clone)]
pub(crate) enum Running {
    /// A model: each connection is a task of its own.
    Modelled { traits: &'static Traits, start: Instant, tempo: Tempo },
    /// tonic's own server, which takes its connections from a queue.
    Tonic { queue: mpsc::UnboundedSender<Result<Accepted, Infallible>> },
}

impl Running {
    /// Starts `back_end`; `tempo` says how long its answers take.
    pub(crate) fn start(back_end: BackEnd, start: Instant, tempo: &Tempo) -> Self {
        let traits = match back_end {
            BackEnd::GrpcGo => &grpc_go::GRPC_GO,
            BackEnd::H2c => &grpc_go::H2C,
            BackEnd::Tonic => {
                let (queue, incoming) = mpsc::unbounded_channel();
                tokio::spawn(tonic_health::serve(incoming, Arc::clone(tempo)));
                return Self::Tonic { queue };
            }
            BackEnd::Nghttp2 => &nghttp2::NGHTTP2,
            BackEnd::Netty => &netty::NETTY,
            BackEnd::CCore => &c_core::C_CORE,
        };
        Self::modelled(traits, start, tempo)
    }

    /// Starts the model of a server.
    pub(super) fn modelled(traits: &'static Traits, start: Instant, tempo: &Tempo) -> Self {
        Self::Modelled { traits, start, tempo: Arc::clone(tempo) }
    }

    /// Hands a connection over.
    pub(crate) fn accept(&self, connection: Accepted) {
        match self {
            Self::Modelled { traits, start, tempo } => {
                let model = Model::new(traits, tempo(connection.number()).handler);
                tokio::spawn(serve(connection, model, *start));
            }
            // A server that has ended refuses connections by dropping them.
            Self::Tonic { queue } => drop(queue.send(Ok(connection))),
        }
    }
}

/// Runs a model on a connection until either is done with the other. Dropping the connection closes it.
async fn serve(mut connection: Accepted, mut model: Model, start: Instant) -> io::Result<()> {
    let mut buffer = BytesMut::with_capacity(4096);
    let mut readable = true;
    loop {
        while let Some(bytes) = model.next_write() {
            connection.write_all(&bytes).await?;
        }
        if model.is_over() {
            return Ok(());
        }
        let due = model.next_time().map(|at| start + at);
        let read = async {
            if !readable {
                std::future::pending::<()>().await;
            }
            let most = u64::try_from(model.reads_at_most()).unwrap_or(u64::MAX);
            (&mut connection).take(most).read_buf(&mut buffer).await
        };
        let read = match due {
            Some(due) => tokio::time::timeout_at(due, read).await,
            None if readable => Ok(read.await),
            None => return Ok(()),
        };
        let now = Instant::now() - start;
        match read {
            Ok(Ok(0)) => {
                readable = false;
                model.ended(now);
            }
            Ok(Ok(_)) => model.received(&buffer.split().freeze(), now),
            Ok(Err(error)) => return Err(error),
            Err(_elapsed) => model.tick(now),
        }
    }
}
