//! The configuration of `muxbed serve`: a TOML file in, types out. What can't be meant is refused here, with its place.
//!
//! ```toml
//! listen = ["127.0.0.1:8080", "unix:/run/mux.sock"] # port 0 allowed; each bound address is printed
//! sniff  = { deadline = "5s", limit = "16KiB", otherwise = "http" } # otherwise: a route, or "close"
//! drain  = "10s"
//! metrics = "127.0.0.1:9090"
//! proxy-headers = "optional"            # or "required": connections begin with a PROXY header
//! tls = { certificate = "cert.pem", key = "key.pem", alpn = ["h2", "http/1.1"] }
//! early-settings = "ask"                # or what the gRPC back end is known to send: { max-concurrent-streams = 250 }
//!
//! [routes]
//! grpc = "tcp:127.0.0.1:50051"
//! http = { to = "unix:/run/app.sock", proxy-header = "v2", connect = "3s", queue = 100 }
//!
//! [[rules]]                              # tried in this order, none can block another
//! when = "grpc"
//! to   = "grpc"
//!
//! [[rules]]
//! when = { http1-header = "host", equals = "static.example" }
//! to   = "http"
//! ```
//!
//! `when` is one of `any`, `grpc`, `http1`, `http1-head`, `http2`, `h2c-upgrade`, `websocket`, `tls`, or a table with one
//! of `prefix`, `prefix-hex`, `http1-method`, `tls-version` (a text or several); `http1-header`, `http2-header` and
//! `equals` or `starts-with`; `sni`, `alpn` with a text, or a table of `equals` or `starts-with`.
//!
//! `connect` and `queue` say how long a back end may take to accept (`5s`) and how many connections may wait for it (`1024`).
//! Bytes are taken as they are, so a back end that is down can't be excused in the client's protocol, nor another be tried: the
//! connection is closed, a warning names route and back end, and `muxbed_back_end_failures_total` counts it for the route.
//! What is one too many is closed at once and counted as `muxbed_closed_total{reason="queue_full"}`. Both are over before the back
//! end has had a byte, and a client may try again; the next connection tries the back end anew.
//!
//! Left out is what is looked at outside the file: whether an address can be bound or a back end answers.

mod rules;
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use toml::de::DeTable;

use crate::mux::{DEFAULT_LIMIT, EarlySettings, ProxyHeaders, Rules};
use crate::wire::proxy::Version;
use crate::wire::{Setting, SettingId};

pub use source::ConfigError;
use source::{Section, Value, Wrong};

/// What `muxbed serve` is told to do.
#[derive(Clone, Debug, PartialEq)]
pub struct Config {
    /// Where it listens.
    pub listen: Vec<Address>,
    /// How connections are looked at.
    pub sniff: Sniff,
    /// How long connections may take to end once it has been told to stop.
    pub drain: Duration,
    /// Where its metrics can be read.
    pub metrics: Option<SocketAddr>,
    /// Whether connections begin with a PROXY header.
    pub proxy_headers: ProxyHeaders,
    /// The TLS that it takes off.
    pub tls: Option<Tls>,
    /// What clients are told that wait for SETTINGS.
    pub early_settings: Early,
    /// Where connections go, by name.
    pub routes: BTreeMap<String, Target>,
    /// Which go where.
    pub rules: Rules,
}

/// How connections are looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sniff {
    /// How long a decision may take.
    pub deadline: Duration,
    /// The most bytes that are read for it.
    pub limit: usize,
    /// The route for what fits no rule; without one it is closed.
    pub otherwise: Option<String>,
}

/// What clients are told that wait for SETTINGS, when their back end is not known yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Early {
    /// This.
    Stated(EarlySettings),
    /// What the back ends answer that rules choose by an HTTP/2 request. They are asked before the first connection is
    /// accepted, and once a minute.
    Asked,
}

/// TLS at the listener. Its sessions' secrets are written to the file that the environment variable `SSLKEYLOGFILE` names, if it
/// names one: whoever has that file can read what was captured.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tls {
    /// The file with the certificate and those that it hangs on, in PEM.
    pub certificate: PathBuf,
    /// The file with its key, in PEM.
    pub key: PathBuf,
    /// The protocols that it offers, in order of preference; none, and clients that ask get no answer.
    pub alpn: Vec<String>,
}

/// Where a route leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The back end.
    pub to: BackEnd,
    /// Whether it is told whose connection it is.
    pub proxy_header: Option<Version>,
    /// How long it may take to accept.
    pub connect: Duration,
    /// The most connections that wait for it to accept. Beyond that they are closed.
    pub queue: usize,
}

/// Where it listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// A TCP port.
    Tcp(SocketAddr),
    /// A Unix socket.
    Unix(PathBuf),
}

/// Where a back end listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackEnd {
    /// A host, which may be a name, and a port.
    Tcp(String),
    /// A Unix socket.
    Unix(PathBuf),
}

const KEYS: [&str; 9] =
    ["listen", "sniff", "drain", "metrics", "proxy-headers", "tls", "early-settings", "routes", "rules"];

impl Config {
    /// Reads a configuration. `file` is its name, for what may have to be said about it.
    ///
    /// # Errors
    ///
    /// If it can't be meant; the first place where that shows.
    pub fn parse(file: &str, text: &str) -> Result<Self, ConfigError> {
        let read = || {
            let table = DeTable::parse(text).map_err(|error| {
                Wrong::new(error.span().unwrap_or(text.len()..text.len()), error.message())
            })?;
            Self::from_table(table.get_ref(), text.len())
        };
        read().map_err(|wrong| ConfigError::new(file, text, wrong))
    }

    /// Takes the files that it names for files beside this one.
    #[must_use]
    pub fn beside(mut self, file: &Path) -> Self {
        if let (Some(tls), Some(folder)) = (&mut self.tls, file.parent()) {
            tls.certificate = folder.join(&tls.certificate);
            tls.key = folder.join(&tls.key);
        }
        self
    }

    fn from_table(table: &DeTable<'_>, end: usize) -> Result<Self, Wrong> {
        let root = Section::root(table, end, "the configuration", &KEYS)?;
        let listen = root.expect("listen")?;
        let addresses = listen.texts("an address, or several,")?;
        let listen = if addresses.is_empty() {
            return Err(listen.wrong("nothing is listened on"));
        } else if listen.as_text().is_some() {
            vec![address(&listen)?]
        } else {
            let mut all = Vec::new();
            for value in listen.list("addresses")? {
                let address = address(&value)?;
                if all.contains(&address) && !address.is_any_port() {
                    return Err(value.wrong(format!("{address} is listened on already")));
                }
                all.push(address);
            }
            all
        };
        let mut routes = BTreeMap::new();
        let named = root.expect("routes")?;
        for (name, span, value) in named.entries("a table of routes")? {
            if name == CLOSE {
                return Err(Wrong::new(
                    span,
                    "no route can be called `close`: `otherwise` means something else by it",
                ));
            }
            routes.insert(name.to_owned(), target(&value)?);
        }
        let route = |value: &Value<'_>| {
            let words: Vec<(&str, &str)> = routes.keys().map(|name| (name.as_str(), name.as_str())).collect();
            if words.is_empty() {
                return Err(named.wrong("there are no routes"));
            }
            value.word("route", &words)
        };
        let mut rules = Rules::new();
        for entry in root.expect("rules")?.list("a list of rules, each behind `[[rules]]`,")? {
            let rule = entry.section("a rule", &["when", "to"])?;
            let when = rules::rule(&rule.expect("when")?)?;
            rules = rules.to(route(&rule.expect("to")?)?, when);
        }
        let mut sniff = Sniff { deadline: Duration::from_secs(10), limit: DEFAULT_LIMIT, otherwise: None };
        if let Some(stated) = root.get("sniff") {
            let section =
                stated.section("how connections are looked at", &["deadline", "limit", "otherwise"])?;
            if let Some(deadline) = section.get("deadline") {
                sniff.deadline = deadline.duration()?;
            }
            if let Some(limit) = section.get("limit") {
                sniff.limit = limit.size()?;
            }
            if let Some(otherwise) = section.get("otherwise").filter(|value| value.as_text() != Some(CLOSE)) {
                sniff.otherwise = Some(route(&otherwise)?.to_owned());
            }
        }
        let headers = [
            ("unexpected", ProxyHeaders::Unexpected),
            ("optional", ProxyHeaders::Optional),
            ("required", ProxyHeaders::Required),
        ];
        let expectation = |value: Value<'_>| value.word("expectation of PROXY headers", &headers);
        Ok(Self {
            listen,
            sniff,
            drain: root.get("drain").map_or(Ok(DEFAULT_DRAIN), |value| value.duration())?,
            metrics: root.get("metrics").map(|value| metrics(&value)).transpose()?,
            proxy_headers: root.get("proxy-headers").map_or(Ok(ProxyHeaders::Unexpected), expectation)?,
            tls: root.get("tls").map(|value| tls(&value)).transpose()?,
            early_settings: root
                .get("early-settings")
                .map_or(Ok(Early::Stated(EarlySettings::default())), |value| early_settings(&value))?,
            routes,
            rules,
        })
    }
}

/// What `otherwise` says if nobody is to have the connection.
const CLOSE: &str = "close";

const DEFAULT_DRAIN: Duration = Duration::from_secs(10);

fn address(value: &Value<'_>) -> Result<Address, Wrong> {
    let help = "write for example \"127.0.0.1:8080\", \"[::]:8080\" or \"unix:/run/mux.sock\"";
    match value.text("an address")?.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        Some(path) => Ok(Address::Unix(path.into())),
        None => socket_address(value).map(Address::Tcp).map_err(|wrong| wrong.help(help)),
    }
}

/// Where metrics are served.
fn metrics(value: &Value<'_>) -> Result<SocketAddr, Wrong> {
    let help = "write for example \"127.0.0.1:9090\"; metrics are served over TCP only";
    socket_address(value).map_err(|wrong| wrong.help(help))
}

fn socket_address(value: &Value<'_>) -> Result<SocketAddr, Wrong> {
    let text = value.text("an address")?;
    let address = text.strip_prefix("tcp:").unwrap_or(text).parse();
    address.map_err(|_| value.wrong(format!("`{text}` is no address to listen on")))
}

fn target(value: &Value<'_>) -> Result<Target, Wrong> {
    let mut target = Target {
        to: BackEnd::Tcp(String::new()),
        proxy_header: None,
        connect: Duration::from_secs(5),
        queue: 1024,
    };
    if value.as_text().is_some() {
        target.to = back_end(value)?;
        return Ok(target);
    }
    let keys = ["to", "proxy-header", "connect", "queue"];
    let section = value.section("a back end, or a table that describes one,", &keys)?;
    target.to = back_end(&section.expect("to")?)?;
    if let Some(version) = section.get("proxy-header") {
        let versions = [("v1", Version::V1), ("v2", Version::V2)];
        target.proxy_header = Some(version.word("version of the PROXY protocol", &versions)?);
    }
    if let Some(connect) = section.get("connect") {
        target.connect = connect.duration()?;
    }
    if let Some(queue) = section.get("queue") {
        target.queue = queue.number("a number of connections")? as usize;
    }
    Ok(target)
}

fn back_end(value: &Value<'_>) -> Result<BackEnd, Wrong> {
    let text = value.text("a back end")?;
    if let Some(path) = text.strip_prefix("unix:").filter(|path| !path.is_empty()) {
        return Ok(BackEnd::Unix(path.into()));
    }
    let host_and_port = text.strip_prefix("tcp:").and_then(|address| {
        let (host, port) = address.rsplit_once(':')?;
        (!host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0)).then_some(address)
    });
    host_and_port.map(|address| BackEnd::Tcp(address.to_owned())).ok_or_else(|| {
        value
            .wrong(format!("`{text}` is no back end"))
            .help("write for example \"tcp:127.0.0.1:50051\" or \"unix:/run/app.sock\"")
    })
}

fn tls(value: &Value<'_>) -> Result<Tls, Wrong> {
    let section = value.section("TLS", &["certificate", "key", "alpn"])?;
    let mut alpn = Vec::new();
    if let Some(offered) = section.get("alpn") {
        for name in offered.texts("protocols")? {
            if !(1..=255).contains(&name.len()) {
                return Err(offered.wrong("a protocol's name has 1 to 255 bytes"));
            }
            alpn.push(name.to_owned());
        }
    }
    Ok(Tls {
        certificate: section.expect("certificate")?.text("a file")?.into(),
        key: section.expect("key")?.text("a file")?.into(),
        alpn,
    })
}

fn early_settings(value: &Value<'_>) -> Result<Early, Wrong> {
    const NAMES: [(&str, SettingId); 7] = [
        ("header-table-size", SettingId::HeaderTableSize),
        ("max-concurrent-streams", SettingId::MaxConcurrentStreams),
        ("initial-window-size", SettingId::InitialWindowSize),
        ("max-frame-size", SettingId::MaxFrameSize),
        ("max-header-list-size", SettingId::MaxHeaderListSize),
        ("enable-connect-protocol", SettingId::EnableConnectProtocol),
        ("no-rfc7540-priorities", SettingId::NoRfc7540Priorities),
    ];
    if value.as_text().is_some() {
        return value.word("way to know a back end's SETTINGS", &[("ask", ())]).map(|()| Early::Asked);
    }
    let section = value.section("a back end's SETTINGS", &NAMES.map(|(name, _)| name))?;
    let mut own = Vec::new();
    for (name, id) in NAMES {
        if let Some(stated) = section.get(name) {
            let value = stated.number("a number")?;
            let most = match id {
                SettingId::InitialWindowSize => (1 << 31) - 1,
                SettingId::NoRfc7540Priorities => 1,
                _ => u32::MAX,
            };
            if value > most {
                return Err(stated.wrong(format!("`{name}` is {most} at most")));
            }
            own.push(Setting { id, value });
        }
    }
    Ok(Early::Stated(EarlySettings::of_back_end(&own)))
}

impl Address {
    /// Whether the system chooses the port, each time another.
    fn is_any_port(&self) -> bool {
        matches!(self, Self::Tcp(address) if address.port() == 0)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(formatter),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}

impl fmt::Display for BackEnd {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(formatter, "tcp:{address}"),
            Self::Unix(path) => write!(formatter, "unix:{}", path.display()),
        }
    }
}
