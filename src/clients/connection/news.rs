//! What a connection is told and tells: its pace; what it wants of its socket; what its channel has to know.

use std::time::Duration;

use bytes::Bytes;

use crate::outcome::{Refusal, WaitingFor};

/// How long a client takes between one thing and the next, on one connection: part of a schedule.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pace {
    /// Between two writes with nothing awaited in between.
    pub(crate) between_writes: Duration,
    /// Between being ready and taking a call.
    pub(crate) before_call: Duration,
    /// Between the last step of a call and closing, where a connection is used once.
    pub(crate) before_close: Duration,
    /// Which build of the client it is, where builds say different things.
    pub(crate) build: usize,
}

/// What the connection wants done to its socket, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    Write(Bytes),
    Finish,
    Close,
    Reset,
}

/// What the channel has to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The connection is READY.
    Ready,
    /// The connection never became ready.
    Failed(Failure),
    /// The connection was ready and can't take another call.
    Lost,
    /// The call on it has ended.
    CallEnded(CallEnd),
}

/// How a call ended, seen from its connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CallEnd {
    Answered,
    Failed(Failure),
    /// It failed, and its user is told when its time is over.
    FailedUntold(Failure),
    /// It was not processed and goes to another connection, or fails like this if it has done so before.
    Retry(Failure),
}

/// Why something failed: what the user reads, and what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) text: String,
    pub(crate) cause: Cause,
}

/// What a failure was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cause {
    Refused(Refusal),
    Waited(WaitingFor),
    /// Whatever its connection tells: the client is code, of which only the words are known.
    Unknown,
}
