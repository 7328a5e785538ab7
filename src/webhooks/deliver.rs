//! One job from the queue to its end: delivered, tried again later, or a dead letter.
//!
//! What is written down for the owner comes before the job leaves the queue: a worker that dies in between repeats, and loses nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use url::Url;

use super::backoff;
use super::disable;
use super::finish::{Finisher, Note};
use super::gate::{Gates, PutOff};
use super::job::Job;
use super::load::{self, Loaded, Owners, Ready};
use super::push::{Outcome, Push, Pusher};
use super::{millis, repeat};
use crate::app::App;
use crate::error::{ApiError, Result};
use crate::ids::Micros;
use crate::store::jobs::Entry;
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
    pub finisher: Finisher,
}

/// What is left of a job.
enum End {
    /// What to note of it for the owner, if it was delivered.
    Done(Option<Note>),
    /// In so long, as this job.
    Later(Duration, Job),
}

impl Courier {
    /// What the next tries of these jobs need, in their order; all are of one target.
    pub async fn load(&self, jobs: &[Job]) -> Result<Vec<Loaded>> {
        repeat(|| load::load(&self.app, &self.owners, jobs)).await
    }

    /// Delivers one job that was read from queue `queue` at `read`. What cannot be settled stays pending, and is tried again by whoever
    /// adopts it. `give_up`: it was held for so long that another worker may have it by now.
    pub async fn deliver(&self, queue: u8, entry: &Entry, job: Job, loaded: Result<Loaded>, read: Instant, give_up: Duration) {
        let stale = || read.elapsed() > give_up;
        let tried = match loaded {
            Ok(loaded) => self.attempt(job.clone(), loaded, &stale).await,
            Err(failure) => Err(failure),
        };
        let end = match tried {
            Ok(Some(end)) => end,
            Ok(None) => return,
            Err(failure) => {
                tracing::warn!(code = failure.code().spec().word, cause = failure.log_cause(), "a delivery could not be made");
                if failure.code().spec().status == 503 {
                    return; // Redis is in trouble: it stays pending
                }
                self.after_fault(job)
            }
        };
        match end {
            End::Done(note) => self.finisher.finish(queue, &entry.id, note).await,
            End::Later(after, job) => self.try_later(queue, entry, after, &job).await,
        }
    }

    /// None: it was held too long.
    async fn attempt(&self, job: Job, loaded: Loaded, stale: &(dyn Fn() -> bool + Sync)) -> Result<Option<End>> {
        let app = &self.app;
        let ready = match loaded {
            Loaded::Ready(ready) => ready,
            Loaded::Nothing(why) => {
                app.metrics.webhooks.dropped(why);
                return Ok(Some(End::Done(None)));
            }
        };
        let gate = self.gates.of(&host_of(&ready.url));
        let pass = match gate.enter().await {
            Ok(pass) => pass,
            Err(put_off) => return self.put_off(job, &ready, put_off).await.map(Some),
        };
        let slot = self.slots.clone().acquire_owned().await.map_err(|_| ApiError::internal("the worker has ended"))?;
        if stale() {
            return Ok(None);
        }
        let push = Push {
            url: &ready.url,
            secret: &ready.secret,
            delivery: &job.delivery,
            event: job.event.word(),
            attempt: job.attempt,
            timestamp: ready.now.0 / 1_000_000,
            body: ready.body.clone(),
            span: TrySpan::begin(&job.delivery, job.event.word(), job.attempt, &ready.url, ready.post.as_deref()),
        };
        let outcome = self.pusher.push(push).await;
        drop(slot);
        if pass.ended(outcome.silent(), outcome.took) {
            app.metrics.webhooks.breaker_opened();
        }
        app.metrics.webhooks.tried(outcome.error, outcome.took);
        self.conclude(job, &ready, &outcome).await.map(Some)
    }

    /// What is broken on our side may be mended by another release; in the end it is left out.
    fn after_fault(&self, job: Job) -> End {
        match backoff::after(job.attempt, &self.app.settings.webhook_retry_delays, None) {
            Some(after) => End::Later(after, Job { attempt: job.attempt + 1, ..job }),
            None => {
                self.app.metrics.webhooks.dropped("broken");
                End::Done(None)
            }
        }
    }

    async fn put_off(&self, job: Job, ready: &Ready, put_off: PutOff) -> Result<End> {
        let (after, why) = match put_off {
            PutOff::Busy(after) => (after, "busy"),
            PutOff::Open(after) => (after, "breaker"),
        };
        let waits: Duration = self.app.settings.webhook_retry_delays.iter().sum();
        let age = Duration::from_micros(ready.now.0.saturating_sub(job.since.0));
        if age > waits + PUT_OFF_LIMIT {
            let outcome = Outcome { status: 0, error: "unreachable", retry_after: None, took: Duration::ZERO };
            self.record(&job, ready, &outcome, "dead").await?;
            self.app.metrics.webhooks.dropped("dead");
            return Ok(End::Done(None));
        }
        self.app.metrics.webhooks.put_off(why);
        Ok(End::Later(after, job))
    }

    async fn conclude(&self, job: Job, ready: &Ready, outcome: &Outcome) -> Result<End> {
        let app = &self.app;
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
            return Ok(End::Done(Some(Note::of(&job, outcome))));
        }
        let again = backoff::after(job.attempt, &app.settings.webhook_retry_delays, outcome.retry_after).filter(|_| !outcome.is_gone());
        let word = if again.is_some() { "failed" } else { "dead" };
        let (now, since) = repeat(|| self.record(&job, ready, outcome, word)).await?;
        let failing = Duration::from_micros(now.0.saturating_sub(since.0));
        if outcome.is_gone() || failing >= app.settings.webhook_disable_after {
            disable::disable(app, &job.target, ready, outcome).await?;
        }
        match again {
            Some(after) => Ok(End::Later(after, Job { attempt: job.attempt + 1, ..job })),
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
            .arg("mark", &mark_of(&ready.url))
            .run(&self.app.redis)
            .await?;
        Ok((reply.now(), reply.micros(0)?))
    }

    /// Puts a job back into its queue, for so long from now. Tried again while Redis is in trouble, for as long as nobody adopts it.
    pub async fn try_later(&self, queue: u8, entry: &Entry, after: Duration, job: &Job) {
        let slot = self.app.keys.jobs(queue);
        let due = self.app.redis.clock().floor().0 / 1000 + millis(after).max(1);
        let packed = job.pack();
        let call = || scripts::JOB_SETTLE.on(&slot).arg("entry", &entry.id).int("due", due).arg("job", &packed).run(&self.app.redis);
        if let Err(failure) = repeat(call).await {
            tracing::warn!(code = failure.code().spec().word, entry = entry.id, "a job stays in its queue, and will be tried again");
        }
    }
}

/// Host and port: what has places and a breaker.
fn host_of(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or_default())
}

/// Tells one URL from the next, without holding it.
fn mark_of(url: &Url) -> String {
    use sha2::{Digest, Sha256};
    data_encoding::HEXLOWER.encode(&Sha256::digest(url.as_str().as_bytes())[..8])
}
