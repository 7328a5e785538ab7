//! One job from the queue to its end: delivered, tried again later, or a dead letter.
//!
//! What is written down for the owner comes before the job leaves the queue: a worker that dies in between repeats, and loses nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::timeout_at;
use url::Url;

use super::backoff;
use super::disable;
use super::finish::{Due, End, Note};
use super::gate::{Gates, PutOff};
use super::job::Job;
use super::load::{self, Loaded, Owners, Ready};
use super::push::{Outcome, Push, Pusher};
use super::{millis, repeat};
use crate::app::App;
use crate::error::Result;
use crate::ids::Micros;
use crate::store::scripts;
use crate::telemetry::TrySpan;

/// A delivery that finds no place at its host for so long, beyond all its waits, is given up.
const PUT_OFF_LIMIT: Duration = Duration::from_secs(86_400);

/// What a worker delivers with.
pub struct Courier {
    pub app: App,
    pub pusher: Pusher,
    pub gates: Gates,
    /// Tries at the same time.
    pub slots: Arc<tokio::sync::Semaphore>,
    pub owners: Owners,
}

impl Courier {
    /// What the next tries of these jobs need, in their order; all are of one target.
    pub async fn load(&self, jobs: &[&Job]) -> Result<Vec<Loaded>> {
        repeat(|| load::load(&self.app, &self.owners, jobs)).await
    }

    /// Tries one job that was asked for at `asked`; what becomes of it. None: it stays pending, and is tried again by whoever adopts it. `give_up`: held for
    /// so long without a try, it is handed back, as another worker might soon have it.
    pub async fn deliver(&self, job: Job, loaded: Result<Loaded>, asked: Instant, give_up: Duration) -> Option<End> {
        let tried = match loaded {
            Ok(loaded) => self.attempt(&job, loaded, asked, give_up).await,
            Err(failure) => Err(failure),
        };
        tried.unwrap_or_else(|failure| {
            tracing::warn!(code = failure.code().spec().word, cause = failure.log_cause(), "a delivery could not be made");
            // Redis is in trouble: it stays pending.
            (failure.code().spec().status != 503).then(|| self.after_fault(job))
        })
    }

    /// None: it was held too long.
    async fn attempt(&self, job: &Job, loaded: Loaded, asked: Instant, give_up: Duration) -> Result<Option<End>> {
        let app = &self.app;
        let mut ready = match loaded {
            Loaded::Ready(ready) => ready,
            Loaded::Nothing(why) => {
                app.metrics.webhooks.dropped(why);
                return Ok(Some(End::Done(None)));
            }
        };
        let gate = ready.hook.gate.get_or_init(|| self.gates.of(&ready.hook.host));
        let pass = match gate.enter().await {
            Ok(pass) => pass,
            Err(put_off) => return Box::pin(self.put_off(job, &ready, put_off)).await.map(Some),
        };
        let slot = match self.slots.clone().try_acquire_owned() {
            Ok(slot) => Some(slot),
            Err(_) => timeout_at((asked + give_up).into(), self.slots.clone().acquire_owned()).await.ok().and_then(|slot| slot.ok()),
        };
        let Some(slot) = slot.filter(|_| asked.elapsed() <= give_up) else {
            // A busy worker hands it back while it is surely its own: others of its bundle were delivered, and would be again if it stayed. One that
            // was frozen leaves it alone.
            return Ok((asked.elapsed() < give_up.mul_f64(1.25)).then(|| self.later(Duration::ZERO, job)));
        };
        let push = Push {
            url: &ready.hook.url,
            signer: ready.hook.signer.as_ref(),
            delivery: &job.delivery,
            event: job.event.word(),
            attempt: job.attempt,
            timestamp: ready.now.0 / 1_000_000,
            body: std::mem::take(&mut ready.body),
            span: TrySpan::begin(&job.delivery, job.event.word(), job.attempt, &ready.hook.url, ready.post.as_ref()),
        };
        let outcome = self.pusher.push(push).await;
        drop(slot);
        if pass.ended(outcome.silent(), outcome.took) {
            app.metrics.webhooks.breaker_opened();
        }
        app.metrics.webhooks.tried(outcome.error, outcome.took);
        tracing::info!(
            delivery = job.delivery,
            event = job.event.word(),
            attempt = job.attempt,
            status = outcome.status,
            error = outcome.error,
            took_ms = millis(outcome.took),
            "delivery tried"
        );
        if outcome.delivered() {
            return Ok(Some(End::Done(Some(Note::of(job, &outcome, app.redis.clock().floor())))));
        }
        // Boxed, as what is put off: seldom, and each delivery would carry room for it.
        Box::pin(self.failed(job, &ready, &outcome)).await.map(Some)
    }

    /// What is broken on our side may be mended by another release; in the end it is left out.
    fn after_fault(&self, job: Job) -> End {
        match backoff::after(job.attempt, &self.app.settings.webhook_retry_delays, None) {
            Some(after) => self.later(after, &Job { attempt: job.attempt + 1, ..job }),
            None => {
                self.app.metrics.webhooks.dropped("broken");
                End::Done(None)
            }
        }
    }

    async fn put_off(&self, job: &Job, ready: &Ready, put_off: PutOff) -> Result<End> {
        let (after, why) = match put_off {
            PutOff::Busy(after) => (after, "busy"),
            PutOff::Open(after) => (after, "breaker"),
        };
        let waits: Duration = self.app.settings.webhook_retry_delays.iter().sum();
        let age = Duration::from_micros(ready.now.0.saturating_sub(job.since.0));
        if age > waits + PUT_OFF_LIMIT {
            let outcome = Outcome { status: 0, error: "unreachable", retry_after: None, took: Duration::ZERO };
            self.record(job, ready, &outcome, "dead").await?;
            self.app.metrics.webhooks.dropped("dead");
            return Ok(End::Done(None));
        }
        self.app.metrics.webhooks.put_off(why);
        Ok(self.later(after, job))
    }

    async fn failed(&self, job: &Job, ready: &Ready, outcome: &Outcome) -> Result<End> {
        let app = &self.app;
        let again = backoff::after(job.attempt, &app.settings.webhook_retry_delays, outcome.retry_after).filter(|_| !outcome.is_gone());
        let word = if again.is_some() { "failed" } else { "dead" };
        let (now, since) = repeat(|| self.record(job, ready, outcome, word)).await?;
        let failing = Duration::from_micros(now.0.saturating_sub(since.0));
        if outcome.is_gone() || failing >= app.settings.webhook_disable_after {
            disable::disable(app, &job.target, ready, outcome).await?;
        }
        match again {
            Some(after) => Ok(self.later(after, &Job { attempt: job.attempt + 1, ..job.clone() })),
            None => {
                app.metrics.webhooks.dropped("dead");
                Ok(End::Done(None))
            }
        }
    }

    /// Notes a failed try for the owner. Redis' time, and since when every try to this URL has failed.
    async fn record(&self, job: &Job, ready: &Ready, outcome: &Outcome, word: &str) -> Result<(Micros, Micros)> {
        let slot = self.app.keys.hook(job.target.as_str());
        let packed = job.pack();
        let reply = scripts::HOOK_RECORD
            .on(&slot)
            .arg("id", &job.delivery)
            .arg("job", &packed)
            .int("attempt", job.attempt.into())
            .int("status", outcome.status.into())
            .int("took_ms", millis(outcome.took))
            .arg("outcome", word)
            .arg("error", outcome.error)
            .arg("mark", &mark_of(&ready.hook.url))
            .run(&self.app.redis)
            .await?;
        Ok((reply.now(), reply.micros(0)?))
    }

    /// To be tried in so long from now.
    pub fn later(&self, after: Duration, job: &Job) -> End {
        let at_ms = self.app.redis.clock().floor().0 / 1000 + millis(after).max(1);
        End::Later(Due { at_ms, job: job.pack() })
    }
}

/// Tells one URL from the next, without holding it.
fn mark_of(url: &Url) -> String {
    use sha2::{Digest, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(url.as_str().as_bytes())[..8])
}
