//! `[[rules]]`: what a connection has to be, and where it then goes.

use bytes::Bytes;

use super::source::{Value, Wrong};
use crate::hexadecimal::from_hexadecimal;
use crate::mux;
use crate::mux::Rule;
use crate::script::Complaint;
use crate::wire::tls::ProtocolVersion;

/// The kinds that are a word by themselves.
const WORDS: [&str; 8] = ["any", "grpc", "http1", "http2", "h2c-upgrade", "websocket", "tls", "http1-head"];

/// The kinds that say of what, and the two ways in which a value is compared.
const KEYS: [&str; 10] = [
    "prefix",
    "prefix-hex",
    "http1-method",
    "http1-header",
    "http2-header",
    "sni",
    "alpn",
    "tls-version",
    "equals",
    "starts-with",
];

const VERSIONS: [(&str, ProtocolVersion); 4] = [
    ("1.0", ProtocolVersion::Tls10),
    ("1.1", ProtocolVersion::Tls11),
    ("1.2", ProtocolVersion::Tls12),
    ("1.3", ProtocolVersion::Tls13),
];

/// What stands behind `when`.
pub(super) fn rule(when: &Value<'_>) -> Result<Rule, Wrong> {
    if let Some(word) = when.as_text() {
        return word_rule(word).ok_or_else(|| Wrong {
            span: when.span.clone(),
            complaint: Complaint::unknown("kind of rule", word, &WORDS),
        });
    }
    let section = when.section("a kind of rule, or a table that describes one,", &KEYS)?;
    let kinds: Vec<&str> = KEYS[..8].iter().copied().filter(|kind| section.get(kind).is_some()).collect();
    let &[kind] = kinds.as_slice() else {
        let message = if kinds.is_empty() {
            "it does not say what is looked at".to_owned()
        } else {
            format!("a rule looks at one thing, and here are {}", kinds.join(" and "))
        };
        return Err(when.wrong(message).help(format!("one of {}", KEYS[..8].join(", "))));
    };
    let of = section.expect(kind)?;
    let comparison = match (section.get("equals"), section.get("starts-with")) {
        (None, None) => None,
        (Some(value), None) => Some(mux::Value::Equals(value.text("a text")?.to_owned())),
        (None, Some(value)) => Some(mux::Value::StartsWith(value.text("a text")?.to_owned())),
        (Some(_), Some(value)) => {
            return Err(value.wrong("a value equals something or starts with something, not both"));
        }
    };
    let compared = |comparison: Option<mux::Value>| {
        comparison.ok_or_else(|| when.wrong(format!("`{kind}` needs `equals` or `starts-with`")))
    };
    let rule = match kind {
        "http1-header" | "http2-header" => {
            let name = of.text("a field's name")?.to_owned();
            check_name(&of, &name)?;
            let value = compared(comparison)?;
            return Ok(if kind == "http1-header" {
                Rule::Http1Header { name, value }
            } else {
                Rule::Http2Header { name, value }
            });
        }
        // What a hello offers has no name besides: the value stands there itself, or in a table.
        "sni" | "alpn" => {
            let value = match of.as_text() {
                Some(text) => mux::Value::Equals(text.to_owned()),
                None => {
                    let keys = of.section("a name, or a table", &["equals", "starts-with"])?;
                    match (keys.get("equals"), keys.get("starts-with")) {
                        (Some(value), None) => mux::Value::Equals(value.text("a text")?.to_owned()),
                        (None, Some(value)) => mux::Value::StartsWith(value.text("a text")?.to_owned()),
                        _ => return Err(of.wrong(format!("`{kind}` needs `equals` or `starts-with`"))),
                    }
                }
            };
            if kind == "sni" { Rule::ServerName(value) } else { Rule::Alpn(value) }
        }
        "prefix" => {
            let bytes = of.texts("a text, or several,")?;
            Rule::AnyBytes(bytes.into_iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect())
        }
        "prefix-hex" => {
            let texts = of.texts("bytes in hexadecimal")?;
            let bytes = texts.into_iter().map(|text| {
                let digits: String = text.split_ascii_whitespace().collect();
                from_hexadecimal(&digits)
                    .map(Bytes::from)
                    .map_err(|error| of.wrong(format!("`{text}` is not bytes in hexadecimal: {error}")))
            });
            Rule::AnyBytes(bytes.collect::<Result<_, _>>()?)
        }
        "http1-method" => {
            let methods = of.texts("a method, or several,")?;
            Rule::Http1Method(methods.into_iter().map(str::to_owned).collect())
        }
        _ => {
            let versions = match of.as_text() {
                Some(_) => vec![of.word("version of TLS", &VERSIONS)?],
                None => {
                    let list = of.list("a version of TLS, or several,")?;
                    let versions = list.iter().map(|one| one.word("version of TLS", &VERSIONS));
                    versions.collect::<Result<_, _>>()?
                }
            };
            Rule::TlsVersion(versions)
        }
    };
    match section.get("equals").or_else(|| section.get("starts-with")) {
        Some(surplus) => Err(surplus.wrong(format!("`{kind}` is not compared with anything else"))),
        None => Ok(rule),
    }
}

fn word_rule(word: &str) -> Option<Rule> {
    Some(match word {
        "any" => Rule::Any,
        "grpc" => Rule::Grpc,
        "http1" => Rule::Http1,
        "http1-head" => Rule::Http1Head,
        "http2" => Rule::Http2,
        "h2c-upgrade" => Rule::H2cUpgrade,
        "websocket" => Rule::WebSocket,
        "tls" => Rule::Tls,
        _ => return None,
    })
}

/// A name that no field can have would never match.
fn check_name(value: &Value<'_>, name: &str) -> Result<(), Wrong> {
    let token = name.strip_prefix(':').unwrap_or(name);
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if token.is_empty() || !token.bytes().all(is_token) {
        return Err(value.wrong(format!("no field has the name `{name}`")));
    }
    Ok(())
}
