//! Trace ids. Random ones, except for deliveries that belong to no trace: all tries of one are one trace, on whichever worker they are made.

use std::cell::Cell;

use opentelemetry::trace::{SpanId, TraceId};
use opentelemetry_sdk::trace::{IdGenerator, RandomIdGenerator};
use sha2::{Digest, Sha256};

thread_local! {
    /// What the next trace that begins on this thread is called.
    static NEXT: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Random ids, unless [`as_next`] says otherwise.
#[derive(Debug, Default)]
pub struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// A trace that `begin` begins has this id.
pub fn as_next<T>(id: TraceId, begin: impl FnOnce() -> T) -> T {
    NEXT.set(Some(id));
    let begun = begin();
    NEXT.set(None);
    begun
}

/// The trace of a delivery that belongs to no other.
pub fn of_delivery(delivery: &str) -> TraceId {
    let mut id = [0; 16];
    id.copy_from_slice(&Sha256::digest(delivery.as_bytes())[..16]);
    TraceId::from_bytes(id)
}
