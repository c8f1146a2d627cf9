//! From lines to a [`Script`]. One function reads one kind of block; what is inside a client is in `behaviour`.

mod behaviour;
mod hello;
mod item;
mod value;

use crate::clients::ClientSpec;
use crate::net::{Cuts, Fault, Path, Unread};
use crate::outcome::WaitingFor;
use crate::wire::hpack::Policy;

use super::error::Complaint;
use super::lexer::lines;
use super::{
    Behaviour, Client, Expectation, ExpectedOutcome, FieldLine, FieldList, Line, Script, ScriptError,
    Transport, Who,
};

pub(crate) use behaviour::{BehaviourParser, parse_reaction};
pub(crate) use value::offsets as parse_offsets;
pub(super) use value::policy_words;

const BLOCKS: [&str; 6] = ["client", "server", "network", "expect", "afterwards", "fields"];

impl Script {
    /// Reads a script. `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// The first thing that can't be read, with its place and the nearest thing that can.
    pub fn parse(file: &str, source: &str) -> Result<Self, ScriptError> {
        let mut script = Self::default();
        let mut others = Vec::new();
        // Steps refer to lists above them and below.
        for mut block in blocks(file, source)? {
            if block.keyword == "fields" {
                let list = parse_field_list(&mut block.line, block.body, &script.field_lists)?;
                script.field_lists.push(list);
            } else {
                others.push(block);
            }
        }
        for Block { keyword, mut line, body } in others {
            match keyword.as_str() {
                "client" => {
                    let client = client(&mut line, body, &script.field_lists)?;
                    script.clients.push(client);
                }
                "server" if script.server.is_some() => {
                    let complaint = Complaint::new("a script has one server, and this is another");
                    return Err(line.complain(complaint));
                }
                "server" => {
                    script.server = Some(line.parsed("a server's name")?);
                    line.finish()?;
                    nothing_inside(&body)?;
                }
                "network" => {
                    line.finish()?;
                    for mut inner in body {
                        network(&mut script, &mut inner)?;
                    }
                }
                "expect" => {
                    script.expectations.push(expectation(&mut line)?);
                    nothing_inside(&body)?;
                }
                "afterwards" => {
                    script.afterwards.push(line.parsed("a client")?);
                    line.finish()?;
                    nothing_inside(&body)?;
                }
                other => {
                    return Err(line.complain_last(Complaint::unknown("block", other, &BLOCKS)));
                }
            }
        }
        Ok(script)
    }
}

/// A line that is not indented, with the indented lines below it.
pub(crate) struct Block<'a> {
    pub(crate) keyword: String,
    pub(crate) line: Line<'a>,
    pub(crate) body: Vec<Line<'a>>,
}

/// The blocks of a file.
pub(crate) fn blocks<'a>(file: &'a str, source: &'a str) -> Result<Vec<Block<'a>>, ScriptError> {
    let mut lines = lines(file, source)?.into_iter().peekable();
    let mut blocks = Vec::new();
    while let Some(mut line) = lines.next() {
        if line.indented {
            return Err(line.complain(Complaint::new("nothing above this line can hold it")));
        }
        let keyword = line.expect_word("a word that begins a block")?;
        let body = std::iter::from_fn(|| lines.next_if(|next| next.indented)).collect();
        blocks.push(Block { keyword, line, body });
    }
    Ok(blocks)
}

/// Reads the rest of a line `fields NAME POLICY..` and its indented lines; `above` are the lists before it.
pub(crate) fn parse_field_list(
    line: &mut Line<'_>,
    body: Vec<Line<'_>>,
    above: &[FieldList],
) -> Result<FieldList, ScriptError> {
    let name = value::word_or_text(line, "the name of the list")?;
    if above.iter().any(|list| list.name == name) {
        let complaint = Complaint::new(format!("there is a block `fields {name}` further up"));
        return Err(line.complain_last(complaint.help("steps could refer to one of the two only")));
    }
    let policy = value::policy(line, Policy::GO)?;
    line.finish()?;
    let mut fields = Vec::new();
    for mut inner in body {
        let name = value::word_or_text(&mut inner, "a field's name")?;
        let value = value::word_or_text(&mut inner, "the field's value")?;
        let policy = value::policy(&mut inner, policy)?;
        inner.finish()?;
        fields.push(FieldLine { name, value, policy });
    }
    Ok(FieldList { name, lines: fields })
}

fn client(line: &mut Line<'_>, body: Vec<Line<'_>>, lists: &[FieldList]) -> Result<Client, ScriptError> {
    let label = if line.at_text() { Some(line.quoted("a name")?) } else { None };
    if line.peek().is_some() {
        let spec: ClientSpec = line.parsed("a client")?;
        let over = if line.take("over") { Some(transport(line)?) } else { None };
        line.finish()?;
        nothing_inside(&body)?;
        let name = label.unwrap_or_else(|| spec.to_string());
        return Ok(Client { name, who: Who::Catalogued { spec, over } });
    }
    let Some(name) = label else {
        return Err(
            line.complain(Complaint::new("a name in quotes, or a client of the catalogue, is missing here"))
        );
    };
    let mut parser = BehaviourParser::new(Behaviour::default(), lists);
    for mut inner in body {
        let keyword = inner.expect_word("a step")?;
        if !parser.line(&keyword, &mut inner)? {
            return Err(inner.complain_last(Complaint::unknown(
                "step",
                &keyword,
                &BehaviourParser::KEYWORDS,
            )));
        }
    }
    Ok(Client { name, who: Who::Scripted(Box::new(parser.finish())) })
}

fn transport(line: &mut Line<'_>) -> Result<Transport, ScriptError> {
    let word = line.expect_word("what it connects over")?;
    Transport::ALL.into_iter().find(|over| over.word() == word).ok_or_else(|| {
        line.complain_last(Complaint::unknown("transport", &word, &Transport::ALL.map(Transport::word)))
    })
}

fn network(script: &mut Script, line: &mut Line<'_>) -> Result<(), ScriptError> {
    let to_server = line.take("to-server");
    let to_client = !to_server && line.take("to-client");
    let network = &mut script.network;
    if !to_server && !to_client && line.take("unread") {
        network.unread = unread(line)?;
        return line.finish();
    }
    let mut read = Path::default();
    let keyword = line.expect_word("what the network does")?;
    let change: fn(&mut Path, &Path) = match keyword.as_str() {
        "latency" => {
            read.latency = value::duration(line)?;
            |path, read| path.latency = read.latency
        }
        "cut" => {
            read.cuts = cuts(line)?;
            |path, read| path.cuts = read.cuts.clone()
        }
        "window" => {
            read.window = line.parsed("a number of bytes, at least 1")?;
            |path, read| path.window = read.window
        }
        "stalled" => {
            line.keyword("until")?;
            read.stalled_until = value::duration(line)?;
            |path, read| path.stalled_until = read.stalled_until
        }
        "black-hole" | "reset" | "end" => {
            line.keyword("after")?;
            let after = line.parsed("a number of bytes")?;
            read.fault = Some(match keyword.as_str() {
                "black-hole" => Fault::BlackHole { after },
                "reset" => Fault::Reset { after },
                _ => Fault::End { after },
            });
            |path, read| path.fault = read.fault
        }
        other => {
            let known = ["latency", "cut", "window", "stalled", "black-hole", "reset", "end", "unread"];
            return Err(line.complain_last(Complaint::unknown("network line", other, &known)));
        }
    };
    if !to_client {
        change(&mut network.to_server, &read);
    }
    if !to_server {
        change(&mut network.to_client, &read);
    }
    line.finish()
}

fn unread(line: &mut Line<'_>) -> Result<Unread, ScriptError> {
    let word = line.expect_word("what becomes of unread bytes when a reset comes")?;
    match word.as_str() {
        "kept" => Ok(Unread::Kept),
        "lost" => Ok(Unread::Lost),
        other => Err(line.complain_last(Complaint::unknown("fate", other, &["kept", "lost"]))),
    }
}

fn cuts(line: &mut Line<'_>) -> Result<Cuts, ScriptError> {
    if line.take("every-byte") {
        Ok(Cuts::EveryByte)
    } else if line.take("as-written") {
        Ok(Cuts::AsWritten)
    } else if line.take("segment") {
        Ok(Cuts::Segment(line.parsed("a number of bytes, at least 1")?))
    } else {
        Ok(Cuts::At(value::offsets(line)?))
    }
}

fn expectation(line: &mut Line<'_>) -> Result<Expectation, ScriptError> {
    let client = if line.at_text() { Some(line.quoted("a client's name")?) } else { None };
    let keyword = line.expect_word("an outcome")?;
    let outcome = match keyword.as_str() {
        "served" => {
            let route = if line.take("by") { Some(value::word_or_text(line, "a route")?) } else { None };
            ExpectedOutcome::Served(route)
        }
        "refused" => ExpectedOutcome::Refused,
        "misrouted" => ExpectedOutcome::Misrouted,
        "unsupported" => ExpectedOutcome::Unsupported,
        "stalled" => {
            let waiting_for = if line.take("client") {
                line.keyword("waiting")?;
                line.keyword("for")?;
                Some(waiting_for(line)?)
            } else {
                None
            };
            ExpectedOutcome::Stalled(waiting_for)
        }
        other => {
            let known = ["served", "refused", "stalled", "misrouted", "unsupported"];
            return Err(line.complain_last(Complaint::unknown("outcome", other, &known)));
        }
    };
    let at = if line.take("at") { Some(value::duration(line)?) } else { None };
    line.finish()?;
    Ok(Expectation { client, outcome, at })
}

fn waiting_for(line: &mut Line<'_>) -> Result<WaitingFor, ScriptError> {
    let mut phrase = line.expect_word("what the client waits for")?;
    if matches!((phrase.as_str(), line.peek()), ("settings", Some("ack")) | ("tls", Some("handshake"))) {
        phrase = format!("{phrase} {}", line.expect_word("the second word")?);
    }
    WaitingFor::ALL.into_iter().find(|waiting_for| waiting_for.word() == phrase).ok_or_else(|| {
        let known = WaitingFor::ALL.map(WaitingFor::word);
        line.complain_last(Complaint::unknown("condition", &phrase, &known))
    })
}

fn nothing_inside(body: &[Line<'_>]) -> Result<(), ScriptError> {
    match body.first() {
        Some(inner) => Err(inner.complain(Complaint::new("nothing above this line can hold it"))),
        None => Ok(()),
    }
}
