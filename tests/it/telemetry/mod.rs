//! What operators see from outside: traces at a collector, metrics, lines of the log.

mod logs;
mod metrics;
mod silence;
mod traces;
