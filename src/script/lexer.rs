//! Lines and words. A script is read line by line; a line is words, quoted texts and commas.

use std::fmt::Display;
use std::ops::Range;
use std::str::FromStr;

use super::error::{Complaint, ScriptError};

/// A line that holds something.
#[derive(Clone, Debug)]
pub(crate) struct Line<'a> {
    file: &'a str,
    source: &'a str,
    /// Whether it begins with white space, and so belongs to the block above it.
    pub(crate) indented: bool,
    tokens: Vec<Token>,
    position: usize,
}

#[derive(Clone, Debug)]
struct Token {
    kind: TokenKind,
    span: Range<usize>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum TokenKind {
    Word(String),
    Text(Vec<u8>),
    Comma,
}

/// The lines of a script that are neither empty nor only a comment.
pub(crate) fn lines<'a>(file: &'a str, source: &'a str) -> Result<Vec<Line<'a>>, ScriptError> {
    let mut found = Vec::new();
    let mut start = 0;
    for text in source.split_inclusive('\n') {
        let tokens = tokens(text, start)
            .map_err(|(span, complaint)| ScriptError::new(file, source, span, complaint))?;
        if !tokens.is_empty() {
            let indented = text.starts_with([' ', '\t']);
            found.push(Line { file, source, indented, tokens, position: 0 });
        }
        start += text.len();
    }
    Ok(found)
}

impl Line<'_> {
    /// The next word, if the next thing is one.
    pub(crate) fn word(&mut self) -> Option<String> {
        match &self.tokens.get(self.position)?.kind {
            TokenKind::Word(word) => {
                let word = word.clone();
                self.position += 1;
                Some(word)
            }
            TokenKind::Text(_) | TokenKind::Comma => None,
        }
    }

    /// The next word, which must be there; `what` says what it should be.
    pub(crate) fn expect_word(&mut self, what: &str) -> Result<String, ScriptError> {
        self.word().ok_or_else(|| self.missing(what))
    }

    /// Whether the next word is this one; it is then passed.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        let matches = self.peek() == Some(word);
        self.position += usize::from(matches);
        matches
    }

    /// The next word, not passed.
    pub(crate) fn peek(&self) -> Option<&str> {
        match &self.tokens.get(self.position)?.kind {
            TokenKind::Word(word) => Some(word),
            TokenKind::Text(_) | TokenKind::Comma => None,
        }
    }

    /// Whether a quoted text comes next.
    pub(crate) fn at_text(&self) -> bool {
        matches!(self.tokens.get(self.position), Some(Token { kind: TokenKind::Text(_), .. }))
    }

    /// The next quoted text as bytes.
    pub(crate) fn quoted_bytes(&mut self, what: &str) -> Result<Vec<u8>, ScriptError> {
        match self.tokens.get(self.position).map(|token| &token.kind) {
            Some(TokenKind::Text(text)) => {
                let text = text.clone();
                self.position += 1;
                Ok(text)
            }
            _ => Err(self.missing(what)),
        }
    }

    /// The next quoted text.
    pub(crate) fn quoted(&mut self, what: &str) -> Result<String, ScriptError> {
        let bytes = self.quoted_bytes(what)?;
        String::from_utf8(bytes).map_err(|_| self.complain_last(Complaint::new("this text is not UTF-8")))
    }

    /// Whether a comma comes next; it is then passed.
    pub(crate) fn comma(&mut self) -> bool {
        let matches = matches!(self.tokens.get(self.position), Some(Token { kind: TokenKind::Comma, .. }));
        self.position += usize::from(matches);
        matches
    }

    /// Whether there is nothing more.
    pub(crate) fn at_end(&self) -> bool {
        self.position == self.tokens.len()
    }

    /// The line must end here.
    pub(crate) fn finish(&self) -> Result<(), ScriptError> {
        if self.at_end() { Ok(()) } else { Err(self.complain(Complaint::new("the line should end here"))) }
    }

    /// The next word, parsed.
    pub(crate) fn parsed<T: FromStr<Err: Display>>(&mut self, what: &str) -> Result<T, ScriptError> {
        let word = self.expect_word(what)?;
        word.parse().map_err(|error: T::Err| self.complain_last(Complaint::new(format!("{what}: {error}"))))
    }

    /// This word must come next.
    pub(crate) fn keyword(&mut self, word: &str) -> Result<(), ScriptError> {
        if self.take(word) {
            Ok(())
        } else {
            Err(self.complain(Complaint::new(format!("`{word}` should stand here"))))
        }
    }

    /// An error at the last word, which begins nothing that can stand here.
    pub(crate) fn unexpected_block(&self, known: &[&str]) -> ScriptError {
        let at = self.position.saturating_sub(1);
        let word = match self.tokens.get(at).map(|token| &token.kind) {
            Some(TokenKind::Word(word)) => word.as_str(),
            _ => "",
        };
        self.complain_last(Complaint::unknown("line", word, known))
    }

    /// An error at what comes next.
    pub(crate) fn complain(&self, complaint: Complaint) -> ScriptError {
        let span = match self.tokens.get(self.position) {
            Some(token) => token.span.clone(),
            None => {
                let end = self.tokens.last().map_or(0, |token| token.span.end);
                end..end
            }
        };
        ScriptError::new(self.file, self.source, span, complaint)
    }

    /// An error at what was passed last.
    pub(crate) fn complain_last(&self, complaint: Complaint) -> ScriptError {
        let span = self.tokens.get(self.position.saturating_sub(1)).map_or(0..0, |token| token.span.clone());
        ScriptError::new(self.file, self.source, span, complaint)
    }

    /// An error: `what` should have been there.
    pub(crate) fn missing(&self, what: &str) -> ScriptError {
        self.complain(Complaint::new(format!("{what} is missing here")))
    }
}

fn tokens(text: &str, start: usize) -> Result<Vec<Token>, (Range<usize>, Complaint)> {
    let mut tokens = Vec::new();
    let mut characters = text.char_indices().peekable();
    while let Some((at, character)) = characters.next() {
        let kind = match character {
            '#' => break,
            ',' => TokenKind::Comma,
            '"' => TokenKind::Text(quoted(&mut characters).ok_or_else(|| {
                let span = start + at..start + text.trim_end().len();
                (
                    span,
                    Complaint::new(
                        "this text does not end, or has an escape other than \\\" \\\\ \\r \\n \\t \\xHH",
                    ),
                )
            })?),
            _ if character.is_whitespace() => continue,
            _ => {
                let mut word = String::from(character);
                while let Some((_, next)) =
                    characters.next_if(|(_, next)| !(next.is_whitespace() || ",\"".contains(*next)))
                {
                    word.push(next);
                }
                TokenKind::Word(word)
            }
        };
        let end = characters.peek().map_or(text.len(), |(next, _)| *next);
        tokens.push(Token { kind, span: start + at..start + end });
    }
    Ok(tokens)
}

fn quoted(characters: &mut impl Iterator<Item = (usize, char)>) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    loop {
        let (_, character) = characters.next()?;
        match character {
            '"' => return Some(bytes),
            '\n' => return None,
            '\\' => match characters.next()?.1 {
                'r' => bytes.push(b'\r'),
                'n' => bytes.push(b'\n'),
                't' => bytes.push(b'\t'),
                'x' => {
                    let high = characters.next()?.1.to_digit(16)?;
                    let low = characters.next()?.1.to_digit(16)?;
                    bytes.push(u8::try_from(high * 16 + low).ok()?);
                }
                escaped @ ('"' | '\\') => bytes.push(escaped as u8),
                _ => return None,
            },
            character => bytes.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_texts_and_commas() {
        let lines = lines("t", "a b, \"c \\x00\\r\" # d\n\n  e=\"f\"\n").expect("it is well formed");
        assert_eq!(lines.len(), 2);
        let mut line = lines[0].clone();
        assert!(!line.indented);
        assert_eq!(line.word().as_deref(), Some("a"));
        assert!(line.take("b"));
        assert!(line.comma());
        assert_eq!(line.quoted_bytes("text"), Ok(b"c \0\r".to_vec()));
        assert!(line.at_end());
        let mut line = lines[1].clone();
        assert!(line.indented);
        assert_eq!(line.word().as_deref(), Some("e="));
        assert_eq!(line.quoted("text").as_deref(), Ok("f"));
    }

    #[test]
    fn a_text_without_an_end_has_its_place() {
        let error = lines("name.bed", "client \"x\n").expect_err("it has no end");
        assert_eq!((error.line, error.column), (1, 8));
        assert!(error.to_string().contains("name.bed:1:8"), "{error}");
    }
}
