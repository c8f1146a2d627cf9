//! One connection, several services: chosen by each request, for connections that carry gRPC and other HTTP mixed.
//!
//! A multiplexer of connections gives a whole connection to the server that its first request belongs to. That is right as long as
//! a connection has one kind of request, which is so for clients that connect themselves: a gRPC channel carries gRPC, a browser
//! everything but. It is wrong behind what pools connections for many clients, as load balancers and Cloud Run do: there the second
//! request may be another's, and it gets to a server that does not know it. Such a port needs the choice made request by
//! request, and whoever makes it has to speak HTTP itself.
//!
//! [`PerRequest`] makes it, and [`serve_http`](super::serve_http) speaks for it. It is opted into route by route; here with everything
//! that is HTTP:
//!
//! ```
//! use axum::{Router, routing::get};
//! use muxbed::mux::{Mux, Rule, Rules, per_request::PerRequest, serve_http};
//! use tonic::service::Routes;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (_reporter, health) = tonic_health::server::health_reporter();
//! let grpc = Routes::new(health);
//! let web = Router::new().route("/", get(|| async { "hello" }));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
//! let mut listening = Mux::new(Rules::new().to("all", Rule::Http2).to("all", Rule::Http1)).listen(listener);
//! let all = listening.route("all");
//! # let handle = listening.handle();
//! tokio::spawn(listening.run());
//! # handle.drain(std::time::Duration::ZERO);
//! serve_http(all, PerRequest::new(grpc, web)).await;
//! # Ok(())
//! # }
//! ```
//!
//! # Which of them to take
//!
//! | | by connection | per request |
//! |---|---|---|
//! | chooses by | the first request, or less: a preface, TLS | each request |
//! | who speaks HTTP | each server for itself, as if it had the port alone | hyper, once for all |
//! | SETTINGS that a client gets | the server's own; if the client waits for them, early ones before that | hyper's, at once: nothing needs to be said early, nothing taken out |
//! | HTTP/2 of the server: windows, limits, keep-alive pings, maximum age | as it was built: what is set at `tonic::transport::Server` counts | [`serve_http_with`](super::serve_http_with) sets it for all; only the services of tonic and axum are left, not their servers |
//! | servers | anything: another process, another language, another protocol | tower services in this process |
//! | a request costs | nothing once the connection is handed over | one look at its head, a clone of the chosen service |
//! | one kind of request can slow the other | no, they share no connection | yes: one window, one limit of streams, one TCP stream for both |
//! | what is lost | connections that mix | layers and timeouts of `tonic::transport::Server`, which go around its `Routes` as tower layers instead |
//!
//! Both can be had on one port, since rules are tried in order: what is known to come from a load balancer to the one, the rest to
//! the other. Let rules look for [`Http1`](super::Rule::Http1) and [`Http2`](super::Rule::Http2) rather than
//! [`Any`](super::Rule::Any): then the multiplexer's deadline covers clients that say nothing.

use std::fmt;
use std::task::{Context, Poll};

use http::request::Parts;
use http::{Request, Response, header};
use http_body_util::Either as EitherBody;
use tower::util::{Either, MapResponse, Oneshot};
use tower::{Service, ServiceExt};

/// A service that gives each request to one of two.
///
/// Either of them can be one of these too. It takes requests with any body that both take, so layers can go around it.
#[derive(Clone)]
pub struct PerRequest<A, B, F = fn(&Parts) -> bool> {
    fits: F,
    first: A,
    second: B,
}

impl<A, B> PerRequest<A, B> {
    /// gRPC to the first, by its content type, everything else to the second.
    pub fn new(grpc: A, other: B) -> Self {
        Self { fits: is_grpc, first: grpc, second: other }
    }
}

impl<A, B, F: Fn(&Parts) -> bool> PerRequest<A, B, F> {
    /// Requests that fit to the first, all others to the second. It should look and not compute: it is asked about every request.
    pub fn choosing(fits: F, first: A, second: B) -> Self {
        Self { fits, first, second }
    }
}

/// Whether a request is gRPC: its content type is `application/grpc`, alone or followed by `+` or `;`. gRPC-Web is not.
pub fn is_grpc(request: &Parts) -> bool {
    let content_type = request.headers.get(header::CONTENT_TYPE);
    content_type.is_some_and(|value| super::rule::is_grpc(value.as_bytes()))
}

/// Whether a request's path begins with these segments: `/api` has `/api` and `/api/users`, and not `/apis`.
pub fn under(path: &str) -> impl Fn(&Parts) -> bool + Clone + use<> {
    let path = path.trim_end_matches('/').to_owned();
    move |request| {
        let rest = request.uri.path().strip_prefix(path.as_str());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    }
}

/// A service whose responses have a body that the other's can be too.
type Widened<S, From, To> = MapResponse<S, fn(Response<From>) -> Response<To>>;

type Chosen<A, B, BodyA, BodyB> =
    Either<Widened<A, BodyA, EitherBody<BodyA, BodyB>>, Widened<B, BodyB, EitherBody<BodyA, BodyB>>>;

impl<A, B, F, R, BodyA, BodyB> Service<Request<R>> for PerRequest<A, B, F>
where
    A: Service<Request<R>, Response = Response<BodyA>> + Clone,
    B: Service<Request<R>, Response = Response<BodyB>, Error = A::Error> + Clone,
    F: Fn(&Parts) -> bool,
{
    type Response = Response<EitherBody<BodyA, BodyB>>;
    type Error = A::Error;
    type Future = Oneshot<Chosen<A, B, BodyA, BodyB>, Request<R>>;

    /// It always is: which service has to be, only the request tells.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<R>) -> Self::Future {
        let (head, body) = request.into_parts();
        let chosen: Chosen<A, B, BodyA, BodyB> = if (self.fits)(&head) {
            let widen: fn(Response<BodyA>) -> _ = |response| response.map(EitherBody::Left);
            Either::Left(self.first.clone().map_response(widen))
        } else {
            let widen: fn(Response<BodyB>) -> _ = |response| response.map(EitherBody::Right);
            Either::Right(self.second.clone().map_response(widen))
        };
        chosen.oneshot(Request::from_parts(head, body))
    }
}

impl<A: fmt::Debug, B: fmt::Debug, F> fmt::Debug for PerRequest<A, B, F> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let services = (&self.first, &self.second);
        formatter.debug_struct("PerRequest").field("services", &services).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(path: &str) -> Parts {
        Request::builder().uri(path).body(()).expect("it is a path").into_parts().0
    }

    #[test]
    fn a_path_is_under_another_by_whole_segments() {
        for prefix in ["/api", "/api/"] {
            let under = under(prefix);
            assert!(under(&head("/api")) && under(&head("/api/users?of=api")) && under(&head("/api/")));
            assert!(!under(&head("/apis")) && !under(&head("/")) && !under(&head("/v1/api")));
        }
        assert!(under("/")(&head("/anything")));
    }
}
