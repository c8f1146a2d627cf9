//! Does the bed predict what real clients really did? Each recorded run is predicted and compared: the calls with their
//! texts, their times, the connections and their GOAWAYs, and the first flight with its cuts. Texts count for families
//! whose users read the library's own words (see [`Role`]).
//!
//! The recording is used for nothing but the comparison: the prediction comes out of running the client's profile against
//! the server, and knows of the recording only which client, which server, which port and how many calls.

mod mask;
mod observation;
mod search;

use bytes::Bytes;

use crate::bed::{Ending, Run, Scenario, bed};
use crate::capture::{self, Direction, KeyLog, TlsConversation};
use crate::clients::{ClientSpec, Family, KnownClient, Role, Work};
use crate::flight::{Flight, Offer, Opening};
use crate::script::Hello;
use crate::servers::{Front, ServerName};

pub use mask::masked;
pub use observation::{
    NotRecorded, Observation, ObservedCall, ObservedConnection, ObservedGoAway, Recorded, Repeats,
};
pub use search::{Searched, search};

/// How a prediction compares with what was observed.
#[derive(Clone, Debug)]
pub struct Comparison {
    /// The client, in full.
    pub client: String,
    /// The server.
    pub server: String,
    /// What was predicted; nothing if that was not possible.
    pub predicted: Option<Run>,
    /// Why it was not possible.
    pub skipped: Option<String>,
    /// What differs; for a racy scenario from the nearest of the predicted endings.
    pub differs: Vec<String>,
}

impl Comparison {
    /// Whether prediction and observation agree.
    pub fn agrees(&self) -> bool {
        self.skipped.is_none() && self.differs.is_empty()
    }

    fn skipped(client: String, server: &str, reason: String) -> Self {
        Self {
            client,
            server: server.to_owned(),
            predicted: None,
            skipped: Some(reason),
            differs: Vec::new(),
        }
    }
}

/// Predicts a recorded run and compares. `capture` is the content of its capture file.
pub fn compare(observation: &Observation, capture: &[u8]) -> Comparison {
    let Prediction { run, family, hello } =
        match predict(observation.spec().map_err(|error| error.to_string()), &observation.server, |client| {
            let authority = format!("127.0.0.1:{}", observation.port);
            let work = Work { calls: observation.checks, ..Work::default() };
            (client, authority, work)
        }) {
            Ok(run) => run,
            Err((client, reason)) => return Comparison::skipped(client, &observation.server, reason),
        };
    let captured = match opening(capture) {
        Ok(opening) => as_compared(opening, family),
        Err(reason) => return Comparison::skipped(run.client, &observation.server, reason),
    };
    let differences = run.endings().map(|ending| differences(observation, &captured, ending, hello, family));
    let differs = differences.min_by_key(Vec::len).unwrap_or_default();
    Comparison {
        client: run.client.clone(),
        server: observation.server.clone(),
        predicted: Some(run),
        skipped: None,
        differs,
    }
}

/// Predicts a repeated run and looks whether every result and every text that was seen is among the predicted.
pub fn compare_repeats(repeats: &Repeats) -> Comparison {
    let spec = repeats.spec().map_err(|error| error.to_string());
    let Prediction { run, family, .. } = match predict(spec, &repeats.server, as_repeated) {
        Ok(run) => run,
        Err((client, reason)) => return Comparison::skipped(client, &repeats.server, reason),
    };
    let results: Vec<String> = run.endings().map(result_of).collect();
    let texts: Vec<String> = run
        .endings()
        .flat_map(|ending| ending.calls.iter().filter_map(|call| call.error.as_deref().map(masked)))
        .collect();
    let unseen_results = repeats.results.keys().filter(|result| !results.contains(result));
    let unseen_texts = repeats.errors.keys().filter(|text| !texts.contains(&masked(text)));
    let unseen_texts = unseen_texts.filter(|_| family.role.speaks_for_itself());
    let differs = unseen_results
        .map(|result| format!("the result `{result}` was seen and is not predicted"))
        .chain(unseen_texts.map(|text| format!("the text `{text}` was seen and is not predicted")))
        .collect();
    Comparison {
        client: run.client.clone(),
        server: repeats.server.clone(),
        predicted: Some(run),
        skipped: None,
        differs,
    }
}

/// Repeats were all made alike.
fn as_repeated(client: KnownClient) -> (KnownClient, String, Work) {
    (client, "127.0.0.1:50051".to_owned(), Work::default())
}

/// `ok, error` and the like.
fn result_of(ending: &Ending) -> String {
    let words: Vec<&str> =
        ending.calls.iter().map(|call| if call.error.is_none() { "ok" } else { "error" }).collect();
    words.join(", ")
}

fn predict(
    spec: Result<ClientSpec, String>,
    server: &str,
    setting: impl FnOnce(KnownClient) -> (KnownClient, String, Work),
) -> Result<Prediction, (String, String)> {
    let Predictable { scenario, family, hello } = predictable(spec, server, setting)?;
    Ok(Prediction { run: scenario.run(), family, hello })
}

/// The scenario of a recorded run; else the client and why there is none.
fn predictable(
    spec: Result<ClientSpec, String>,
    server: &str,
    setting: impl FnOnce(KnownClient) -> (KnownClient, String, Work),
) -> Result<Predictable, (String, String)> {
    let spec = spec.map_err(|error| (String::new(), error))?;
    let fail = |reason: String| (spec.to_string(), reason);
    let name: ServerName = server.parse().map_err(|error| fail(format!("{error}")))?;
    let client = KnownClient::find(&spec).map_err(|error| fail(error.to_string()))?;
    let hello = client.hello().filter(|_| name.security.is_tls());
    if hello.is_none() && name.security.is_tls() {
        return Err(fail(format!("what {spec} says over TLS is not known")));
    }
    let family = client.family;
    let (client, authority, work) = setting(client);
    let scenario = bed().known_client(client).named_server(name).authority(&authority).work(work);
    Ok(Predictable { scenario, family, hello })
}

/// A recorded run as it can be predicted.
struct Predictable {
    scenario: Scenario,
    family: &'static Family,
    hello: Option<&'static Hello>,
}

struct Prediction {
    run: Run,
    family: &'static Family,
    /// What the client says first, if it speaks TLS.
    hello: Option<&'static Hello>,
}

fn opening(capture: &[u8]) -> Result<Opening, String> {
    let capture = capture::read(capture).map_err(|error| format!("its capture can't be read: {error}"))?;
    if let Some(error) = &capture.cut_off {
        return Err(format!("its capture can't be read to its end: {error}"));
    }
    let Some(flow) = capture.flows.first() else { return Err("its capture holds no connection".to_owned()) };
    if !TlsConversation::begins(flow) {
        let flight = Flight::of(flow.data(Direction::ToServer).map(|(_, bytes)| bytes));
        return Ok(Opening::in_the_clear(flight));
    }
    let conversation = TlsConversation::read(flow, &KeyLog::of(&capture));
    let stop = conversation.stop(Direction::ToServer);
    if let Some(stop) = stop.filter(|stop| !stop.reason.is_for_want_of_bytes()) {
        return Err(format!("its capture can't be decrypted: {stop}"));
    }
    Ok(Opening {
        offer: conversation.hello.as_ref().map(Offer::of),
        flight: Flight::of(conversation.data(Direction::ToServer).map(Bytes::as_ref)),
    })
}

fn differences(
    observation: &Observation,
    captured: &Opening,
    ending: &Ending,
    hello: Option<&Hello>,
    family: &Family,
) -> Vec<String> {
    let mut differs = Vec::new();
    let observed_results: Vec<bool> = observation.rpcs.iter().map(|call| call.error.is_none()).collect();
    let predicted_results: Vec<bool> = ending.calls.iter().map(|call| call.error.is_none()).collect();
    if observed_results != predicted_results {
        let words = |results: &[bool]| {
            results.iter().map(|ok| if *ok { "ok" } else { "error" }).collect::<Vec<_>>().join(", ")
        };
        differs.push(format!("calls: {}, predicted {}", words(&observed_results), words(&predicted_results)));
    }
    for (number, (observed, predicted)) in observation.rpcs.iter().zip(&ending.calls).enumerate() {
        let number = number + 1;
        if let (Some(observed), Some(predicted)) = (&observed.error, &predicted.error)
            && family.role.speaks_for_itself()
            && masked(observed) != masked(predicted)
        {
            differs.push(format!("text of call {number}: `{observed}`, predicted `{predicted}`"));
        }
        let slack = if runs_on_the_jvm(&observation.client) { 3.5 } else { 0.75 };
        let predicted_at = predicted.at.as_secs_f64();
        if (observed.at_s - predicted_at).abs() > 0.02 * observed.at_s + slack {
            differs.push(format!("time of call {number}: {} s, predicted {predicted_at} s", observed.at_s));
        }
    }
    let front = observation.server.parse::<ServerName>().map(|name| name.front);
    let only_first = matches!(front, Ok(Front::Eof | Front::Http1));
    let observed_goaways = that_matter(
        observation.connections.iter().map(|connection| (connection.requests, connection.goaway.server)),
        only_first,
    );
    let predicted_goaways = that_matter(
        ending.connections.iter().map(|connection| (connection.requests, connection.goaway)),
        only_first,
    );
    if observed_goaways != predicted_goaways {
        differs.push(format!(
            "GOAWAYs of the connections: {observed_goaways:?}, predicted {predicted_goaways:?}"
        ));
    }
    let flight = Flight::of(ending.flight.iter().map(Bytes::as_ref));
    let predicted = as_compared(Opening { offer: hello.map(Offer::stated), flight }, family);
    differs.extend(Opening::difference(captured, &predicted).map(|text| format!("first flight: {text}")));
    differs
}

/// An opening without what differs from one run to the next.
fn as_compared(Opening { offer, flight }: Opening, family: &Family) -> Opening {
    let flight = if family.role == Role::Proxy { flight.with_any_port() } else { flight };
    let flight = if family.shuffles_fields { flight.sorted() } else { flight };
    Opening { offer, flight }
}

/// The server's GOAWAYs on the first connection and on later ones that carried a request.
fn that_matter(connections: impl Iterator<Item = (u32, Option<u32>)>, only_first: bool) -> Vec<Option<u32>> {
    let matter = |(number, (requests, _)): &(usize, (u32, Option<u32>))| {
        *number == 0 || (*requests > 0 && !only_first)
    };
    connections.enumerate().filter(matter).map(|(_, (_, goaway))| goaway).collect()
}

/// Whose times include the loading of classes.
fn runs_on_the_jvm(client: &str) -> bool {
    matches!(client, "grpc-java" | "okhttp" | "java-net-http")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn opening_of(capture: &str) -> Opening {
        let path = format!("{}/captures/{capture}", env!("CARGO_MANIFEST_DIR"));
        opening(&fs::read(path).expect("the capture")).expect("it can be read")
    }

    #[test]
    fn over_tls_the_first_flight_is_the_same_as_in_the_clear_cut_where_records_end() {
        for version in ["1.17.0", "1.33.3"] {
            let clear = opening_of(&format!("grpc-go-{version}__cmux-header.pcap"));
            let tls = opening_of(&format!("grpc-go-{version}__tls-cmux-header.pcapng"));
            assert!(tls.offer.is_some() && clear.offer.is_none());
            let differs = Flight::difference(&tls.flight, &clear.flight);
            // The scheme of a request tells the two apart.
            assert!(differs.as_ref().is_none_or(|text| text.contains(":scheme")), "{differs:?}");
        }
    }

    #[test]
    fn every_recorded_opening_over_tls_can_be_compared() {
        let files = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/captures")).expect("the recordings");
        let mut openings = 0;
        for file in files.map(|file| file.expect("a file").file_name()) {
            let name = file.to_string_lossy().into_owned();
            if !name.ends_with(".pcapng") {
                continue;
            }
            let opening = opening_of(&name);
            assert!(opening.offer.is_some(), "{name}");
            assert_eq!(Opening::difference(&opening, &opening), None, "{name}");
            let in_http = matches!(opening.flight, Flight::Http2(_) | Flight::Http1(_));
            assert!(in_http || opening.flight == Flight::Nothing, "{name}: {:?}", opening.flight);
            openings += 1;
        }
        assert_eq!(openings, 207);
    }
}
