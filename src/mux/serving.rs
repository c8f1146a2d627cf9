//! Serves HTTP on the connections of a route: HTTP/1 and HTTP/2, with hyper.
//!
//! It is what `axum::serve` is to a listener, for connections that were sniffed, and what
//! [per request](super::per_request) stands on. tonic needs it not: its `serve_with_incoming` takes [`Connections`] as
//! they are. Left out: when to stop, which is the [`Handle`](super::Handle)'s to say, and how long to wait for those who
//! are being answered then, which is the caller's.

use std::error::Error;

use http::{Request, Response};
use hyper::body::{Body, Incoming};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{Service, ServiceExt};
use tracing::debug;

use super::routes::Connections;

/// Serves HTTP/1 and HTTP/2 on each of these connections, WebSockets and other upgrades included.
///
/// A request has its connection's [`Facts`](super::Facts) among its extensions, and the addresses as
/// `tonic::Request::remote_addr` looks for them.
///
/// It ends when there are no more connections, as after a [drain](super::Handle::drain), and all that were asked for has been
/// answered: a client that is idle then is told to go. To wait no longer than so long for the others, put a
/// `tokio::time::timeout` around it: dropped, it leaves them to themselves.
pub async fn serve_http<S, V, B>(connections: Connections<S>, service: V)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    V::Future: Send + 'static,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let mut server = Builder::new(TokioExecutor::new());
    server.http1().timer(TokioTimer::new());
    server.http2().timer(TokioTimer::new());
    serve_http_with(connections, service, server).await;
}

/// The same with settings of one's own: windows, limits, keep-alive, timeouts.
pub async fn serve_http_with<S, V, B>(
    mut connections: Connections<S>,
    service: V,
    server: Builder<TokioExecutor>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    V: Service<Request<Incoming>, Response = Response<B>> + Clone + Send + 'static,
    V::Future: Send + 'static,
    V::Error: Into<Box<dyn Error + Send + Sync>>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<Box<dyn Error + Send + Sync>>,
{
    let serving = GracefulShutdown::new();
    while let Some(connection) = connections.accept().await {
        let facts = connection.facts().clone();
        let service = service.clone().map_request(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(facts.connect_info());
            request.extensions_mut().insert(facts.clone());
            request
        });
        let service = TowerToHyperService::new(service);
        let served = server.serve_connection_with_upgrades(TokioIo::new(connection), service);
        let served = serving.watch(served.into_owned());
        tokio::spawn(async move {
            if let Err(error) = served.await {
                debug!(%error, "a connection ends with an error");
            }
        });
    }
    serving.shutdown().await;
}
