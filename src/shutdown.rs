//! Leaving in order: unready, waiters answered, requests drained, connections closed.
//!
//! [`Shutdown::begin`] is the one event. Readiness looks at [`Shutdown::begun`], waiting requests and the listeners wait for
//! [`Shutdown::signal`]; `serving` then gives what runs its drain time.

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Whether this process is leaving. Clones are the same switch.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    token: CancellationToken,
}

impl Shutdown {
    /// A switch that has not been turned.
    pub fn new() -> Self {
        Self::default()
    }

    /// Begins to leave: from now on the replica is unready and nobody starts to wait. Repeats change nothing.
    pub fn begin(&self) {
        self.token.cancel();
    }

    /// Whether leaving has begun.
    pub fn begun(&self) -> bool {
        self.token.is_cancelled()
    }

    /// Returns once leaving has begun; at once if it has already. May be dropped at any await.
    pub async fn signal(&self) {
        self.token.cancelled().await;
    }
}

/// SIGTERM and SIGINT (Ctrl-C), which both mean: leave in order.
pub struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    /// From here on the two signals no longer end the process by themselves.
    ///
    /// # Errors
    /// If the handlers cannot be installed.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next one and returns its name. May be dropped at any await.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Shutdown;

    #[tokio::test]
    async fn every_clone_hears_of_it_and_late_comers_too() {
        let shutdown = Shutdown::new();
        let waiter = tokio::spawn({
            let shutdown = shutdown.clone();
            async move { shutdown.signal().await }
        });
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(!shutdown.begun() && !waiter.is_finished());
        shutdown.clone().begin();
        shutdown.begin();
        waiter.await.expect("the waiter returns");
        assert!(shutdown.begun());
        shutdown.signal().await;
    }
}
