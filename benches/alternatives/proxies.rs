//! `muxbed serve` beside what else one could put between clients and servers: one workload for all, and its share of what
//! passes without anything in between.
//!
//! The client is one thread and the back end another, so that on two cores a program in between takes from both what it
//! needs. Left out is TLS, and proxies that look at each request: they do other work.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use super::measure::{Subject, Unit};
use super::programs::{Kind, Program, pause};

/// How connections begin, for the classifiers in between. What follows is the workload's own.
const OPENING: &[u8] = b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n";

/// What the back end makes of one kind of connection; the first byte behind the opening says which.
const SHORT: u8 = b's';
const REQUESTS: u8 = b'r';
const BYTES: u8 = b'b';

/// How many connections are open at once.
const AT_ONCE: usize = 16;

/// Those that pass many bytes.
const FEW: usize = 4;

const MESSAGE: usize = 64;
const MANY: usize = 1024 * 1024;
const PIECE: usize = 64 * 1024;

/// How many connections say nothing.
const SILENT: usize = 5_000;

type Names = [&'static str; 5];
type Workload = fn(Rc<Place>, Unit, &str) -> Subject;

const SHORT_NAMES: Names = [
    "short connections",
    "short connections through serve",
    "short connections through HAProxy",
    "short connections through cmux",
    "short connections through sslh",
];
const REQUESTS_NAMES: Names = [
    "small requests",
    "small requests through serve",
    "small requests through HAProxy",
    "small requests through cmux",
    "small requests through sslh",
];
const BYTES_NAMES: Names = [
    "1 MiB each way",
    "bytes through serve",
    "bytes through HAProxy",
    "bytes through cmux",
    "bytes through sslh",
];
const MEMORY_NAMES: [&str; 5] = [
    "memory of a silent connection, serve",
    "memory of a silent connection, HAProxy",
    "memory of a silent connection, cmux",
    "memory of a silent connection, sslh",
    "memory of a silent connection, a task that reads",
];

/// Those that somebody asks for, and what they are compared with.
#[expect(clippy::print_stderr, reason = "what is not there to be measured is said")]
pub(crate) fn subjects(is_asked_for: impl Fn(&str) -> bool) -> Vec<Subject> {
    let workloads = [SHORT_NAMES, REQUESTS_NAMES, BYTES_NAMES];
    if !workloads.as_flattened().iter().chain(&MEMORY_NAMES).any(|name| is_asked_for(name)) {
        return Vec::new();
    }
    let back_end = back_end();
    let mut places = vec![(0, Rc::new(Place { address: back_end, _program: None }))];
    let mut subjects = Vec::new();
    subjects.extend(memory(Kind::Task, 4, back_end));
    for (index, kind) in Kind::ALL.into_iter().enumerate() {
        match Program::start(kind, back_end) {
            Ok(program) => {
                subjects.extend(memory(kind, index, back_end));
                let address = program.address;
                places.push((index + 1, Rc::new(Place { address, _program: Some(program) })));
            }
            Err(why) => eprintln!("skipped: {}: {why}", kind.name()),
        }
    }
    let works: [(Names, Workload, Unit); 3] = [
        (SHORT_NAMES, short, Unit::Often),
        (REQUESTS_NAMES, requests, Unit::Often),
        (BYTES_NAMES, bytes, Unit::Megabytes(2 * MANY)),
    ];
    for (names, work, unit) in works {
        for (index, place) in &places {
            let mut subject = work(Rc::clone(place), unit, names[*index]);
            if *index > 0 {
                subject = subject.beside(names[0], None);
            }
            if *index == 1 {
                subject = subject.beside(names[2], Some(1.2));
            }
            subjects.push(subject);
        }
    }
    subjects
}

/// Where clients connect to, and what listens there.
struct Place {
    address: SocketAddr,
    _program: Option<Program>,
}

/// Connections of one request: there, an answer, and closed by the server.
fn short(place: Rc<Place>, unit: Unit, name: &str) -> Subject {
    let runtime = runtime();
    Subject::new(name, unit, move |times| {
        let left = Arc::new(AtomicUsize::new(times));
        all(
            &runtime,
            (0..AT_ONCE).map(|_| {
                let (left, address) = (Arc::clone(&left), place.address);
                async move {
                    let mut answer = [0; MESSAGE];
                    while left
                        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                        .is_ok()
                    {
                        let mut stream = open(address, SHORT).await;
                        stream.read_exact(&mut answer).await.expect("it answers");
                        assert_eq!(stream.read(&mut answer).await.expect("it ends"), 0);
                    }
                }
            }),
        );
    })
}

/// Small messages there and back on connections that stay.
fn requests(place: Rc<Place>, unit: Unit, name: &str) -> Subject {
    let runtime = runtime();
    let mut streams = Some(opened(&runtime, place.address, AT_ONCE, REQUESTS));
    Subject::new(name, unit, move |times| {
        let _open = &place;
        let left = Arc::new(AtomicUsize::new(times));
        let work = streams.take().into_iter().flatten().map(|mut stream| {
            let left = Arc::clone(&left);
            async move {
                let mut message = [0; MESSAGE];
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    stream.write_all(&message).await.expect("it is open");
                    stream.read_exact(&mut message).await.expect("it answers");
                }
                stream
            }
        });
        streams = Some(all(&runtime, work));
    })
}

/// Many bytes there and as many back.
fn bytes(place: Rc<Place>, unit: Unit, name: &str) -> Subject {
    let runtime = runtime();
    let mut streams = Some(opened(&runtime, place.address, FEW, BYTES));
    Subject::new(name, unit, move |times| {
        let _open = &place;
        let left = Arc::new(AtomicUsize::new(times));
        let work = streams.take().into_iter().flatten().map(|mut stream| {
            let left = Arc::clone(&left);
            async move {
                let mut piece = vec![7; PIECE];
                while left
                    .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
                    .is_ok()
                {
                    for _ in 0..MANY / PIECE {
                        stream.write_all(&piece).await.expect("it is open");
                    }
                    for _ in 0..MANY / PIECE {
                        stream.read_exact(&mut piece).await.expect("it answers");
                    }
                }
                stream
            }
        });
        streams = Some(all(&runtime, work));
    })
}

/// What a program of its own has in memory for connections that say nothing.
#[expect(clippy::print_stderr, reason = "what can't be measured is said")]
fn memory(kind: Kind, index: usize, back_end: SocketAddr) -> Option<Subject> {
    let each = || {
        if !kind.is_one_process() {
            return Err("it makes a process for each connection".to_owned());
        }
        let program = Program::start(kind, back_end)?;
        let before = program.resident();
        let connect = |_| std::net::TcpStream::connect(program.address);
        let silent: Result<Vec<_>, _> = (0..SILENT).map(connect).collect();
        let silent = silent.map_err(|error| error.to_string())?;
        for _ in 0..1000 {
            if program.descriptors() >= SILENT {
                pause();
                let grown = program.resident() - before;
                drop(silent);
                return Ok(grown as f64 / SILENT as f64);
            }
            pause();
        }
        Err(format!("it does not accept {SILENT} connections"))
    };
    match each() {
        Ok(each) => {
            let subject = Subject::known(MEMORY_NAMES[index], Unit::Bytes, each);
            Some(match kind {
                Kind::Serve => {
                    subject.aim(1024.0).beside(MEMORY_NAMES[1], None).beside(MEMORY_NAMES[4], None)
                }
                _ => subject,
            })
        }
        Err(why) => {
            eprintln!("skipped: {}: {why}", MEMORY_NAMES[index]);
            None
        }
    }
}

/// A program that accepts connections and waits for what each says first, with tokio and nothing else: the memory that they take
/// anyway.
#[expect(clippy::print_stdout, reason = "whoever has started it reads where it listens")]
pub(crate) fn wait_for_what_is_said() {
    let runtime = Builder::new_multi_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
        println!("listening on {}", listener.local_addr().expect("it is bound"));
        loop {
            let (mut stream, _) = listener.accept().await.expect("there is one");
            tokio::spawn(async move { stream.read_u8().await });
        }
    });
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// Does all of it at once.
fn all<T: Send + 'static>(
    runtime: &Runtime,
    work: impl Iterator<Item = impl Future<Output = T> + Send + 'static>,
) -> Vec<T> {
    runtime.block_on(async { work.collect::<JoinSet<T>>().join_all().await })
}

async fn open(address: SocketAddr, workload: u8) -> TcpStream {
    let mut stream = TcpStream::connect(address).await.expect("it listens");
    stream.set_nodelay(true).expect("it is TCP");
    stream.write_all(&[OPENING, &[workload]].concat()).await.expect("there is room");
    stream
}

fn opened(runtime: &Runtime, address: SocketAddr, count: usize, workload: u8) -> Vec<TcpStream> {
    all(runtime, (0..count).map(|_| open(address, workload)))
}

/// A server in a thread of its own, for as long as this runs.
#[expect(clippy::disallowed_methods, reason = "a back end has a core of its own, if there is one")]
fn back_end() -> SocketAddr {
    let (says, address) = mpsc::channel();
    std::thread::spawn(move || {
        runtime().block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("there are ports");
            says.send(listener.local_addr().expect("it is bound")).expect("somebody waits for it");
            loop {
                let (stream, _) = listener.accept().await.expect("there is one");
                tokio::spawn(answer(stream));
            }
        });
    });
    address.recv().expect("it says so")
}

/// Answers until the client is gone, or what is in between.
async fn answer(mut stream: TcpStream) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let mut opening = [0; OPENING.len() + 1];
    stream.read_exact(&mut opening).await.ok()?;
    let mut message = [0; MESSAGE];
    match opening[OPENING.len()] {
        SHORT => stream.write_all(&message).await.ok(),
        REQUESTS => loop {
            stream.read_exact(&mut message).await.ok()?;
            stream.write_all(&message).await.ok()?;
        },
        _ => {
            let mut piece = vec![7; PIECE];
            loop {
                for _ in 0..MANY / PIECE {
                    stream.read_exact(&mut piece).await.ok()?;
                }
                for _ in 0..MANY / PIECE {
                    stream.write_all(&piece).await.ok()?;
                }
            }
        }
    }
}
