//! Whose turn it is.

use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::app::App;
use crate::error::Result;
use crate::store::scripts;

/// A worker that dies or freezes is followed by another after so long.
const LEASE: Duration = Duration::from_secs(8);
/// Between two looks, at most. Often enough for the lease to outlive looks that fail.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The right to do the fleet's background work.
pub struct Lease {
    worker: String,
    /// Until when it is this worker's, by its own clock: counted from before it was asked for, so that it never outlives the one in Redis.
    until: watch::Sender<Option<Instant>>,
}

impl Lease {
    pub fn new(worker: &str) -> Self {
        Self { worker: worker.to_owned(), until: watch::Sender::new(None) }
    }

    /// Who asks.
    pub fn worker(&self) -> &str {
        &self.worker
    }

    /// Whether it is this worker's now. A worker that was frozen has lost it, before it has asked again: time has gone on.
    pub fn is_held(&self) -> bool {
        is_ahead(*self.until.borrow())
    }

    /// Waits until it is this worker's turn.
    pub async fn wait(&self) {
        // The sender is ours, so it cannot be gone.
        let _ = self.until.subscribe().wait_for(|until| is_ahead(*until)).await;
    }

    /// Takes it when it is free, and extends it, for ever.
    pub async fn keep(&self, app: &App) {
        let mut held = false;
        loop {
            let asked_at = Instant::now();
            let pause = match self.take(app, LEASE).await {
                Ok(None) => {
                    self.until.send_replace(Some(asked_at + LEASE));
                    LOOK_EVERY
                }
                Ok(Some(theirs_for)) => {
                    self.until.send_replace(None);
                    theirs_for.min(LOOK_EVERY)
                }
                // What was promised before holds until its end.
                Err(failure) => {
                    tracing::debug!(code = failure.code().spec().word, "the fleet's background work cannot be asked for at the moment");
                    LOOK_EVERY / 2
                }
            };
            if held != self.is_held() {
                held = !held;
                tracing::info!(worker = self.worker, held, "the fleet's background work has changed hands");
            }
            app.metrics.duty.holds(held);
            sleep(pause).await;
        }
    }

    /// Another worker may have it. Trouble does not matter: it ends by itself.
    pub async fn give_back(&self, app: &App) {
        self.until.send_replace(None);
        app.metrics.duty.holds(false);
        let _ = self.take(app, Duration::ZERO).await;
    }

    /// None: it is this worker's for so long; else for how long it is another's.
    async fn take(&self, app: &App, lease: Duration) -> Result<Option<Duration>> {
        let slot = app.keys.duty();
        let lease_ms = u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let call = scripts::DUTY_TAKE.on(&slot).arg("worker", &self.worker).int("lease_ms", lease_ms);
        let reply = call.may_send_again(true).run(&app.redis).await?;
        Ok(match reply.status() {
            "mine" => None,
            "theirs" => Some(Duration::from_millis(reply.uint(0)?)),
            _ => Some(Duration::ZERO),
        })
    }
}

fn is_ahead(until: Option<Instant>) -> bool {
    until.is_some_and(|until| Instant::now() < until)
}
