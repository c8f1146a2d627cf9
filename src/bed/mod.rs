//! The bed.

mod run;
mod schedule;
mod transcript;

pub use transcript::{Event, Transcript, What};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::run::{Setting, run};
    use super::schedule::Schedule;
    use crate::clients::{KnownClient, Work};
    use crate::net::Network;
    use crate::servers::{self, ServerName};

    #[test]
    fn thread() {
        for server in [
            "direct",
            "direct-to-tonic",
            "cmux-header",
            "cmux-settings-to-h2c",
            "cmux-settings-to-tonic",
            "mute",
            "eof",
            "http1",
        ] {
            for client in [
                "grpc-go@1.8.0",
                "grpc-go@1.17.0",
                "grpc-go@1.17.0+GRPC_GO_REQUIRE_HANDSHAKE=on",
                "grpc-go@1.18.0",
                "grpc-go@1.33.3",
                "grpc-go@1.83.1",
            ] {
                let known = KnownClient::find(&client.parse().unwrap()).unwrap();
                let name: ServerName = server.parse().unwrap();
                let setting = Setting {
                    clients: vec![known.plan("127.0.0.1:50051", Work::default())],
                    network: Network::default(),
                    start: Arc::new(move |incoming, schedule: Schedule, start, recorder| {
                        let tempo: servers::Tempo =
                            Arc::new(move |connection| schedule.server_pace(connection));
                        tokio::spawn(servers::serve(
                            name,
                            incoming,
                            tempo,
                            start,
                            Arc::new(recorder),
                        ));
                    }),
                };
                println!("## {client} {server}");
                for schedule in Schedule::family(1) {
                    let passage = run(&setting, schedule);
                    println!(
                        "{:?} {:?}",
                        passage.calls[0]
                            .iter()
                            .map(|c| (c.at, c.failure.as_ref().map(|f| &f.text)))
                            .collect::<Vec<_>>(),
                        passage.panicked
                    );
                    if schedule == Schedule::default()
                        && client.contains("1.83.1")
                        && server.contains("tonic")
                    {
                        for e in passage.transcript.events() {
                            println!("   {e:?}");
                        }
                    }
                }
            }
        }
    }
}
