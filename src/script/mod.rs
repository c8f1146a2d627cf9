//! The one form that hand-written files, profiles, captures and fuzz input all become, and the one thing the bed runs.
//!
//! A script reads as a ladder, from top to bottom: `>` the client writes, `<` it waits. Every `>` line is one write,
//! so segments are explicit. A script is only ever parsed into the types below, and printing them gives a text that
//! parses back to the same; [`bytes`] is the same script as bytes, in which every byte string is some script.
//!
//! The grammar, line by line (indentation shows what belongs to a client and means nothing else; `#` begins a comment):
//!
//! ```text
//! client "NAME"            a client written out below      client grpc-go@1.33.3    one from the catalogue, which connects
//!                          as the server's name says, or `over tls` or `over cleartext`
//!   tls alpn=h2 sni=NAME   speaks TLS first; also versions=1.3,1.2 and authority=NAME:{port}
//!   cut 1 9 24             the client's bytes are cut at these offsets
//!   no acks                SETTINGS and PING are not answered unless a step does it
//!   acks late              SETTINGS are answered with what is written next
//!   priorities fixed       a change of NO_RFC7540_PRIORITIES breaks the protocol
//!   hold ITEM, ITEM ..     written with what is written next, in one segment
//!   > ITEM, ITEM ..        one write
//!   < WHAT within 20s else "TEXT"
//!   wait 5ms | half-close | close | reset | silent
//! server cmux-header
//! network                  latency 5ms | unread lost | to-server LINE | to-client LINE
//! expect stalled client waiting for settings at 20s
//! afterwards grpc-go@1.33.3   comes when the others are done, over a network without faults, and has to be served
//! ```
//!
//! A client that makes several calls, as a library's channel does, has three more marks: `ready` ends what is done for
//! each connection, `call` begins what is done for each call, `finally` what is done when no more calls come; and it
//! has `on` lines for what it does when things happen out of turn. Profiles are written so. An HTTP client's call may be
//! `> request get /`, the head of an HTTP/1 request, and `< http1`; `upgraded` begins what is done once the server
//! has answered 101; `close` at the end of a call is for clients that use
//! a connection once, and `tries 4` for those that see four connections fail before they give a call up. `unagreed`
//! begins what is still written where the server has chosen no protocol by ALPN and the client fails for it.
//!
//! An `on` line names a [`Trigger`], when it counts (a [`Phase`], `after goaway`, `code REFUSED_STREAM`), and an [`Action`]: `fail "TEXT"`,
//! with `or "TEXT"` for another build; `fail at deadline "TEXT"`; `retry`, with `else "TEXT"` for the second time; `ignore`; `later`.

mod ast;
pub mod bytes;
mod error;
mod hello;
mod lexer;
mod one_or_more;
mod parser;
mod printer;
mod reaction;

pub use ast::{
    Awaited, Behaviour, Calls, Client, Expectation, ExpectedOutcome, FieldLine, FieldList, HeaderList, Item,
    Script, Step, StreamReference, Transport, Who,
};
pub(crate) use error::Complaint;
pub use error::ScriptError;
pub use hello::{Hello, TlsVersion};
pub(crate) use lexer::Line;
pub use one_or_more::OneOrMore;
pub(crate) use parser::{BehaviourParser, Block, blocks, parse_field_list, parse_offsets, parse_reaction};
pub use reaction::{Acknowledging, Action, AfterFailure, AfterLoss, Occasion, Phase, Trigger, WaitFrom};
