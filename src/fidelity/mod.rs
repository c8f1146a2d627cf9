//! Does the bed predict what real clients really did? Each recorded run is predicted and compared: the calls with their
//! texts, their times, the connections and their GOAWAYs, and the first flight with its cuts. Texts count for families
//! whose users read the library's own words (see [`Role`](crate::clients::Role)).
//!
//! The recording is used for nothing but the comparison: the prediction comes out of running the client's profile against
//! the server, and knows of the recording only which client, which server, which port and how many calls.

mod mask;
mod observation;

use bytes::Bytes;

use crate::bed::{Ending, Run, bed};
use crate::capture::{self, Direction};
use crate::clients::{ClientSpec, Family, KnownClient, Work};
use crate::flight::Flight;
use crate::servers::{BackEnd, Front, Security, ServerName};

pub use mask::masked;
pub use observation::{
    NotRecorded, Observation, ObservedCall, ObservedConnection, ObservedGoAway, Recorded, Repeats,
};

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
    let (run, family) =
        match predict(observation.spec().map_err(|error| error.to_string()), &observation.server, |client| {
            let authority = format!("127.0.0.1:{}", observation.port);
            let work = Work { calls: observation.checks, ..Work::default() };
            (client, authority, work)
        }) {
            Ok(run) => run,
            Err((client, reason)) => return Comparison::skipped(client, &observation.server, reason),
        };
    let captured = match first_flight(capture) {
        Ok(flight) => flight,
        Err(reason) => return Comparison::skipped(run.client, &observation.server, reason),
    };
    let differences = run.endings().map(|ending| differences(observation, &captured, ending, family));
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
    let (run, family) = match predict(spec, &repeats.server, |client| {
        (client, "127.0.0.1:50051".to_owned(), Work::default())
    }) {
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
) -> Result<(Run, &'static Family), (String, String)> {
    let spec = spec.map_err(|error| (String::new(), error))?;
    let fail = |reason: String| (spec.to_string(), reason);
    let name: ServerName = server.parse().map_err(|error| fail(format!("{error}")))?;
    let client = KnownClient::find(&spec).map_err(|error| fail(error.to_string()))?;
    if name.security != Security::Cleartext {
        return Err(fail("TLS can't be predicted yet".to_owned()));
    }
    if matches!(name.back_end, BackEnd::Nghttp2 | BackEnd::CCore) {
        return Err(fail(format!("the back end {} can't be predicted yet", name.back_end.word())));
    }
    let family = client.family;
    let (client, authority, work) = setting(client);
    Ok((bed().known_client(client).named_server(name).authority(&authority).work(work).run(), family))
}

fn first_flight(capture: &[u8]) -> Result<Flight, String> {
    let capture = capture::read(capture).map_err(|error| format!("its capture can't be read: {error}"))?;
    let Some(flow) = capture.flows.first() else { return Err("its capture holds no connection".to_owned()) };
    Ok(Flight::of(flow.data(Direction::ToServer).map(|(_, bytes)| bytes)))
}

fn differences(
    observation: &Observation,
    captured: &Flight,
    ending: &Ending,
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
    let predicted = Flight::of(ending.flight.iter().map(Bytes::as_ref));
    let difference = if family.shuffles_fields {
        Flight::difference(&captured.clone().sorted(), &predicted.sorted())
    } else {
        Flight::difference(captured, &predicted)
    };
    differs.extend(difference.map(|text| format!("first flight: {text}")));
    differs
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
