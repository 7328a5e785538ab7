//! What clients saw, checked against what the service promises.
//!
//! Generators ([`generators`]) post, claim and read while replicas and Redis are killed, frozen and cut off ([`runs`]); all
//! that they asked and were answered is a history, one JSON line an operation ([`record`]). Pure functions ([`check`], [`claims`],
//! [`expiry`], [`wakes`]) say what in a
//! history cannot have come from a service that keeps its promises. That they see it is shown by breaking the scripts
//! on purpose ([`mutations`]).

mod check;
mod claims;
mod expiry;
mod generators;
mod mutations;
pub mod record;
pub mod runs;
mod samples;
pub mod trouble;
mod wakes;
mod world;
