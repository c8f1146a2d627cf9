//! `tls alpn=h2,http/1.1 sni=NAME versions=1.3,1.2 certificates=rsa authority=NAME:{port}`: what a client says first when it
//! speaks TLS. A value that is no word stands in quotes.

use crate::script::error::Complaint;
use crate::script::{Hello, Line, OneOrMore, ScriptError};

const KEYS: [&str; 5] = ["alpn", "sni", "versions", "certificates", "authority"];

pub(super) fn hello(line: &mut Line<'_>) -> Result<Hello, ScriptError> {
    let mut hello = Hello::default();
    while let Some(word) = line.word() {
        let Some((key, value)) = word.split_once('=') else {
            return Err(line.complain_last(Complaint::unknown("part of a hello", &word, &KEYS)));
        };
        let first = if value.is_empty() { line.quoted("a value in quotes")? } else { value.to_owned() };
        match key {
            "alpn" => {
                hello.alpn = vec![first];
                while line.comma() {
                    hello.alpn.push(super::value::word_or_text(line, "another protocol")?);
                }
            }
            "sni" => hello.sni = Some(first),
            "versions" => {
                let parse = |line: &Line<'_>, word: &str| {
                    let complaint =
                        |help| Complaint::new(format!("`{word}` is no version of TLS")).help(help);
                    word.parse().map_err(|help: &str| line.complain_last(complaint(help)))
                };
                let mut versions = OneOrMore::from(parse(line, &first)?);
                while line.comma() {
                    let word = line.expect_word("another version")?;
                    versions.push(parse(line, &word)?);
                }
                hello.versions = versions;
            }
            "certificates" if first == "rsa" => hello.rsa_alone = true,
            "certificates" => {
                return Err(line.complain_last(Complaint::unknown("kind of certificate", &first, &["rsa"])));
            }
            "authority" => hello.authority = Some(first),
            _ => return Err(line.complain_last(Complaint::unknown("part of a hello", key, &KEYS))),
        }
    }
    Ok(hello)
}
