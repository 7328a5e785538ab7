//! What one worker does for the whole fleet: it surveys the channels, deletes idle ones where the operator wants that, and reads the queues of
//! webhooks. What it finds, every process of the fleet shows.
//!
//! The lease decides who. Nothing that is done rests on it: what is found is filed only by who holds it (`lua/duty/file.lua`), and a channel is
//! judged in the step that deletes it (`lua/channels/expire.lua`).

mod findings;
mod lease;
pub mod metrics;
mod queues;
mod survey;

use std::sync::Arc;
use std::time::Duration;

use self::lease::Lease;
use crate::app::App;
use crate::shutdown::Shutdown;

/// Between two readings of the queues.
const QUEUES_EVERY: Duration = Duration::from_secs(5);
/// After trouble, before the next try.
const TROUBLE_PAUSE: Duration = Duration::from_secs(2);

/// This worker's part in the fleet's background work.
pub struct Duty {
    app: App,
    lease: Lease,
    shutdown: Shutdown,
}

impl Duty {
    /// `worker`: its name; no other process may have it.
    pub fn new(app: App, worker: &str, shutdown: Shutdown) -> Arc<Self> {
        Arc::new(Self { lease: Lease::new(worker), app, shutdown })
    }

    /// Does it whenever it is this worker's turn, until the worker stops; then it is another's at once.
    pub async fn run(self: Arc<Self>) {
        let work = async { tokio::join!(self.lease.keep(&self.app), self.read_queues(), self.survey()) };
        tokio::select! {
            _ = work => {}
            () = self.shutdown.signal() => {}
        }
        self.lease.give_back(&self.app).await;
    }

    async fn read_queues(&self) {
        loop {
            self.lease.wait().await;
            let pause = match queues::read(&self.app, &self.lease).await {
                Ok(()) => QUEUES_EVERY,
                Err(failure) => {
                    tracing::debug!(code = failure.code().spec().word, cause = failure.log_cause(), "the queues are read later");
                    TROUBLE_PAUSE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }

    async fn survey(&self) {
        if self.app.settings.survey_keys_per_second == 0 {
            return;
        }
        loop {
            self.lease.wait().await;
            let pause = match survey::pass(&self.app, &self.lease).await {
                Ok(took) => survey::rest_after(took),
                Err(failure) => {
                    tracing::warn!(
                        code = failure.code().spec().word,
                        cause = failure.log_cause(),
                        "the survey of the channels begins again"
                    );
                    TROUBLE_PAUSE
                }
            };
            tokio::time::sleep(pause).await;
        }
    }
}
