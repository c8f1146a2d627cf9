//! The connections of a route, in a queue that is bounded.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};

use futures_core::Stream;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::{Instant, timeout_at};

use super::classifier::Route;
use super::connection::Connection;
use super::listening::{Deliver, Undelivered};
use super::transport::Transport;

/// The connections of one route. They end when the multiplexer has ended and all of them were taken; dropping this closes
/// the route and no other.
#[derive(Debug)]
pub struct Connections<S> {
    queue: mpsc::Receiver<Connection<Transport<S>>>,
}

impl<S> Connections<S> {
    /// The next connection; none if there will be no more.
    pub async fn accept(&mut self) -> Option<Connection<Transport<S>>> {
        self.queue.recv().await
    }

    /// Takes no more. What is in the queue already can still be taken.
    pub fn close(&mut self) {
        self.queue.close();
    }
}

/// So that it can be given to tonic's `serve_with_incoming`.
impl<S> Stream for Connections<S> {
    type Item = io::Result<Connection<Transport<S>>>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().queue.poll_recv(context).map(|next| next.map(Ok))
    }
}

/// What becomes of a connection whose route's queue is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Overflow {
    /// It is closed at once: who connects again may get to a server with room.
    #[default]
    Close,
    /// It waits for room as long as it could have been sniffed, and is closed then.
    Wait,
}

/// The queues of all routes.
#[derive(Debug)]
pub(super) struct Queues<S> {
    queues: Mutex<BTreeMap<Route, Queue<S>>>,
}

#[derive(Debug)]
struct Queue<S> {
    sender: mpsc::Sender<Connection<Transport<S>>>,
    overflow: Overflow,
}

impl<S> Clone for Queue<S> {
    fn clone(&self) -> Self {
        Self { sender: self.sender.clone(), overflow: self.overflow }
    }
}

impl<S> Queues<S> {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { queues: Mutex::new(BTreeMap::new()) })
    }

    /// Opens a route, or opens it again: connections then go to the newer queue.
    pub(super) fn open(&self, name: &str, capacity: usize, overflow: Overflow) -> Connections<S> {
        let (sender, queue) = mpsc::channel(capacity.max(1));
        let mut queues = self.queues.lock().unwrap_or_else(PoisonError::into_inner);
        queues.insert(Route::new(name), Queue { sender, overflow });
        Connections { queue }
    }
}

impl<S: Send + 'static> Deliver<S> for Arc<Queues<S>> {
    async fn deliver(
        &self,
        route: &Route,
        connection: Connection<Transport<S>>,
        until: Instant,
    ) -> Result<(), Undelivered> {
        let queue = self.queues.lock().unwrap_or_else(PoisonError::into_inner).get(route).cloned();
        let queue = queue.ok_or(Undelivered::RouteClosed)?;
        match queue.sender.try_send(connection) {
            Ok(()) => Ok(()),
            Err(TrySendError::Closed(_)) => Err(Undelivered::RouteClosed),
            Err(TrySendError::Full(connection)) => match queue.overflow {
                Overflow::Close => Err(Undelivered::QueueFull),
                Overflow::Wait => match timeout_at(until, queue.sender.send(connection)).await {
                    Ok(sent) => sent.map_err(|_| Undelivered::RouteClosed),
                    Err(_elapsed) => Err(Undelivered::QueueFull),
                },
            },
        }
    }
}
