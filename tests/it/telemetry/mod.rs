//! What operators see from outside: traces at a collector, metrics, lines of the log.

mod silence;
mod traces;
