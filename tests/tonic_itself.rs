//! tonic's newest release twice: as the library that it is, over the bed's links, and as the profile that stands for it.
//! Both say the same against every set-up; where timing decides, what the library did is one of what the profile may do.

use std::time::Duration;

use hyper_util::rt::TokioIo;
use muxbed::bed::{Run, Session, bed};
use muxbed::script::Hello;
use muxbed::servers::{Security, ServerName};
use muxbed::upgrade::servers;
use tonic::Request;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

const PROFILE: &str = "tonic@0.14.9";

/// As the recorded client was: `connect`, then two health checks with a deadline of 25 s, 20 ms apart.
async fn health_checks(session: Session, over_tls: bool) {
    let scheme = if over_tls { "https" } else { "http" };
    let endpoint = Endpoint::from_shared(format!("{scheme}://127.0.0.1:50051")).expect("it is an address");
    let channel = if over_tls {
        connect_over_tls(&endpoint, session.clone()).await
    } else {
        let session = session.clone();
        let dial = tower::service_fn(move |_: Uri| {
            let stream = session.dial();
            async move { stream.map(TokioIo::new) }
        });
        endpoint.connect_with_connector(dial).await
    };
    let mut client = match channel {
        Ok(channel) => HealthClient::new(channel),
        Err(error) => return session.ended(Err(error)),
    };
    for _ in 0..2 {
        let mut request = Request::new(HealthCheckRequest::default());
        request.set_timeout(Duration::from_secs(25));
        let result = client.check(request).await;
        let failed = result.is_err();
        session.ended(result.map(drop));
        if failed {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// As tonic's own connector does it: a server that has not chosen `h2` is left.
async fn connect_over_tls(endpoint: &Endpoint, session: Session) -> Result<Channel, tonic::transport::Error> {
    let dial = tower::service_fn(move |_: Uri| {
        let session = session.clone();
        async move {
            let (alpn, sni) = (vec!["h2".to_owned()], Some("muxbed.test".to_owned()));
            let stream = session.dial_over_tls(&Hello { alpn, sni, ..Hello::default() }).await?;
            match stream.protocol() {
                Some("h2") => Ok(TokioIo::new(stream)),
                _ => Err(std::io::Error::other("HTTP/2 was not negotiated.")),
            }
        }
    });
    // The scheme asks for TLS, which tonic leaves to the connector unless it has a configuration for it.
    endpoint.connect_with_connector(dial).await
}

fn real(server: ServerName) -> Run {
    let over_tls = server.security.is_tls();
    let client = move |session: Session| health_checks(session, over_tls);
    bed().real_client("tonic itself", client).named_server(server).run()
}

/// Whether a reset is met by a write or by a read first is a matter of the moment, and reads so.
const MET_BY_A_READ: &str = "Kind(ConnectionReset)";
const MET_BY_A_WRITE: &str = "Custom { kind: BrokenPipe, error: \"stream closed because of a broken pipe\" }";

fn results(run: &Run) -> Vec<(String, Vec<Option<String>>)> {
    let endings = run.endings().map(|ending| {
        let errors = ending.calls.iter().map(|call| {
            let error = call.error.as_ref();
            error
                .map(|text| if run.racy { text.replace(MET_BY_A_READ, MET_BY_A_WRITE) } else { text.clone() })
        });
        let errors = errors.collect();
        (ending.outcome.to_string(), errors)
    });
    endings.collect()
}

#[test]
fn the_library_and_its_profile_say_the_same() {
    let mut differ = Vec::new();
    for server in servers() {
        let (real, profile) = (real(server), bed().client(PROFILE).named_server(server).run());
        let (done, predicted) = (results(&real), results(&profile));
        let agrees = if profile.may.is_empty() {
            done == predicted
        } else {
            done.iter().all(|result| predicted.contains(result))
        };
        if !agrees {
            differ.push(format!("{server}\n  library {done:#?}\n  profile {predicted:#?}"));
        }
    }
    assert!(differ.is_empty(), "{}", differ.join("\n"));
}

#[test]
fn the_library_begins_as_its_profile_does() {
    let direct: ServerName = "direct".parse().expect("it is a server");
    let flight =
        |run: &Run| run.ending.first_flight().map(|bytes| bytes.to_vec()).collect::<Vec<_>>().concat();
    let profile = bed().client(PROFILE).named_server(direct).run();
    let (real, profile) = (flight(&real(direct)), flight(&profile));
    let common = real.len().min(profile.len());
    assert!(common > 24);
    assert_eq!(real[..common], profile[..common]);
}

#[test]
fn the_library_gives_the_same_events_again_over_tls_too() {
    for server in ["mux", "tls-mux", "cmux-settings-to-tonic"] {
        let server: ServerName = server.parse().expect("it is a server");
        let (first, second) = (real(server), real(server));
        assert_eq!(first.ending.transcript, second.ending.transcript, "{first}{second}");
    }
}

#[test]
fn a_client_that_is_code_meets_others_on_one_listener() {
    let server =
        ServerName { security: Security::TlsOptional, ..ServerName::from(muxbed::servers::Front::Mux) };
    let runs = bed()
        .real_client("tonic itself", |session| health_checks(session, true))
        .client("grpc-go@1.33.3")
        .named_server(server)
        .run_all();
    assert!(runs.iter().all(Run::works), "{}{}", runs[0], runs[1]);
}

#[test]
fn a_client_that_never_ends_is_ended() {
    let run = bed().real_client("idle", |_| std::future::pending()).server(|_| async {}).run();
    assert_eq!(run.ending.says(), Some("still at work"));
}
