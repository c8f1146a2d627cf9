//! `early-settings = "ask"`: the SETTINGS of the back ends, asked of themselves.
//!
//! A client that waits for SETTINGS gets some before its back end is known. If they are the back end's own, it never notices
//! that there is somebody in between (see [`EarlySettings`]). So each back end that a rule chooses by an HTTP/2 request is
//! asked, before the first connection is accepted and once a minute from then on: preface and SETTINGS, its own SETTINGS,
//! GOAWAY. What all of them say is said early; where they differ, the least number of streams and nothing else. If one
//! can't be asked, what suits any back end is said.
//!
//! Left out: what a back end says only to some of its clients. It would then follow, as for one that is not known.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::config::{BackEnd, Config, Target};
use crate::mux::{EarlySettings, Rule};
use crate::wire::proxy::Header;
use crate::wire::{ErrorCode, Frame, FrameReader, PREFACE, Setting, SettingId, StreamId};

/// How long what was asked is believed, and how soon a back end that did not answer is asked again.
const AGAIN: Duration = Duration::from_secs(60);
const UNANSWERED: Duration = Duration::from_secs(2);

/// No server's SETTINGS are longer; RFC 9113's least frame size (section 4.2) would do too.
const MOST: u32 = 16 * 1024;

/// What can be said of the back ends that rules choose by a request; `None` if one does not answer.
pub(super) async fn ask(config: &Config) -> Option<EarlySettings> {
    let by_request =
        config.rules.iter().filter(|(rule, _)| matches!(rule, Rule::Grpc | Rule::Http2Header { .. }));
    let mut targets: Vec<Target> = Vec::new();
    for target in by_request.filter_map(|(_, route)| config.routes.get(route.name())) {
        if !targets.contains(target) {
            targets.push(target.clone());
        }
    }
    let asked: Vec<_> = targets.into_iter().map(|target| tokio::spawn(own(target))).collect();
    let mut answers = Vec::new();
    for answer in asked {
        answers.push(answer.await.ok().flatten());
    }
    Some(common(&answers.into_iter().collect::<Option<Vec<_>>>()?))
}

/// Goes on asking, and tells of what has changed.
pub(super) async fn keep_asking(
    config: Config,
    mut known: Option<EarlySettings>,
    tell: impl Fn(EarlySettings),
) {
    loop {
        sleep(if known.is_some() { AGAIN } else { UNANSWERED }).await;
        let answer = ask(&config).await;
        if answer != known {
            debug!(?answer, "the back ends' SETTINGS are other ones now");
            tell(answer.clone().unwrap_or_default());
            known = answer;
        }
    }
}

/// What can be said before it is known which of them it will be.
fn common(all: &[Vec<Setting>]) -> EarlySettings {
    let Some((first, rest)) = all.split_first() else { return EarlySettings::default() };
    if rest.iter().all(|other| other == first) {
        return EarlySettings::of_back_end(first);
    }
    let is_streams = |setting: &&Setting| setting.id == SettingId::MaxConcurrentStreams;
    let fewest = all.iter().flatten().filter(is_streams).min_by_key(|setting| setting.value);
    let shared = first
        .iter()
        .filter(|setting| !is_streams(setting) && rest.iter().all(|other| other.contains(setting)));
    EarlySettings::of_back_end(&fewest.into_iter().chain(shared).copied().collect::<Vec<_>>())
}

/// The SETTINGS that a back end sends, if it sends any in time.
async fn own(target: Target) -> Option<Vec<Setting>> {
    let header = target.proxy_header.map(|version| Header::new(None).encode(version));
    let asked = async {
        match &target.to {
            BackEnd::Tcp(address) => converse(TcpStream::connect(address).await?, header).await,
            BackEnd::Unix(path) => converse(UnixStream::connect(path).await?, header).await,
        }
    };
    let why = match timeout(target.connect, asked).await {
        Ok(Ok(settings)) => return Some(settings),
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("nothing within {:?}", target.connect),
    };
    warn!(back_end = %target.to, "its SETTINGS are not known: {why}");
    None
}

async fn converse(
    mut stream: impl AsyncRead + AsyncWrite + Unpin,
    header: Option<Bytes>,
) -> io::Result<Vec<Setting>> {
    let mut opening = header.map_or_else(Vec::new, Vec::from);
    opening.extend_from_slice(&PREFACE);
    say(&mut opening, &Frame::Settings(Vec::new()));
    stream.write_all(&opening).await?;
    let mut frames = FrameReader::new(MOST);
    loop {
        let frame = frames.next_frame().map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if let Some(frame) = frame {
            let Ok(Frame::Settings(settings)) = frame.parse() else {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "it does not begin with SETTINGS"));
            };
            let mut farewell = Vec::new();
            say(&mut farewell, &Frame::SettingsAck);
            let (last_stream, code, debug) = (StreamId::CONNECTION, ErrorCode::NoError, Bytes::new());
            say(&mut farewell, &Frame::GoAway { last_stream, code, debug });
            // It has answered; whether it hears this matters to its log only.
            drop(stream.write_all(&farewell).await);
            drop(stream.shutdown().await);
            return Ok(settings);
        }
        let mut read = Vec::with_capacity(1024);
        if stream.read_buf(&mut read).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        frames.push(&read);
    }
}

fn say(out: &mut Vec<u8>, frame: &Frame) {
    frame.encode(out).expect("these frames are short");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(stated: &[(SettingId, u32)]) -> Vec<Setting> {
        stated.iter().map(|&(id, value)| Setting { id, value }).collect()
    }

    #[test]
    fn what_all_back_ends_say_is_said_early_and_where_they_differ_the_fewest_streams() {
        use SettingId::{InitialWindowSize, MaxConcurrentStreams, MaxFrameSize, NoRfc7540Priorities};
        let one = settings(&[(MaxFrameSize, 1 << 20), (MaxConcurrentStreams, 250), (NoRfc7540Priorities, 1)]);
        assert_eq!(common(&[one.clone(), one.clone()]), EarlySettings::of_back_end(&one));
        let other = settings(&[(MaxConcurrentStreams, 128), (InitialWindowSize, 1), (MaxFrameSize, 1 << 20)]);
        let both = settings(&[(MaxConcurrentStreams, 128), (MaxFrameSize, 1 << 20)]);
        assert_eq!(common(&[one, other]), EarlySettings::of_back_end(&both));
        assert_eq!(common(&[]), EarlySettings::default());
    }
}
