//! Will this client still shake hands with that server? This crate is the map's root; each module opens with
//! what it is and what it leaves out.

pub use bed::{Run, Scenario, bed};
pub use net::{Incoming, Network};
pub use outcome::Outcome;

pub mod bed;
pub mod capture;
pub mod cli;
pub mod clients;
pub mod exchange;
pub mod fidelity;
pub mod fuzzing;
pub mod mux;
pub mod net;
pub mod outcome;
pub mod report;
pub mod scenarios;
pub mod script;
pub mod servers;
pub mod upgrade;
pub mod wire;

mod flight;
mod nearest;
