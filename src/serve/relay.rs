//! From a route to its back end: a connection of its own, and bytes both ways.
//!
//! Once a connection has nothing left to be taken out, its bytes are [carried](super::pump) as they come.

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tracing::{debug, warn};

use super::config::{BackEnd, Target};
use super::pump::both_ways;
use crate::mux::{Connection, Deliver, Route, Transport, Undelivered};
use crate::wire::proxy::{Addresses, Header, Version};

/// Takes connections to the back ends.
#[derive(Clone, Debug)]
pub(super) struct Relay {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    targets: RwLock<BTreeMap<String, Arc<Target>>>,
    /// How many connections wait for each back end to accept.
    connecting: Mutex<BTreeMap<String, Arc<AtomicUsize>>>,
    /// How many are open.
    open: watch::Sender<usize>,
    failures: Mutex<BTreeMap<String, u64>>,
    relayed: AtomicU64,
}

impl Relay {
    pub(super) fn new(targets: &BTreeMap<String, Target>) -> Self {
        let relay = Self {
            shared: Arc::new(Shared {
                targets: RwLock::default(),
                connecting: Mutex::default(),
                open: watch::channel(0).0,
                failures: Mutex::default(),
                relayed: AtomicU64::new(0),
            }),
        };
        relay.replace(targets);
        relay
    }

    /// Takes connections there from now on.
    pub(super) fn replace(&self, targets: &BTreeMap<String, Target>) {
        let targets = targets.iter().map(|(name, target)| (name.clone(), Arc::new(target.clone())));
        *self.shared.targets.write().unwrap_or_else(PoisonError::into_inner) = targets.collect();
    }

    /// Waits until no connection is open.
    pub(super) async fn idle(&self) {
        drop(self.shared.open.subscribe().wait_for(|open| *open == 0).await);
    }

    /// What there is to say of it, as Prometheus reads it.
    pub(super) fn metrics(&self) -> String {
        let open = *self.shared.open.borrow();
        let relayed = self.shared.relayed.load(Ordering::Relaxed);
        let mut text = format!(
            "# HELP muxbed_open Connections between clients and back ends.\n# TYPE muxbed_open gauge\n\
             muxbed_open {open}\n# HELP muxbed_relayed_total Connections that a back end has accepted.\n\
             # TYPE muxbed_relayed_total counter\nmuxbed_relayed_total {relayed}\n\
             # HELP muxbed_back_end_failures_total Connections that a back end has not accepted.\n\
             # TYPE muxbed_back_end_failures_total counter\n"
        );
        for (route, count) in self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let route = route.replace('\\', "\\\\").replace('"', "\\\"");
            text += &format!("muxbed_back_end_failures_total{{route=\"{route}\"}} {count}\n");
        }
        text
    }

    async fn relay<S>(
        self,
        route: Route,
        target: Arc<Target>,
        connection: Connection<Transport<S>>,
        place: Place,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let _open = Open::new(&self.shared.open);
        let done = match &target.to {
            BackEnd::Tcp(address) => match timeout(target.connect, TcpStream::connect(address)).await {
                Ok(Ok(back_end)) => {
                    drop((back_end.set_nodelay(true), place));
                    self.copy(connection, back_end, target.proxy_header).await
                }
                failed => return self.failed(&route, &target, failed),
            },
            BackEnd::Unix(path) => match timeout(target.connect, UnixStream::connect(path)).await {
                Ok(Ok(back_end)) => {
                    drop(place);
                    self.copy(connection, back_end, target.proxy_header).await
                }
                failed => return self.failed(&route, &target, failed),
            },
        };
        if let Err(error) = done {
            debug!(%route, %error, "a connection ended");
        }
    }

    async fn copy<S>(
        &self,
        mut connection: Connection<Transport<S>>,
        mut back_end: impl AsyncRead + AsyncWrite + Unpin,
        header: Option<Version>,
    ) -> io::Result<()>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.shared.relayed.fetch_add(1, Ordering::Relaxed);
        if let Some(version) = header {
            let facts = connection.facts();
            let addresses = facts.peer().zip(facts.local());
            let addresses = addresses.map(|(source, destination)| Addresses { source, destination });
            let mut header = Header::new(addresses);
            if let Some(tls) = &facts.tls {
                let name = tls.server_name.iter().map(|name| (Header::AUTHORITY, name.clone().into()));
                let protocol = tls.protocol.iter().map(|name| (Header::ALPN, name.clone().into()));
                header.extensions.extend(protocol.chain(name));
            } else if let Some(stated) = &facts.proxy_header {
                header.extensions.clone_from(&stated.extensions);
            }
            back_end.write_all(&header.encode(version)).await?;
        }
        both_ways(&mut connection, &mut back_end).await
    }

    fn failed<T>(
        &self,
        route: &Route,
        target: &Target,
        failed: Result<io::Result<T>, tokio::time::error::Elapsed>,
    ) {
        let why = match failed {
            Ok(Err(error)) => error.to_string(),
            _ => format!("it has not accepted within {:?}", target.connect),
        };
        warn!(%route, back_end = %target.to, "a connection is closed, its back end can't be reached: {why}");
        let mut failures = self.shared.failures.lock().unwrap_or_else(PoisonError::into_inner);
        *failures.entry(route.name().to_owned()).or_default() += 1;
    }
}

impl<S> Deliver<S> for Relay
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    async fn deliver(
        &self,
        route: &Route,
        connection: Connection<Transport<S>>,
        _until: Instant,
    ) -> Result<(), Undelivered> {
        let target = {
            let targets = self.shared.targets.read().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(targets.get(route.name()).ok_or(Undelivered::RouteClosed)?)
        };
        let waiting = {
            let mut connecting = self.shared.connecting.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(connecting.entry(route.name().to_owned()).or_default())
        };
        let place = Place::new(waiting);
        if place.number >= target.queue.max(1) {
            return Err(Undelivered::QueueFull);
        }
        tokio::spawn(self.clone().relay(route.clone(), target, connection, place));
        Ok(())
    }
}

/// A place among those that wait for a back end to accept.
struct Place {
    number: usize,
    waiting: Arc<AtomicUsize>,
}

impl Place {
    fn new(waiting: Arc<AtomicUsize>) -> Self {
        Self { number: waiting.fetch_add(1, Ordering::Relaxed), waiting }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Counts an open connection.
struct Open<'a>(&'a watch::Sender<usize>);

impl<'a> Open<'a> {
    fn new(open: &'a watch::Sender<usize>) -> Self {
        open.send_modify(|open| *open += 1);
        Self(open)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|open| *open -= 1);
    }
}
