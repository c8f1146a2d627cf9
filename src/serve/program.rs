//! The program: listens, reloads on SIGHUP, drains on SIGTERM.
//!
//! A reload keeps every connection and every listener whose address is still there. What can't be used is said, and what was
//! there stays in force.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use tokio::net::{TcpListener, UnixListener, UnixStream};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use super::config::{Address, Config, Early};
use super::identity::server_config;
use super::port::Port;
use super::relay::Relay;
use super::{ServeError, asking, metrics};
use crate::mux::{Counters, EarlySettings, Ended, Handle, Listener, Mux};

/// A program that listens.
pub struct Program {
    file: PathBuf,
    config: Config,
    relay: Relay,
    counters: Arc<Counters>,
    listening: BTreeMap<String, Open>,
    metrics: Option<JoinHandle<()>>,
    signals: Signals,
    /// Goes on asking back ends for their SETTINGS.
    asking: Option<JoinHandle<()>>,
}

/// A listener at work.
struct Open {
    handle: Handle,
    ended: JoinHandle<Ended>,
    /// A Unix socket's file, which goes when it does.
    socket: Option<PathBuf>,
}

impl Program {
    /// Listens as the file says, and says each address to `announce`.
    ///
    /// # Errors
    ///
    /// If the file can't be used, an address not be bound, or signals not be waited for.
    pub async fn start(file: &Path, announce: &mut dyn FnMut(String)) -> Result<Self, ServeError> {
        let config = Config::read(file)?;
        let mut program = Self {
            file: file.to_owned(),
            relay: Relay::new(&config.routes),
            counters: Arc::new(Counters::default()),
            listening: BTreeMap::new(),
            metrics: None,
            // Whoever reads that it listens may tell it to stop.
            signals: Signals::new().map_err(ServeError::Signals)?,
            asking: None,
            config,
        };
        let config = program.config.clone();
        program.apply(config, announce).await?;
        Ok(program)
    }

    /// Runs until it is told to stop: SIGTERM or SIGINT drains, a second one ends at once; SIGHUP reads the file again.
    pub async fn run(mut self, announce: &mut dyn FnMut(String), complain: &mut dyn FnMut(ServeError)) {
        while self.signals.next().await == Told::Reload {
            let read = Config::read(&self.file);
            let applied = match read {
                Ok(config) => self.apply(config, announce).await,
                Err(error) => Err(error),
            };
            match applied {
                Ok(()) => announce("reloaded".to_owned()),
                Err(error) => complain(error),
            }
        }
        let until = Instant::now() + self.config.drain;
        let Self { listening, relay, asking, mut signals, .. } = self;
        let mut drained = pin!(drain(listening, relay, asking, until));
        let mut again = pin!(signals.stop());
        poll_fn(|context| {
            if again.as_mut().poll(context).is_ready() {
                Poll::Ready(())
            } else {
                drained.as_mut().poll(context)
            }
        })
        .await;
    }

    async fn apply(&mut self, config: Config, announce: &mut dyn FnMut(String)) -> Result<(), ServeError> {
        let mut mux = mux(&config)?;
        let mut asked = None;
        if config.early_settings == Early::Asked {
            asked = asking::ask(&config).await;
            mux = mux.early_settings(asked.clone().unwrap_or_default());
        }
        // Everything that can fail comes before anything that changes.
        let mut bound = Vec::new();
        for address in
            config.listen.iter().filter(|address| !self.listening.contains_key(&address.to_string()))
        {
            let unbound = |error| ServeError::Bind(address.to_string(), error);
            bound.push((address.to_string(), Bound::new(address).await.map_err(unbound)?));
        }
        let metrics = match config.metrics {
            Some(address) if self.metrics.is_none() || self.config.metrics != Some(address) => {
                let unbound = |error| ServeError::Bind(address.to_string(), error);
                Some(TcpListener::bind(address).await.map_err(unbound)?)
            }
            _ => None,
        };
        self.relay.replace(&config.routes);
        let (kept, gone) = std::mem::take(&mut self.listening)
            .into_iter()
            .partition(|(address, _)| config.listen.iter().any(|listened| listened.to_string() == *address));
        self.listening = kept;
        for open in BTreeMap::into_values(gone) {
            open.close(config.drain);
        }
        self.listening.values().for_each(|open| open.handle.replace(mux.clone()));
        for (name, bound) in bound {
            let (says, open) = bound.open(mux.clone(), &self.counters, &self.relay);
            announce(format!("listening on {says}"));
            self.listening.insert(name, open);
        }
        if let Some(asking) = self.asking.take() {
            asking.abort();
        }
        if config.early_settings == Early::Asked {
            let handles: Vec<Handle> = self.listening.values().map(|open| open.handle.clone()).collect();
            let tell = move |early: EarlySettings| {
                handles.iter().for_each(|handle| handle.replace(mux.clone().early_settings(early.clone())));
            };
            self.asking = Some(tokio::spawn(asking::keep_asking(config.clone(), asked, tell)));
        }
        if config.metrics != self.config.metrics
            && let Some(served) = self.metrics.take()
        {
            served.abort();
        }
        if let Some(listener) = metrics {
            if let Ok(address) = listener.local_addr() {
                announce(format!("metrics on {address}"));
            }
            let (counters, relay) = (Arc::clone(&self.counters), self.relay.clone());
            let text = move || format!("{counters}{}", relay.metrics());
            self.metrics = Some(tokio::spawn(metrics::serve(listener, text)));
        }
        self.config = config;
        Ok(())
    }
}

async fn drain(
    listening: BTreeMap<String, Open>,
    relay: Relay,
    asking: Option<JoinHandle<()>>,
    until: Instant,
) {
    if let Some(asking) = asking {
        asking.abort();
    }
    let within = until.saturating_duration_since(Instant::now());
    let ended: Vec<_> = listening.into_values().map(|open| open.close(within)).collect();
    for ended in ended {
        drop(ended.await);
    }
    drop(timeout_at(until, relay.idle()).await);
}

fn mux(config: &Config) -> Result<Mux, ServeError> {
    let mut mux = Mux::new(config.rules.clone())
        .limit(config.sniff.limit)
        .deadline(config.sniff.deadline)
        .proxy_headers(config.proxy_headers);
    if let Early::Stated(early) = &config.early_settings {
        mux = mux.early_settings(early.clone());
    }
    if let Some(route) = &config.sniff.otherwise {
        mux = mux.otherwise(route);
    }
    if let Some(tls) = &config.tls {
        mux = mux.tls(server_config(tls).map_err(ServeError::Identity)?);
    }
    Ok(mux)
}

/// A listener that is bound.
enum Bound {
    Tcp(Port),
    Unix(UnixListener, PathBuf),
}

impl Bound {
    async fn new(address: &Address) -> io::Result<Self> {
        match address {
            Address::Tcp(address) => Port::bind(*address).map(Self::Tcp),
            Address::Unix(path) => {
                let bound = match UnixListener::bind(path) {
                    // What nobody listens on any more was left there by a program that came to a sudden end.
                    Err(error)
                        if error.kind() == io::ErrorKind::AddrInUse
                            && UnixStream::connect(path)
                                .await
                                .is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) =>
                    {
                        std::fs::remove_file(path)?;
                        UnixListener::bind(path)?
                    }
                    bound => bound?,
                };
                Ok(Self::Unix(bound, path.clone()))
            }
        }
    }

    fn open(self, mux: Mux, counters: &Arc<Counters>, relay: &Relay) -> (String, Open) {
        fn listen<L: Listener + 'static>(
            listener: L,
            mux: Mux,
            counters: &Arc<Counters>,
            relay: &Relay,
            socket: Option<PathBuf>,
        ) -> Open {
            let listening = mux.listen(listener).observer(Arc::clone(counters));
            let handle = listening.handle();
            Open { handle, ended: tokio::spawn(listening.run_with(relay.clone())), socket }
        }
        match self {
            Self::Tcp(port) => (port.address().to_string(), listen(port, mux, counters, relay, None)),
            Self::Unix(listener, path) => {
                let address = format!("unix:{}", path.display());
                (address, listen(listener, mux, counters, relay, Some(path)))
            }
        }
    }
}

impl Open {
    /// Accepts no more; what it gives ends when everything is decided or the time is over.
    fn close(self, within: std::time::Duration) -> JoinHandle<Ended> {
        self.handle.drain(within);
        if let Some(socket) = &self.socket {
            // If it is gone, somebody else has taken it away.
            drop(std::fs::remove_file(socket));
        }
        self.ended
    }
}

/// What a program is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Told {
    Reload,
    Stop,
}

struct Signals {
    hangup: Signal,
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn new() -> io::Result<Self> {
        Ok(Self {
            hangup: signal(SignalKind::hangup())?,
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn next(&mut self) -> Told {
        poll_fn(|context| {
            if self.terminate.poll_recv(context).is_ready() || self.interrupt.poll_recv(context).is_ready() {
                return Poll::Ready(Told::Stop);
            }
            self.hangup.poll_recv(context).map(|_| Told::Reload)
        })
        .await
    }

    async fn stop(&mut self) {
        while self.next().await != Told::Stop {}
    }
}
