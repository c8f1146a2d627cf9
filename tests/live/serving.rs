//! The servers: one listener for each run, so that a capture can be told by its port.
//!
//! The recordings' servers are one Go program (`recipes/go/servers`). What stands behind them in processes of their own
//! comes from `recipes/back-ends`, but for tonic, which runs in this one. `mux` is this project's own `muxbed serve` in
//! front of the Go program's listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use muxbed::servers::{BackEnd, Front, Security, ServerName};

use crate::machine::{Lacking, Machine};
use crate::plan::Cell;

/// Servers at work, until dropped.
pub(crate) struct Serving {
    ports: BTreeMap<Cell, u16>,
    /// Which servers are left out, and why.
    pub(crate) lacking: BTreeMap<String, Lacking>,
    certificate: PathBuf,
    mux_certificate: PathBuf,
    keys: PathBuf,
    mux_keys: PathBuf,
    programs: Vec<Program>,
}

impl Serving {
    pub(crate) fn start(machine: &Machine, cells: &[Cell]) -> Result<Self, String> {
        let mut serving = Self {
            ports: BTreeMap::new(),
            lacking: BTreeMap::new(),
            certificate: machine.kept("certificate.pem"),
            mux_certificate: machine.kept("mux-certificate.pem"),
            keys: machine.kept("keys.log"),
            mux_keys: machine.kept("mux-keys.log"),
            programs: Vec::new(),
        };
        for keys in [&serving.keys, &serving.mux_keys] {
            if keys.exists() {
                fs::remove_file(keys).map_err(|error| error.to_string())?;
            }
        }
        let back_ends = serving.back_ends(machine, cells)?;
        let is_there = |server: &ServerName| {
            !server.front.has_back_end()
                || is_in_go(server.back_end)
                || back_ends.contains_key(&server.back_end)
        };
        let (muxed, others): (Vec<&Cell>, Vec<&Cell>) = cells
            .iter()
            .filter(|cell| is_there(&cell.server))
            .partition(|cell| cell.server.front == Front::Mux);

        let go = machine.server("go/servers");
        let go = match go {
            Ok(go) => go,
            Err(why) => {
                for cell in cells {
                    serving.lacking.insert(cell.server.to_string(), why.clone());
                }
                return Ok(serving);
            }
        };
        // Behind `mux` each back end is reached as a client without a multiplexer would reach it.
        let behind: BTreeSet<BackEnd> = muxed.iter().map(|cell| cell.server.back_end).collect();
        let mut names: Vec<String> = others.iter().map(|cell| cell.server.to_string()).collect();
        let direct = |back_end: BackEnd| {
            ServerName { security: Security::Cleartext, front: Front::Direct, back_end }.to_string()
        };
        names.extend(behind.iter().copied().map(direct));
        names.push("http1".to_owned());

        let mut command = Command::new(go);
        command.args(&names).arg("--certificate").arg(&serving.certificate).arg("--keys").arg(&serving.keys);
        for (back_end, port) in &back_ends {
            command.arg("--back-end").arg(format!("{}=127.0.0.1:{port}", back_end.word()));
        }
        let (program, ports) = Program::start(command, names.len())?;
        serving.programs.push(program);
        serving.ports.extend(others.iter().map(|cell| (*cell).clone()).zip(ports.iter().copied()));
        if !muxed.is_empty() {
            let behind: BTreeMap<BackEnd, u16> =
                behind.into_iter().zip(ports[others.len()..].iter().copied()).collect();
            let http = *ports.last().expect("the last name is http1");
            serving.start_mux(machine, &muxed, &behind, http)?;
        }
        Ok(serving)
    }

    /// Where the server of a run listens, if there is one.
    pub(crate) fn port(&self, cell: &Cell) -> Option<u16> {
        self.ports.get(cell).copied()
    }

    /// What clients of a server over TLS are to trust.
    pub(crate) fn certificate(&self, server: ServerName) -> &Path {
        if server.front == Front::Mux { &self.mux_certificate } else { &self.certificate }
    }

    /// The secrets of all TLS sessions so far, in the form of `SSLKEYLOGFILE`.
    pub(crate) fn keys(&self) -> Vec<u8> {
        [&self.keys, &self.mux_keys].map(|keys| fs::read(keys).unwrap_or_default()).concat()
    }

    /// Starts the back ends that are processes of their own; gives their ports.
    fn back_ends(&mut self, machine: &Machine, cells: &[Cell]) -> Result<BTreeMap<BackEnd, u16>, String> {
        let wanted: BTreeSet<BackEnd> = cells
            .iter()
            .filter(|cell| cell.server.front.has_back_end())
            .map(|cell| cell.server.back_end)
            .filter(|back_end| !is_in_go(*back_end))
            .collect();
        let mut ports = BTreeMap::new();
        for back_end in wanted {
            if back_end == BackEnd::Tonic {
                ports.insert(back_end, tonic()?);
                continue;
            }
            match machine.server(&format!("back-ends/{}", back_end.word())) {
                Ok(program) => {
                    let (program, started) = Program::start(Command::new(program), 1)?;
                    self.programs.push(program);
                    ports.insert(back_end, started[0]);
                }
                Err(why) => {
                    for cell in cells.iter().filter(|cell| cell.server.back_end == back_end) {
                        self.lacking.insert(cell.server.to_string(), why.clone());
                    }
                }
            }
        }
        Ok(ports)
    }

    /// Starts `muxbed serve` for each pair of TLS and back end, with a listener for each run.
    fn start_mux(
        &mut self,
        machine: &Machine,
        cells: &[&Cell],
        behind: &BTreeMap<BackEnd, u16>,
        http: u16,
    ) -> Result<(), String> {
        let key = machine.kept("mux-key.pem");
        let made = rcgen::generate_simple_self_signed(["muxbed.test".to_owned(), "127.0.0.1".to_owned()])
            .map_err(|error| error.to_string())?;
        let write = |path: &Path, text: String| {
            fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
        };
        write(&self.mux_certificate, made.cert.pem())?;
        write(&key, made.signing_key.serialize_pem())?;

        let servers: BTreeSet<ServerName> = cells.iter().map(|cell| cell.server).collect();
        for server in servers {
            let own: Vec<&Cell> = cells.iter().copied().filter(|cell| cell.server == server).collect();
            let alpn = match server.security {
                Security::Cleartext => None,
                Security::Tls => Some(r#", alpn = ["h2", "http/1.1"]"#),
                Security::TlsWithoutAlpn => Some(", alpn = []"),
                Security::TlsOptional => {
                    return Err(format!("{server}: there is no recipe for TLS beside cleartext"));
                }
            };
            let tls = alpn.map_or(String::new(), |alpn| {
                let certificate = self.mux_certificate.display();
                format!("tls = {{ certificate = \"{certificate}\", key = \"{}\"{alpn} }}\n", key.display())
            });
            let config = format!(
                "listen = [{listen}]\n{tls}\n[routes]\ngrpc = \"tcp:127.0.0.1:{grpc}\"\nhttp = \"tcp:127.0.0.1:{http}\"\n\n\
                 [[rules]]\nwhen = \"grpc\"\nto = \"grpc\"\n\n[[rules]]\nwhen = \"http1\"\nto = \"http\"\n",
                listen = vec!["\"127.0.0.1:0\""; own.len()].join(", "),
                grpc = behind[&server.back_end],
            );
            let file = machine.kept(&format!("{server}.toml"));
            write(&file, config)?;
            let mut command = Command::new(env!("CARGO_BIN_EXE_muxbed"));
            command.args(["serve", "--config"]).arg(&file).env("SSLKEYLOGFILE", &self.mux_keys);
            match Program::start(command, own.len()) {
                Ok((program, ports)) => {
                    self.programs.push(program);
                    self.ports.extend(own.into_iter().cloned().zip(ports));
                }
                Err(why) => drop(self.lacking.insert(server.to_string(), Lacking::Failed(why))),
            }
        }
        Ok(())
    }
}

/// Whether the Go program serves it itself.
fn is_in_go(back_end: BackEnd) -> bool {
    matches!(back_end, BackEnd::GrpcGo | BackEnd::H2c)
}

/// tonic's health service, in this process for as long as it lives.
#[expect(clippy::disallowed_methods, reason = "a real server beside real clients")]
fn tonic() -> Result<u16, String> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    listener.set_nonblocking(true).map_err(|error| error.to_string())?;
    let port = listener.local_addr().map_err(|error| error.to_string())?.port();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            let Ok(listener) = tokio::net::TcpListener::from_std(listener) else { return };
            let incoming = tonic::transport::server::TcpIncoming::from(listener).with_nodelay(Some(true));
            let (reporter, health) = tonic_health::server::health_reporter();
            reporter.set_service_status("", tonic_health::ServingStatus::Serving).await;
            let served =
                tonic::transport::Server::builder().add_service(health).serve_with_incoming(incoming).await;
            drop(served);
        });
    });
    Ok(port)
}

/// A server in a process of its own, which ends with this value.
pub(crate) struct Program(Child);

impl Program {
    /// Starts it and reads where it listens.
    pub(crate) fn start(mut command: Command, listeners: usize) -> Result<(Self, Vec<u16>), String> {
        let name = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut program = Self(command.spawn().map_err(|error| format!("{name}: {error}"))?);
        let output = program.0.stdout.take().expect("it was piped");
        let mut ports = Vec::new();
        let mut lines = BufReader::new(output).lines();
        while ports.len() < listeners {
            let Some(Ok(line)) = lines.next() else {
                let mut said = String::new();
                if let Some(mut errors) = program.0.stderr.take() {
                    drop(std::io::Read::read_to_string(&mut errors, &mut said));
                }
                let why = said.trim().lines().next_back().unwrap_or("it ended before it listened").to_owned();
                return Err(format!("{name}: {why}"));
            };
            let Some(address) = line.strip_prefix("listening on ") else { continue };
            let port = address.rsplit(':').next().and_then(|port| port.parse().ok());
            ports.push(port.ok_or_else(|| format!("{name}: {line}"))?);
        }
        // What else it says would fill the pipes.
        drain(lines);
        if let Some(errors) = program.0.stderr.take() {
            drain(BufReader::new(errors).lines());
        }
        Ok((program, ports))
    }

    /// Starts one that does not say where it listens, and waits until it does at all these ports.
    #[expect(clippy::disallowed_methods, reason = "waits for a real process")]
    pub(crate) fn start_quiet(mut command: Command, output: File, ports: &[u16]) -> Result<Self, String> {
        let name = command.get_program().to_string_lossy().into_owned();
        let errors = output.try_clone().map_err(|error| error.to_string())?;
        command.stdin(Stdio::null()).stdout(output).stderr(errors);
        let mut program = Self(command.spawn().map_err(|error| format!("{name}: {error}"))?);
        for _ in 0..1000 {
            if !matches!(program.0.try_wait(), Ok(None)) {
                return Err(format!("{name} ended before it listened"));
            }
            let listens = |port: &u16| std::net::TcpStream::connect(("127.0.0.1", *port)).is_ok();
            if ports.iter().all(listens) {
                return Ok(program);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Err(format!("{name} does not listen within 20 s"))
    }
}

#[expect(clippy::disallowed_methods, reason = "reads what a real process says, for as long as it runs")]
fn drain(lines: impl Iterator<Item = std::io::Result<String>> + Send + 'static) {
    std::thread::spawn(move || lines.map_while(Result::ok).for_each(drop));
}

impl Drop for Program {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
