//! The programs that stand between a client and a back end: `muxbed serve`, and what else one could put there.
//!
//! Each is configured to do the same: what begins as HTTP/1 goes to the back end, whatever else is gRPC's or nobody's has to
//! wait, and is waited for. Otherwise they are as they come, threads and buffers too. Of sslh it is the one that forks:
//! answers that come when many connections do get lost in the one that waits with select(2). What is not installed is
//! said to be lacking, and nothing is installed for it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// What can be put there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Serve,
    HaProxy,
    Cmux,
    Sslh,
    /// Accepts connections, and gives each a task that waits for what it says.
    Task,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [Self::Serve, Self::HaProxy, Self::Cmux, Self::Sslh];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Serve => "serve",
            Self::HaProxy => "HAProxy",
            Self::Cmux => "cmux",
            Self::Sslh => "sslh",
            Self::Task => "a task that reads",
        }
    }

    /// Whether all its connections are in one process, whose memory is all that they take.
    pub(crate) fn is_one_process(self) -> bool {
        self != Self::Sslh
    }
}

/// What the bench itself is told, to be [`Kind::Task`].
pub(crate) const WAIT: &str = "--wait-for-what-is-said";

/// A program at work, until dropped.
pub(crate) struct Program {
    child: Child,
    pub(crate) address: SocketAddr,
}

impl Program {
    /// Puts it before a back end, or says what is lacking.
    pub(crate) fn start(kind: Kind, back_end: SocketAddr) -> Result<Self, String> {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("proxies");
        fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
        let to = back_end.to_string();
        match kind {
            Kind::Serve => {
                let file = folder.join("serve.toml");
                write(&file, &serve_toml(&to))?;
                let mut command = with_descriptors(env!("CARGO_BIN_EXE_muxbed"));
                command.args(["serve", "--config"]).arg(&file);
                Self::that_says_where(command)
            }
            Kind::Task => {
                let own = std::env::current_exe().map_err(|error| error.to_string())?;
                let mut command = with_descriptors(own);
                command.arg(WAIT);
                Self::that_says_where(command)
            }
            Kind::Cmux => {
                let mut command = with_descriptors(cmux()?);
                command.args(["--grpc", &to, "--http", &to]);
                Self::that_says_where(command)
            }
            Kind::HaProxy => {
                let (file, address) = (folder.join("haproxy.cfg"), free_address()?);
                write(&file, &haproxy_cfg(&address.to_string(), &to))?;
                let mut command = with_descriptors(installed("haproxy")?);
                command.args(["-db", "-f"]).arg(&file);
                Self::that_listens_at(address, command)
            }
            Kind::Sslh => {
                let address = free_address()?;
                let mut command = with_descriptors(installed("sslh")?);
                command.args(["-f", "-n", "-t", "3600", "-p", &address.to_string(), "--http", &to]);
                Self::that_listens_at(address, command)
            }
        }
    }

    /// The memory that it has in use, in bytes.
    pub(crate) fn resident(&self) -> usize {
        resident(self.child.id())
    }

    /// How many files, sockets among them, it has open.
    pub(crate) fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.child.id())).map_or(0, Iterator::count)
    }

    fn that_says_where(mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let mut line = String::new();
        let read = child.stdout.take().map(|stdout| BufReader::new(stdout).read_line(&mut line));
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        // From here on it ends with this.
        let mut program = Self { child, address: SocketAddr::from(([0, 0, 0, 0], 0)) };
        program.address =
            address.ok_or_else(|| format!("it does not say where it listens: {read:?} {line}"))?;
        Ok(program)
    }

    fn that_listens_at(address: SocketAddr, mut command: Command) -> Result<Self, String> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let program = Self { child: command.spawn().map_err(|error| error.to_string())?, address };
        for _ in 0..500 {
            if TcpStream::connect(address).is_ok() {
                return Ok(program);
            }
            pause();
        }
        Err(format!("it does not listen at {address}"))
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        drop((self.child.kill(), self.child.wait()));
    }
}

/// The memory that a process has in use, in bytes.
pub(crate) fn resident(process: u32) -> usize {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = line.and_then(|rest| rest.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kibibytes.unwrap_or(0) * 1024
}

/// Lets others go on.
#[expect(clippy::disallowed_methods, reason = "programs of others are waited for, which know no other clock")]
pub(crate) fn pause() {
    std::thread::sleep(Duration::from_millis(10));
}

/// A program that may open as many files as anybody here may.
fn with_descriptors(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n \"$(ulimit -H -n)\"; exec \"$0\" \"$@\""]).arg(program);
    command
}

fn installed(program: &str) -> Result<PathBuf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Where servers are, and not everybody looks.
    let folders = std::env::split_paths(&path).chain(["/usr/local/sbin".into(), "/usr/sbin".into()]);
    let mut files = folders.map(|folder| folder.join(program));
    files.find(|file| file.is_file()).ok_or_else(|| format!("{program} is not installed"))
}

/// The recipe of the live tests, cooked where they cook it.
fn cmux() -> Result<PathBuf, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = root.join("target/live/go/proxy");
    fs::create_dir_all(&folder).map_err(|error| error.to_string())?;
    let output = Command::new(root.join("tests/live/recipes/go/proxy/build")).arg(&folder).output();
    let output = output.map_err(|error| error.to_string())?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(said.trim().lines().next_back().unwrap_or("its recipe failed").to_owned());
    }
    Ok(folder.join("serve"))
}

fn free_address() -> Result<SocketAddr, String> {
    let address = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    address.map_err(|error| error.to_string())
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn serve_toml(to: &str) -> String {
    format!(
        "listen = \"127.0.0.1:0\"\nsniff = {{ deadline = \"1h\" }}\n\
         routes = {{ grpc = \"tcp:{to}\", http = \"tcp:{to}\" }}\n\
         [[rules]]\nwhen = \"grpc\"\nto = \"grpc\"\n[[rules]]\nwhen = \"http1\"\nto = \"http\"\n"
    )
}

fn haproxy_cfg(address: &str, to: &str) -> String {
    format!(
        "global\n maxconn 8000\n\
         defaults\n mode tcp\n timeout connect 5s\n timeout client 1h\n timeout server 1h\n\
         frontend port\n bind {address}\n tcp-request inspect-delay 1h\n \
         tcp-request content accept if HTTP\n tcp-request content accept if {{ req.len gt 2000 }}\n \
         use_backend http if HTTP\n default_backend grpc\n\
         backend http\n server http {to}\n\
         backend grpc\n server grpc {to}\n"
    )
}
