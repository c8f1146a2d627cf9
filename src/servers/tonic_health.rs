//! tonic itself as a back end, with its health service: the real library, so that nobody has to believe a model.
//!
//! Its answers carry a fixed date, since hyper would put the wall clock into them and no two runs would be alike.

use std::convert::Infallible;

use tokio::sync::mpsc;
use tonic::body::Body;
use tonic::codegen::http::{self, HeaderValue};
use tonic::transport::Server;
use tower::{Layer, Service};

use crate::net::PeerAddress;

use super::Accepted;
use super::fronts::Tempo;

/// Serves the health service on all connections of the queue, at the pace that `tempo` says.
pub(super) async fn serve(incoming: mpsc::UnboundedReceiver<Result<Accepted, Infallible>>, tempo: Tempo) {
    let (reporter, health) = tonic_health::server::health_reporter();
    reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
    let served = Server::builder()
        .layer(Paced { tempo })
        .add_service(health)
        .serve_with_incoming(Queue(incoming))
        .await;
    // A connection that breaks is its client's affair; the listener itself can't.
    drop(served);
}

struct Queue(mpsc::UnboundedReceiver<Result<Accepted, Infallible>>);

impl futures_core::Stream for Queue {
    type Item = Result<Accepted, Infallible>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// Lets every answer take its time, and dates it.
#[derive(Clone)]
struct Paced {
    tempo: Tempo,
}

impl<S> Layer<S> for Paced {
    type Service = PacedService<S>;

    fn layer(&self, inner: S) -> PacedService<S> {
        PacedService { inner, tempo: Tempo::clone(&self.tempo) }
    }
}

#[derive(Clone)]
struct PacedService<S> {
    inner: S,
    tempo: Tempo,
}

impl<S> Service<http::Request<Body>> for PacedService<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = std::pin::Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let connection = request.extensions().get::<PeerAddress>().map_or(0, |peer| peer.number());
        let handler = (self.tempo)(connection).handler;
        let answer = self.inner.call(request);
        Box::pin(async move {
            if !handler.is_zero() {
                tokio::time::sleep(handler).await;
            }
            let mut response = answer.await?;
            let date = HeaderValue::from_static("Thu, 01 Jan 1970 00:00:00 GMT");
            response.headers_mut().insert(http::header::DATE, date);
            Ok(response)
        })
    }
}
