//! Retries with one Idempotency-Key: one effect, one answer, whichever replica they reach.

mod automatic;
mod moved_names;
mod racing;
mod replays;
