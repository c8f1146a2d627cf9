//! Will this client still shake hands with that server? This crate is the map's root; each module opens with
//! what it is and what it leaves out.

pub mod capture;
pub mod wire;
