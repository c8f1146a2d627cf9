//! HTTP clients and proxies: what a script can say of them, and what becomes of them before servers that no recording has.

use muxbed::bed::{Run, bed};
use muxbed::clients::{KnownClient, Role, families};
use muxbed::outcome::{Outcome, Refusal};
use muxbed::script::Script;
use muxbed::servers::ServerName;

/// A client written out, before a server.
fn scripted(behaviour: &str, server: &str) -> Run {
    let script = Script::parse("t", &format!("client \"c\"\n{behaviour}server {server}\n"));
    let script = script.expect("it is well formed");
    bed().script(&script).expect("it names no client").run()
}

fn known(client: &str, server: &str) -> Run {
    let server: ServerName = server.parse().expect("it is a server");
    bed().client(client).named_server(server).run()
}

/// What the client wrote on its first connection.
fn written(run: &Run) -> String {
    let bytes: Vec<u8> = run.ending.flight.iter().flatten().copied().collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn served(route: &str) -> Outcome {
    Outcome::Served { route: route.to_owned() }
}

fn seconds(run: &Run) -> u64 {
    run.ending.at().as_secs()
}

const GET: &str = "  ready\n  call\n    > request get /\n    < http1\n  finally\n    close\n";

#[test]
fn a_request_is_written_as_http1() {
    let run = scripted(GET, "http1");
    assert_eq!(run.outcome(), served("http"), "{run}");
    let one = "GET / HTTP/1.1\r\nHost: 127.0.0.1:50051\r\n\r\n";
    assert_eq!(written(&run), one.repeat(2), "two calls on one connection");
}

#[test]
fn a_connection_that_is_used_once_is_closed_by_its_call() {
    let once = GET.replace("< http1", "< http1\n    close");
    let run = scripted(&format!("{once}  after loss idle\n"), "http1");
    assert_eq!(run.outcome(), served("http"), "{run}");
    assert_eq!(run.ending.connections.len(), 2, "a connection for each call");
}

#[test]
fn a_call_gives_up_when_so_many_connections_have_failed() {
    let waits = "  > preface, settings\n  < settings\n  ready\n  call\n    > headers call end get /\n    < end call\n";
    let refuses = "  fail-fast \"no more\"\n  after failure wait 1s\n";
    let run = scripted(&format!("{waits}{refuses}  tries 4\n"), "http1");
    assert_eq!((run.ending.connections.len(), seconds(&run)), (4, 3), "{run}");
    assert_eq!(run.ending.says(), Some("no more"));
    let run = scripted(&format!("{waits}{refuses}"), "http1");
    assert_eq!((run.ending.connections.len(), seconds(&run)), (1, 0), "{run}");
}

#[test]
fn a_retry_that_fails_too_has_words_of_its_own() {
    let run = scripted(&format!("{GET}  on reset call retry else \"twice\"\n"), "eof");
    assert_eq!(run.ending.connections.len(), 2, "{run}");
    assert_eq!(run.ending.says(), Some("twice"));
}

#[test]
fn a_client_that_asks_for_h2c_goes_on_in_http2_where_it_gets_it() {
    for client in ["curl@7.88.1/h2c-upgrade", "nghttp@1.52.0/h2c-upgrade", "java-net-http@17.0.15"] {
        let run = known(client, "direct-to-h2c");
        assert_eq!(run.outcome(), served("http"), "{run}");
        assert!(written(&run).contains("\r\n\r\nPRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "{run}");
    }
    // Others are content with HTTP/1.1; nghttp is not.
    assert_eq!(known("curl@7.88.1/h2c-upgrade", "cmux-preface").outcome(), served("http"));
    let run = known("nghttp@1.52.0/h2c-upgrade", "cmux-preface");
    assert_eq!(run.outcome(), Outcome::Refused(Refusal::Status(200)), "{run}");
}

#[test]
fn http1_is_answered_by_a_server_that_speaks_it_and_refused_by_one_that_does_not() {
    assert_eq!(known("curl@7.88.1", "direct-to-h2c").outcome(), served("http"));
    assert!(!known("curl@7.88.1", "direct").works());
}

#[test]
fn through_mux_http1_and_grpc_are_served_and_other_http2_is_told_so() {
    for family in families().iter().filter(|family| family.role != Role::GrpcClient) {
        for profile in &family.profiles {
            let mode = profile.mode.as_ref().map(|mode| format!("/{mode}")).unwrap_or_default();
            let client = format!("{}@{}{mode}", family.name, profile.from);
            let run = known(&client, "mux");
            let makes_grpc_calls = family.role == Role::Proxy || family.name == "h2-crate";
            match mode.as_str() {
                _ if makes_grpc_calls => assert_eq!(run.outcome(), served("grpc"), "{run}"),
                // It wants HTTP/2 or nothing.
                "/h2c-upgrade" if family.name == "nghttp" => assert!(!run.works(), "{run}"),
                "/http1" | "/h2c-upgrade" | "/default" => assert_eq!(run.outcome(), served("http"), "{run}"),
                // What those speak in the clear whom nobody tells; nghttp and Node speak HTTP/2 of their own accord.
                "" if !["nghttp", "node-http2"].contains(&family.name.as_str()) => {
                    assert_eq!(run.outcome(), served("http"), "{run}");
                }
                _ => {
                    assert!(!run.works(), "{run}");
                    assert!(run.ending.connections[0].goaway.is_some(), "the server says why: {run}");
                }
            }
            assert!(!run.racy, "{run}");
        }
    }
}

#[test]
fn a_release_takes_the_profile_of_its_range() {
    let title = |spec: &str| {
        let spec = spec.parse().expect("it is a spec");
        KnownClient::find(&spec).expect("it is known").profile.title.clone()
    };
    assert_eq!(title("curl@8.5.0/prior-knowledge"), "prior knowledge, 8.1.1 to 8.9");
    assert_eq!(title("curl@7.68.0/h2c-upgrade"), "h2c upgrade, 7.53 to 7.68");
    assert_eq!(title("nghttp@1.65.0"), "by itself, without priorities");
    assert_eq!(title("java-net-http@21.0.4"), "18 to 21.0.4: ALPN");
    assert_eq!(title("java-net-http@21.0.5"), "21.0.5 to 21: ALPN, limit of header lists");
    assert_eq!(title("go-net-http@go1.26.8/h2c"), "1.24 to 1.26: h2c");
    assert_eq!(title("node-http2@17.4.0"), "17.0 to 17.4: pseudo fields backwards");
    assert_eq!(title("node-http2@16.20.2"), "16.14.1 to 16: pseudo fields in order");
    assert_eq!(title("haproxy-h2@3.0.5"), "2.7 to 3.0: waits, window of 64 KiB");
    assert_eq!(title("reqwest@0.11.27/prior-knowledge"), "0.11: prior knowledge");
}

#[test]
fn the_words_of_an_http_client_make_no_race() {
    // The close of a connection is read as an end or as a reset, which curl tells its user in two ways.
    let run = known("curl@7.88.1/prior-knowledge", "cmux-settings");
    assert!(!run.racy && run.endings().count() > 1, "{run}");
}

/// What an HTTP client is that nobody tells what to speak, where ALPN gives HTTP/2, HTTP/1.1 and nothing.
#[test]
fn over_tls_a_client_speaks_what_alpn_gives() {
    let flight = |client: &str, server: &str| written(&known(client, server));
    for client in [
        "curl@7.88.1",
        "go-net-http@go1.27.3",
        "reqwest@0.13.5",
        "okhttp@5.5.1",
        "httpx@0.28.1",
        "java-net-http@17.0.15",
    ] {
        assert!(flight(client, "tls-direct").starts_with("PRI * HTTP/2.0"), "{client}");
        assert!(flight(client, "tls-noalpn-direct").starts_with("GET / HTTP/1.1"), "{client}");
        assert!(flight(client, "direct").starts_with("GET / HTTP/1.1"), "{client}");
        assert_eq!(known(client, "tls-noalpn-mux").outcome(), served("http"));
    }
    // These speak HTTP/2 whatever the server chooses.
    for client in ["node-http2@20.20.2", "curl@7.88.1/prior-knowledge", "httpx@0.28.1/prior-knowledge"] {
        assert!(flight(client, "tls-noalpn-direct").starts_with("PRI * HTTP/2.0"), "{client}");
    }
    // This one speaks nothing else, and only where it is chosen.
    let run = known("nghttp@1.52.0", "tls-noalpn-direct");
    assert_eq!(run.outcome(), Outcome::Refused(Refusal::Close), "{run}");
    assert_eq!((written(&run).as_str(), seconds(&run)), ("", 0));
    // What is asked for in the clear is of no use over TLS.
    assert!(flight("curl@7.88.1/h2c-upgrade", "tls-direct").starts_with("PRI * HTTP/2.0"));
    assert!(flight("go-net-http@go1.27.3/h2c", "tls-direct").starts_with("GET / HTTP/1.1"));
}

/// Go's `http.Server` speaks HTTP/2 over TLS without being told, unless a multiplexer hides the TLS from it.
#[test]
fn a_plain_http_server_speaks_http2_where_alpn_gives_it() {
    let run = known("curl@7.88.1/prior-knowledge", "tls-http1");
    assert_eq!(run.outcome(), served("http"), "{run}");
    assert!(!known("curl@7.88.1/prior-knowledge", "tls-noalpn-http1").works());
    assert!(!known("curl@7.88.1", "tls-cmux-header").works());
}
