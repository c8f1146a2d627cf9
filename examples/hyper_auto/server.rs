//! hyper-util's server for HTTP/1 and HTTP/2 on one connection, with tonic's health service in it.

use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use hyper_util::service::TowerToHyperService;
use muxbed::Incoming;
use tonic::service::Routes;

/// Serves every connection as it begins.
pub(crate) async fn hyper_auto(mut incoming: Incoming) {
    let (_reporter, health) = tonic_health::server::health_reporter();
    let service = TowerToHyperService::new(Routes::new(health));
    while let Some(stream) = incoming.accept().await {
        let service = service.clone();
        tokio::spawn(async move {
            auto::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), service).await
        });
    }
}
