//! tonic as a client: health checks over one channel, one JSON line of what its user saw.
//!
//! Written for every release from 0.4; those before it need tokio 0.2. Encodes the empty health request itself, so that
//! neither protoc nor generated code is needed. Modes: none (`connect`) and `lazy` (`connect_lazy`).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use bytes::{Buf, BufMut, Bytes};
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Endpoint};
use tonic::{Request, Status};

const DEADLINE: Duration = Duration::from_secs(25);

#[derive(Default)]
struct Untouched;

impl Codec for Untouched {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Untouched;
    type Decoder = Untouched;

    fn encoder(&mut self) -> Untouched {
        Untouched
    }

    fn decoder(&mut self) -> Untouched {
        Untouched
    }
}

impl Encoder for Untouched {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, item: Bytes, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        to.put(item);
        Ok(())
    }
}

impl Decoder for Untouched {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        let length = from.remaining();
        Ok(Some(from.copy_to_bytes(length)))
    }
}

async fn check(channel: Channel) -> Result<(), String> {
    let mut client = tonic::client::Grpc::new(channel);
    let error = |status: &dyn std::fmt::Display| status.to_string();
    client.ready().await.map_err(|failure| Status::unknown(failure.to_string())).map_err(|status| error(&status))?;
    #[cfg_attr(feature = "no-deadlines", expect(unused_mut, reason = "there is nothing to set"))]
    let mut request = Request::new(Bytes::new());
    #[cfg(not(feature = "no-deadlines"))]
    request.set_timeout(DEADLINE);
    let call = client.unary(request, PathAndQuery::from_static("/grpc.health.v1.Health/Check"), Untouched);
    if cfg!(feature = "no-deadlines") {
        match tokio::time::timeout(DEADLINE, call).await {
            Ok(answered) => answered.map(drop).map_err(|status| error(&status)),
            Err(_) => Err("(no answer in 25 s)".to_owned()),
        }
    } else {
        call.await.map(drop).map_err(|status| error(&status))
    }
}

async fn connected(arguments: &HashMap<String, String>) -> Result<Channel, tonic::transport::Error> {
    let address = &arguments["address"];
    let endpoint = match arguments.get("tls") {
        None => Endpoint::from_shared(format!("http://{address}")).expect("an address"),
        Some(certificate) => {
            let trusted = Certificate::from_pem(std::fs::read(certificate).expect("a certificate"));
            let tls = ClientTlsConfig::new().ca_certificate(trusted).domain_name("muxbed.test");
            let origin = format!("https://{address}");
            Endpoint::from_shared(origin).expect("an address").tls_config(tls)?
        }
    };
    if arguments.get("mode").is_some_and(|mode| mode == "lazy") {
        #[cfg(feature = "no-deadlines")]
        return endpoint.connect_lazy();
        #[cfg(not(feature = "no-deadlines"))]
        return Ok(endpoint.connect_lazy());
    }
    endpoint.connect().await
}

fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for letter in text.chars() {
        match letter {
            '"' | '\\' => quoted.extend(['\\', letter]),
            ' '.. => quoted.push(letter),
            _ => quoted.push_str(&format!("\\u{:04x}", letter as u32)),
        }
    }
    quoted + "\""
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let arguments: HashMap<String, String> = words
        .chunks_exact(2)
        .map(|pair| (pair[0].trim_start_matches('-').to_owned(), pair[1].clone()))
        .collect();
    let checks: usize = arguments.get("checks").map_or(2, |checks| checks.parse().expect("a number"));
    let started = Instant::now();
    let mut calls = Vec::new();
    let mut note = |result: &Result<(), String>| {
        let error = result.as_ref().err().map_or("null".to_owned(), |error| quoted(error));
        calls.push(format!("{{\"at_s\": {:.3}, \"error\": {error}}}", started.elapsed().as_secs_f64()));
    };
    match connected(&arguments).await {
        Err(failure) => note(&Err(failure.to_string())),
        Ok(channel) => {
            for number in 0..checks {
                if number > 0 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                let result = check(channel.clone()).await;
                note(&result);
                if result.is_err() {
                    break;
                }
            }
        }
    }
    tokio::time::sleep(Duration::from_millis(20)).await;
    println!("{{\"rpcs\": [{}], \"output\": []}}", calls.join(", "));
}
