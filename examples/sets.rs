//! temporary
use muxbed::bed::*;
fn main() {
    let a: Vec<String> = std::env::args().skip(1).collect();
    for server in a[1].split(',') {
        for client in a[0].split(',') {
            let r =
                bed().known_client(find_client(client).unwrap()).named_server(server.parse().unwrap()).run();
            println!("## {client} {server} racy={}", r.racy);
            for e in r.endings() {
                println!(
                    "   {:?} {:?} {}",
                    e.calls
                        .iter()
                        .map(|c| (
                            c.at,
                            c.error
                                .as_deref()
                                .unwrap_or("ok")
                                .chars()
                                .rev()
                                .take(60)
                                .collect::<String>()
                                .chars()
                                .rev()
                                .collect::<String>()
                        ))
                        .collect::<Vec<_>>(),
                    e.connections.iter().map(|c| (c.requests, c.goaway)).collect::<Vec<_>>(),
                    e.outcome
                );
            }
        }
    }
}
