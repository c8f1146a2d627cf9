//! What is wrong with a script, and where: file, line, column and a caret.

use std::fmt;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A script that can't be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptError {
    /// The name of the file, as the caller gave it.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column, in characters from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to write instead, if there is something likely.
    pub help: Option<String>,
    rendered: String,
}

impl ScriptError {
    pub(crate) fn new(file: &str, source: &str, span: Range<usize>, complaint: Complaint) -> Self {
        let before = &source[..span.start.min(source.len())];
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        let Complaint { message, help } = complaint;
        let mut group = Level::ERROR
            .primary_title(&message)
            .element(Snippet::source(source).path(file).annotation(AnnotationKind::Primary.span(span)));
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help));
        }
        let rendered = Renderer::plain().render(&[group]);
        Self { file: file.to_owned(), line, column, message, help, rendered }
    }

    /// The text that a file holds, which every form here is in UTF-8.
    pub(crate) fn text_of(file: &str, bytes: Vec<u8>, help: Option<&str>) -> Result<String, Self> {
        String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let mut complaint = Complaint::new(format!("this is no text: byte {valid} is not UTF-8"));
            complaint.help = help.map(str::to_owned);
            Self::new(file, &String::from_utf8_lossy(error.as_bytes()), valid..valid, complaint)
        })
    }

    /// A file that lacks what it is about.
    pub(crate) fn empty(file: &str, source: &str, what: &str) -> Self {
        Self::new(file, source, source.len()..source.len(), Complaint::new(format!("{what} is missing")))
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.rendered)
    }
}

impl std::error::Error for ScriptError {}

/// What is wrong, before the place is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    pub(crate) message: String,
    pub(crate) help: Option<String>,
}

impl Complaint {
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// A word that is none of those that can stand there.
    pub(crate) fn unknown(what: &str, word: &str, known: &[&str]) -> Self {
        let nearest = crate::nearest::word(word, known.iter().copied());
        let complaint = Self::new(format!("there is no {what} `{word}`"));
        match known {
            [only] => complaint.help(format!("there is only `{only}`")),
            known => complaint.help(format!("the nearest is `{nearest}`; there are {}", known.join(", "))),
        }
    }
}
