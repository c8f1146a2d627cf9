//! The configuration of `muxbed serve`: what is written down is what is meant, and what can't be meant has its place.

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use muxbed::mux::{EarlySettings, ProxyHeaders, Rule, Rules, Value};
use muxbed::serve::Config;
use muxbed::serve::config::{Address, BackEnd, Early};
use muxbed::wire::proxy::Version;
use muxbed::wire::tls::ProtocolVersion;
use muxbed::wire::{Setting, SettingId};

const WHOLE: &str = r#"
listen = ["127.0.0.1:8080", "unix:/run/mux.sock"]
sniff  = { deadline = "5s", limit = "16KiB", otherwise = "http" }
drain  = "10s"
metrics = "127.0.0.1:9090"
proxy-headers = "optional"
tls  = { certificate = "cert.pem", key = "key.pem", alpn = ["h2", "http/1.1"] }
early-settings = { max-concurrent-streams = 250, no-rfc7540-priorities = 1 }

[routes]
grpc = "tcp:127.0.0.1:50051"
http = { to = "unix:/run/app.sock", proxy-header = "v2", connect = "300ms", queue = 7 }

[[rules]]
when = "grpc"
to   = "grpc"

[[rules]]
when = { http1-header = "host", equals = "static.example" }
to   = "http"

[[rules]]
when = { http2-header = ":path", starts-with = "/v1/" }
to   = "http"

[[rules]]
when = { http1-method = ["GET", "PATCH"] }
to   = "http"

[[rules]]
when = { prefix-hex = "05 01" }
to   = "http"

[[rules]]
when = { sni = "a.example" }
to   = "http"

[[rules]]
when = { alpn = { starts-with = "h" } }
to   = "http"

[[rules]]
when = { tls-version = ["1.2", "1.3"] }
to   = "http"

[[rules]]
when = "any"
to   = "http"
"#;

const SHORT: &str = "listen = \"127.0.0.1:0\"\nroutes = { a = \"tcp:localhost:1\" }\nrules = []\n";

fn text(value: &str) -> Value {
    Value::Equals(value.to_owned())
}

#[test]
fn what_is_written_down_is_what_is_meant() {
    let config = Config::parse("mux.toml", WHOLE).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(
        config.listen,
        [Address::Tcp("127.0.0.1:8080".parse().unwrap()), Address::Unix("/run/mux.sock".into())]
    );
    assert_eq!((config.sniff.deadline, config.sniff.limit), (Duration::from_secs(5), 16384));
    assert_eq!(config.sniff.otherwise.as_deref(), Some("http"));
    assert_eq!((config.drain, config.proxy_headers), (Duration::from_secs(10), ProxyHeaders::Optional));
    assert_eq!(config.metrics, Some("127.0.0.1:9090".parse().unwrap()));
    let own = [
        Setting { id: SettingId::MaxConcurrentStreams, value: 250 },
        Setting { id: SettingId::NoRfc7540Priorities, value: 1 },
    ];
    assert_eq!(config.early_settings, Early::Stated(EarlySettings::of_back_end(&own)));
    let http = &config.routes["http"];
    assert_eq!(http.to, BackEnd::Unix("/run/app.sock".into()));
    assert_eq!(
        (http.proxy_header, http.connect, http.queue),
        (Some(Version::V2), Duration::from_millis(300), 7)
    );
    assert_eq!(config.routes["grpc"].to, BackEnd::Tcp("127.0.0.1:50051".to_owned()));
    let field = |name: &str, value| Rule::Http2Header { name: name.to_owned(), value };
    let rules = Rules::new()
        .to("grpc", Rule::Grpc)
        .to("http", Rule::Http1Header { name: "host".to_owned(), value: text("static.example") })
        .to("http", field(":path", Value::StartsWith("/v1/".to_owned())))
        .to("http", Rule::Http1Method(vec!["GET".to_owned(), "PATCH".to_owned()]))
        .to("http", Rule::AnyBytes(vec![vec![5, 1].into()]))
        .to("http", Rule::ServerName(text("a.example")))
        .to("http", Rule::Alpn(Value::StartsWith("h".to_owned())))
        .to("http", Rule::TlsVersion(vec![ProtocolVersion::Tls12, ProtocolVersion::Tls13]))
        .to("http", Rule::Any);
    assert_eq!(config.rules, rules);
    let tls = config.beside("/etc/mux/mux.toml".as_ref()).tls.expect("it has TLS");
    assert_eq!((tls.certificate, tls.key), ("/etc/mux/cert.pem".into(), "/etc/mux/key.pem".into()));
    assert_eq!(tls.alpn, ["h2", "http/1.1"]);
}

#[test]
fn what_is_left_out_is_usual() {
    let config = Config::parse("mux.toml", SHORT).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((config.sniff.deadline, config.sniff.otherwise), (Duration::from_secs(10), None));
    assert_eq!((config.tls, config.metrics), (None, None));
    assert_eq!(config.routes["a"].connect, Duration::from_secs(5));
    assert_eq!(config.early_settings, Early::Stated(EarlySettings::default()));
    let asking = Config::parse("mux.toml", &format!("early-settings = \"ask\"\n{SHORT}"));
    assert_eq!(asking.unwrap_or_else(|error| panic!("{error}")).early_settings, Early::Asked);
}

/// Each mistake, put into the configuration in the place of something; what is said of it, and what the caret stands
/// under.
const MISTAKES: [(&str, &str, &str, &str); 30] = [
    ("listen = [", "listenn = [", "there is no key `listenn`", "listenn"),
    ("\"127.0.0.1:8080\"", "\"8080\"", "`8080` is no address to listen on", "\"8080\""),
    ("[\"127.0.0.1:8080\", \"unix:/run/mux.sock\"]", "[]", "nothing is listened on", "[]"),
    ("[\"127.0.0.1:8080\", \"unix:/run/mux.sock\"]", "8080", "not a value of type integer", "8080"),
    ("unix:/run/mux.sock", "unix:", "`unix:` is no address to listen on", "\"unix:\""),
    ("unix:/run/mux.sock", "127.0.0.1:8080", "127.0.0.1:8080 is listened on already", "\"127.0.0.1:8080\"]"),
    ("\"5s\"", "\"5\"", "`5` is no duration", "\"5\""),
    ("\"16KiB\"", "\"16kb\"", "`16kb` is no size", "\"16kb\""),
    ("otherwise = \"http\"", "otherwise = \"htpp\"", "there is no route `htpp`", "\"htpp\""),
    ("\"127.0.0.1:9090\"", "\"localhost\"", "is no address to listen on", "\"localhost\""),
    ("\"optional\"", "\"maybe\"", "there is no expectation of PROXY headers `maybe`", "\"maybe\""),
    ("key = \"key.pem\", ", "", "TLS needs `key`", "{ certificate"),
    ("[\"h2\", \"http/1.1\"]", "[\"\"]", "a protocol's name has 1 to 255 bytes", "[\"\"]"),
    ("= 250,", "= -1,", "is no number of 32 bits", "-1"),
    ("priorities = 1", "priorities = 2", "`no-rfc7540-priorities` is 1 at most", "2"),
    ("tcp:127.0.0.1:50051", "127.0.0.1:50051", "is no back end", "\"127.0.0.1:50051\""),
    ("tcp:127.0.0.1:50051", "tcp:127.0.0.1:0", "is no back end", "\"tcp:127.0.0.1:0\""),
    ("grpc = \"tcp", "close = \"tcp", "no route can be called `close`", "close"),
    ("proxy-header = \"v2\"", "proxy-header = \"v3\"", "no version of the PROXY protocol `v3`", "\"v3\""),
    ("when = \"grpc\"", "when = \"grcp\"", "there is no kind of rule `grcp`", "\"grcp\""),
    ("when = \"any\"\nto   = \"http\"", "when = \"any\"", "a rule needs `to`", ""),
    ("{ http1-header = \"host\", equals", "{ equals", "does not say what is looked at", "{ equals"),
    (", equals = \"static.example\"", "", "`http1-header` needs `equals` or `starts-with`", "{ http1-header"),
    ("\"host\", equals", "\"ho st\", equals", "no field has the name `ho st`", "\"ho st\""),
    ("\"static.example\" }", "\"x\", starts-with = \"y\" }", "not both", "\"y\""),
    (
        "{ prefix-hex = \"05 01\" }",
        "{ prefix-hex = \"05 0\" }",
        "3 digits end in the middle of a byte",
        "\"05 0\"",
    ),
    ("{ sni = \"a.example\" }", "{ sni = \"a\", alpn = \"b\" }", "looks at one thing", "{ sni"),
    (
        "{ sni = \"a.example\" }",
        "{ sni = \"a\", equals = \"b\" }",
        "not compared with anything else",
        "\"b\"",
    ),
    ("\"1.2\", \"1.3\"", "\"1.4\"", "there is no version of TLS `1.4`", "\"1.4\""),
    ("drain  =", "drain  ==", "", "="),
];

#[test]
fn every_mistake_is_said_with_its_line_and_a_caret() {
    for (right, wrong, says, under) in MISTAKES {
        let text = WHOLE.replacen(right, wrong, 1);
        assert_ne!(text, WHOLE, "{right}");
        let error = Config::parse("mux.toml", &text).expect_err(wrong);
        assert!(error.message().contains(says), "{wrong}: {error}");
        let line = text.lines().nth(error.line() - 1).expect("the line is there");
        assert!(line[error.column() - 1..].starts_with(under), "{wrong}: {error}");
        let place = format!("mux.toml:{}:{}", error.line(), error.column());
        let shown = error.to_string();
        assert!(shown.contains(&place) && shown.contains('^'), "{place}: {shown}");
    }
}

#[test]
fn check_says_what_is_wrong_and_exits_with_2() {
    let check = |name: &str, content: &str| check_bytes(name, content.as_bytes(), "warn");
    let (status, says) = check("right.toml", SHORT);
    assert_eq!((status, says.contains("can be used")), (Some(0), true), "{says}");
    let (status, says) = check("wrong.toml", &SHORT.replace("routes", "ruotes"));
    assert_eq!(status, Some(2));
    assert!(says.contains("wrong.toml:2:1") && says.contains("the nearest is `routes`"), "{says}");
    let (status, says) = check("later.toml", &WHOLE.replace("16KiB", "16"));
    assert_eq!((status, says.contains("`16` is no size")), (Some(2), true), "{says}");
    let (status, says) = check_bytes("bytes.toml", &[SHORT.as_bytes(), b"# \xff\n"].concat(), "warn");
    let line = SHORT.lines().count() + 1;
    assert_eq!((status, says.contains(&format!("bytes.toml:{line}:3"))), (Some(2), true), "{says}");
    let (status, says) = check_bytes("right.toml", SHORT.as_bytes(), "loud");
    assert_eq!((status, says.contains("there is no log level `loud`")), (Some(2), true), "{says}");
}

/// What `muxbed serve --check` says of a file, and its exit code.
fn check_bytes(name: &str, content: &[u8], log: &str) -> (Option<i32>, String) {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    fs::write(&path, content).expect("the directory can be written to");
    let mut muxbed = Command::new(env!("CARGO_BIN_EXE_muxbed"));
    let muxbed = muxbed.args(["serve", "--check", "--log", log, "--config"]).arg(path);
    let output = muxbed.output().expect("it runs");
    let says = [output.stdout, output.stderr].map(|text| String::from_utf8(text).expect("it is UTF-8"));
    (output.status.code(), says.concat())
}
