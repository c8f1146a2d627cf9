//! The clients.

mod answers;
mod catalogue;
mod channel;
mod connection;
mod driver;
mod plan;
mod profile;
mod spec;
mod texts;

pub use catalogue::{KnownClient, UnknownClient, families};
pub(crate) use channel::{CallRecord, Channel, Paces};
pub(crate) use connection::{Cause, Failure, Pace};
pub(crate) use driver::run;
pub(crate) use plan::Plan;
pub use plan::Work;
pub use profile::{Family, Profile, Role};
pub use spec::{ClientSpec, ClientSpecError, Version};
