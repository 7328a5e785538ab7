//! Retries that race with one Idempotency-Key.
