//! Proxies in front of the multiplexer: a real client speaks to HAProxy or nginx, and these as HTTP/2 clients to the server.
//!
//! HAProxy sends its first request when it has the server's SETTINGS, and nginx with its preface, so between them they are
//! the client that waits and the one that doesn't. Real cmux stands beside, as the server that keeps the first one waiting.
//! Both are what the machine has installed, run as ordinary processes with a configuration written for them. They can't be
//! given port 0, so a free port is looked for first. Left out is TLS between any of them.

use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use muxbed::clients::ClientSpec;
use muxbed::servers::Front;

use crate::driving::{Reported, ask};
use crate::machine::{Lacking, Machine};
use crate::plan::Cell;
use crate::serving::{Program, Serving};

/// Who speaks to the proxies. What they say to the server is the proxy's own, so it takes no more of them.
const CLIENTS: [&str; 2] = ["grpc-go@1.83.1", "grpcio@1.85.1"];

const SERVERS: [&str; 2] = ["mux", "cmux-header"];

/// What came of it, one line for each.
#[derive(Default)]
pub(crate) struct Fronted {
    lines: Vec<String>,
    /// Whether a call was not answered that has to be, or a recipe failed.
    pub(crate) failed: bool,
}

/// A proxy: its program, and how it is told where to listen and where the server is.
struct Proxy {
    name: &'static str,
    /// Asks for its version, which only tells whether it is there.
    version: &'static str,
    config: fn(&[(u16, u16)]) -> String,
    command: fn(&Path, &Path) -> Command,
}

const PROXIES: [Proxy; 2] = [
    Proxy { name: "haproxy", version: "-v", config: haproxy, command: start_haproxy },
    Proxy { name: "nginx", version: "-v", config: nginx, command: start_nginx },
];

/// Runs every client through every proxy.
pub(crate) fn fronted(machine: &Machine) -> Result<Fronted, String> {
    let mut fronted = Fronted::default();
    let mut clients = Vec::new();
    for client in CLIENTS {
        let client: ClientSpec = client.parse().map_err(|error| format!("{error}"))?;
        match machine.driver(&client) {
            Ok(driver) => clients.push((client, driver)),
            Err(why) => fronted.lacks(&client.to_string(), &why),
        }
    }
    let Some((first, _)) = clients.first() else { return Ok(fronted) };
    for proxy in &PROXIES {
        let server = |server: &&str| {
            let server = server.parse().map_err(|error| format!("{error}"))?;
            Ok(Cell { client: first.clone(), server, repeat: 0 })
        };
        let cells = SERVERS.iter().map(server).collect::<Result<Vec<Cell>, String>>()?;
        if let Err(why) = proxy.is_there() {
            fronted.lacks(proxy.name, &why);
            continue;
        }
        let serving = Serving::start(machine, &cells)?;
        for (server, why) in &serving.lacking {
            fronted.lacks(server, why);
        }
        let cells: Vec<(&Cell, u16)> =
            cells.iter().filter_map(|cell| Some((cell, serving.port(cell)?))).collect();
        let backs: Vec<u16> = cells.iter().map(|(_, port)| *port).collect();
        let (program, ports) = match proxy.start(machine, &backs) {
            Ok(started) => started,
            Err(why) => {
                fronted.lacks(proxy.name, &Lacking::Failed(why));
                continue;
            }
        };
        for ((cell, _), port) in cells.iter().zip(ports) {
            for (client, driver) in &clients {
                let reported = ask(driver, client, port);
                let way = format!("{client} through {} at {}", proxy.name, cell.server);
                fronted.result(&way, cell.server.front == Front::Mux, &reported);
            }
        }
        drop(program);
    }
    Ok(fronted)
}

impl Fronted {
    fn lacks(&mut self, what: &str, why: &Lacking) {
        self.failed |= matches!(why, Lacking::Failed(_));
        self.lines.push(format!("skipped: {what}: {why}"));
    }

    fn result(&mut self, way: &str, has_to: bool, reported: &Result<Reported, String>) {
        let said = match reported {
            Err(why) => format!("? {why}"),
            Ok(reported) => {
                match reported.rpcs.iter().find_map(|call| Some((call.at_s, call.error.as_ref()?))) {
                    None => format!("{} ok", reported.rpcs.len()),
                    Some((at, text)) => format!("after {at:.0} s: {text}"),
                }
            }
        };
        // The driver has to do its part in any case.
        let answered = reported.as_ref().map(Reported::is_answered);
        self.failed |= answered.is_err() || (has_to && answered == Ok(false));
        self.lines.push(format!("{way}: {said}"));
    }
}

impl fmt::Display for Fronted {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.lines.iter().try_for_each(|line| writeln!(formatter, "{line}"))
    }
}

impl Proxy {
    fn is_there(&self) -> Result<(), Lacking> {
        let asked = Command::new(self.name).arg(self.version).output();
        asked.map(drop).map_err(|_| Lacking::Machine(format!("{} is not installed", self.name)))
    }

    /// Starts it in front of these ports, and gives its own.
    fn start(&self, machine: &Machine, backs: &[u16]) -> Result<(Program, Vec<u16>), String> {
        let folder = machine.kept(self.name);
        fs::create_dir_all(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let ports = free_ports(backs.len()).map_err(|error| error.to_string())?;
        let pairs: Vec<(u16, u16)> = ports.iter().copied().zip(backs.iter().copied()).collect();
        let file = folder.join("configuration");
        fs::write(&file, (self.config)(&pairs)).map_err(|error| format!("{}: {error}", file.display()))?;
        let said: PathBuf = folder.join("said");
        let output = File::create(&said).map_err(|error| format!("{}: {error}", said.display()))?;
        let program = Program::start_quiet((self.command)(&folder, &file), output, &ports)
            .map_err(|why| format!("{why}: see {}", said.display()))?;
        Ok((program, ports))
    }
}

/// Ports that nobody listens on now.
#[expect(clippy::disallowed_methods, reason = "a real server beside real clients")]
fn free_ports(count: usize) -> std::io::Result<Vec<u16>> {
    let bound: Vec<_> =
        (0..count).map(|_| std::net::TcpListener::bind("127.0.0.1:0")).collect::<Result<_, _>>()?;
    bound.iter().map(|listener| Ok(listener.local_addr()?.port())).collect()
}

fn haproxy(pairs: &[(u16, u16)]) -> String {
    let mut text = String::from(
        "global\n    maxconn 100\ndefaults\n    mode http\n    timeout connect 5s\n    timeout client 60s\n    \
         timeout server 60s\n",
    );
    for (front, back) in pairs {
        text += &format!(
            "listen to-{back}\n    bind 127.0.0.1:{front} proto h2\n    server it 127.0.0.1:{back} proto h2\n"
        );
    }
    text
}

fn start_haproxy(_: &Path, file: &Path) -> Command {
    let mut command = Command::new("haproxy");
    command.args(["-db", "-f"]).arg(file);
    command
}

fn nginx(pairs: &[(u16, u16)]) -> String {
    // In one process, so that it ends with it, and with all that it would write elsewhere in its own folder.
    let mut text = String::from(
        "daemon off;\nmaster_process off;\npid nginx.pid;\nerror_log stderr;\nevents {}\nhttp {\n    access_log off;\n    \
         client_body_temp_path body;\n    proxy_temp_path proxy;\n    fastcgi_temp_path fastcgi;\n    uwsgi_temp_path uwsgi;\n    \
         scgi_temp_path scgi;\n",
    );
    for (front, back) in pairs {
        text += &format!(
            "    server {{\n        listen 127.0.0.1:{front} http2;\n        location / {{\n            \
             grpc_pass grpc://127.0.0.1:{back};\n        }}\n    }}\n"
        );
    }
    text + "}\n"
}

fn start_nginx(folder: &Path, file: &Path) -> Command {
    let mut command = Command::new("nginx");
    command.arg("-p").arg(folder).args(["-e", "stderr", "-c"]).arg(file);
    command
}
