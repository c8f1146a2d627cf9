//! The clients: how each range of versions of a library behaves, as data, and the machine that runs it.
//!
//! A family is one file beside this one (`grpc-go.bed`), in the form of a [`script`](crate::script): profiles for ranges of
//! versions, the texts beside the steps that they belong to. A [`ClientSpec`] finds its [`Profile`]; a `Plan` is the profile with
//! version, address and work filled in; a `Channel` makes calls over `Connection`s as the library does, and the driver gives
//! those a simulated link each. Channel and connection know no socket and no task, and are told the time.
//!
//! Left out is what no handshake shows: flow control, bodies beyond one message, load balancing among several addresses.

mod answers;
mod catalogue;
mod channel;
mod connection;
mod driver;
mod plan;
mod profile;
mod recognise;
mod spec;
mod texts;

pub use catalogue::{KnownClient, UnknownClient, families};
pub(crate) use channel::{CallRecord, Channel, Paces};
pub(crate) use connection::{Cause, Failure, Pace};
pub(crate) use driver::{Inside, run};
pub(crate) use plan::Plan;
pub use plan::Work;
pub use profile::{Condition, Family, FamilyWord, Profile, Role, Under};
pub use spec::{ClientSpec, ClientSpecError, Version};
