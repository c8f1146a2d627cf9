//! Says the metrics to whoever asks in HTTP/1: Prometheus, or a person with curl.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use crate::wire::RequestHead;
use crate::wire::http1::{HeadLimits, Parsed};

/// Answers every request with what `text` gives then.
pub(super) async fn serve(listener: TcpListener, text: impl Fn() -> String + Clone + Send + 'static) {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                let text = text.clone();
                tokio::spawn(timeout(Duration::from_secs(5), answer(stream, text)));
            }
            Err(_) => sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn answer(mut stream: TcpStream, text: impl Fn() -> String) -> io::Result<()> {
    let mut read = Vec::new();
    let method = loop {
        match RequestHead::parse(&read, HeadLimits::default()) {
            Parsed::Complete { head, .. } => break head.method,
            Parsed::Invalid(_) => return Ok(()),
            Parsed::Partial => {}
        }
        if stream.read_buf(&mut read).await? == 0 {
            return Ok(());
        }
    };
    let (status, body) = match method.as_str() {
        "GET" | "HEAD" => ("200 OK", text()),
        _ => ("405 Method Not Allowed", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    if method == "GET" {
        stream.write_all(body.as_bytes()).await?;
    }
    stream.shutdown().await
}
