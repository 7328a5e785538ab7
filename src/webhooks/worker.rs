//! A worker: reads the queues, delivers, and looks after what others left; one of them also does what the fleet needs done once ([`crate::duty`]), and
//! one keeps the sandbox from falling silent. Any number run beside each other, and one may be killed at any time: what it held is adopted by another
//! after its longest try and [`CLAIM_MARGIN`].

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::FuturesUnordered;
use memchr::memchr_iter;
use parking_lot::Mutex;
use rand::RngExt;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::bundle::Bundle;
use super::deliver::Courier;
use super::finish::{End, Finisher};
use super::gate::Gates;
use super::job::{BUNDLE, BUNDLED, Job};
use super::load::{Loaded, Owners};
use super::push::Pusher;
use super::sweep;
use crate::app::App;
use crate::duty::Duty;
use crate::error::{ApiError, Result};
use crate::ids::suffix;
use crate::sandbox;
use crate::shutdown::Shutdown;
use crate::store::jobs::{Entry, JobReader, Trouble};
use crate::store::keyspace::JOB_QUEUES;
use crate::store::scripts;

/// How long one read waits for jobs; as long the stop of an idle worker takes.
const READ_WAIT: Duration = Duration::from_millis(1000);
/// Jobs of one read, about. They get room together, so that those of one channel are also loaded together when many wait.
const READ_COUNT: usize = 64;
/// Jobs held in memory for each that may be tried at the same time.
const HELD_PER_SLOT: usize = 4;
/// Beyond what a try may take: after so long without news of a job its worker must be dead.
const CLAIM_MARGIN: Duration = Duration::from_secs(45);
/// Between two looks for jobs that are due, for jobs of dead workers, and for numbers.
const DUE_EVERY: Duration = Duration::from_millis(250);
const ADOPT_EVERY: Duration = Duration::from_secs(5);
const GAUGE_EVERY: Duration = Duration::from_secs(5);
/// A worker without jobs that was not heard of for so long is forgotten.
const FORGET_AFTER_MS: u64 = 3_600_000;

/// One worker of the fleet.
pub struct Worker {
    pub(super) courier: Courier,
    pub(super) name: String,
    shutdown: Shutdown,
    held: Arc<HeldJobs>,
    finisher: Arc<Finisher<Hold>>,
    room: Arc<Semaphore>,
    /// A job that was held for so long is given up: others may have it by now.
    give_up: Duration,
    /// Jobs that get room together, at most.
    at_once: usize,
    tasks: TaskTracker,
}

/// Jobs of this worker, by queue and entry: one that is read a second time is not delivered a second time.
type HeldJobs = Mutex<HashSet<(u8, Arc<str>)>>;

/// This worker has the job, until this is dropped.
struct Hold {
    of: Arc<HeldJobs>,
    job: (u8, Arc<str>),
}

impl Hold {
    /// None: it has it already.
    fn begin(of: &Arc<HeldJobs>, queue: u8, entry: &str) -> Option<Self> {
        let job = (queue, Arc::from(entry));
        of.lock().insert(job.clone()).then(|| Self { of: of.clone(), job })
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.of.lock().remove(&self.job);
    }
}

/// A job that is about to be tried.
struct Taken {
    job: Job,
    bundle: Arc<Bundle<Hold>>,
    /// None: its bundle is larger than all the room that the worker takes at once.
    room: Option<OwnedSemaphorePermit>,
}

impl Worker {
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(app: App, shutdown: Shutdown) -> anyhow::Result<Arc<Self>> {
        let settings = &app.settings;
        let slots = settings.webhook_concurrency;
        let give_up = (settings.webhook_timeout + CLAIM_MARGIN).mul_f64(0.6);
        let pusher = Pusher::new(app.webhook_guard.clone(), settings.webhook_timeout, settings.webhook_per_host)?;
        let gates = Gates::new(settings.webhook_per_host, slots * HELD_PER_SLOT);
        let tasks = TaskTracker::new();
        Ok(Arc::new(Self {
            finisher: Arc::new(Finisher::new(app.clone(), tasks.clone())),
            courier: Courier { owners: Owners::default(), slots: Arc::new(Semaphore::new(slots)), app, pusher, gates },
            name: format!("w-{}", suffix()),
            shutdown,
            held: Arc::default(),
            give_up,
            room: Arc::new(Semaphore::new(slots * HELD_PER_SLOT)),
            at_once: READ_COUNT.min(slots * HELD_PER_SLOT / 4).max(1),
            tasks,
        }))
    }

    /// Works until the shutdown begins, then finishes what it tries at the moment and hands back the rest.
    ///
    /// # Errors
    /// When the Redis target cannot be turned into client settings.
    pub async fn run(self: Arc<Self>) -> anyhow::Result<()> {
        let loops = TaskTracker::new();
        for queue in 0..JOB_QUEUES {
            let app = &self.courier.app;
            let stream = app.keys.job_stream(queue);
            let reader = JobReader::new(&app.settings.redis_url, &app.redis, stream, self.name.clone(), READ_WAIT)?;
            loops.spawn(self.clone().read(queue, reader));
        }
        let worker = self.clone();
        loops.spawn(async move { worker.look_after().await });
        let worker = self.clone();
        loops.spawn(async move { sweep::run(&worker).await });
        loops.spawn(Duty::new(self.courier.app.clone(), &self.name, self.shutdown.clone()).run());
        let (app, shutdown) = (self.courier.app.clone(), self.shutdown.clone());
        loops.spawn(async move { sandbox::post_heartbeats(&app, &shutdown).await });
        tracing::info!(worker = self.name, "delivering webhooks");
        loops.close();
        loops.wait().await;
        self.tasks.close();
        let drain = self.courier.app.settings.webhook_timeout.max(self.courier.app.settings.drain);
        if tokio::time::timeout(drain, self.tasks.wait()).await.is_err() {
            tracing::warn!(jobs = self.tasks.len(), "leaving while deliveries are under way; another worker will repeat them");
        }
        forget(&self.courier.app, &self.name).await;
        Ok(())
    }

    /// Sleeps, give or take a quarter. False: the worker stops.
    pub(super) async fn rests(&self, pause: Duration) -> bool {
        let pause = pause.mul_f64(rand::rng().random_range(0.75..1.25));
        tokio::select! {
            () = tokio::time::sleep(pause) => true,
            () = self.shutdown.signal() => false,
        }
    }

    fn claim_idle(&self) -> Duration {
        self.courier.app.settings.webhook_timeout + CLAIM_MARGIN
    }

    async fn read(self: Arc<Self>, queue: u8, mut reader: JobReader) {
        let (mut pause, mut count) = (Duration::from_millis(50), READ_COUNT / BUNDLE);
        while !self.shutdown.begun() {
            let asked = Instant::now();
            match reader.read(count, READ_WAIT).await {
                Ok(entries) => {
                    pause = Duration::from_millis(50);
                    // As many entries as have so many jobs, if they are like the ones before.
                    let jobs: usize = entries.iter().map(jobs_of).sum();
                    count = (entries.len() * READ_COUNT / jobs.max(1)).clamp(READ_COUNT / BUNDLE, READ_COUNT);
                    self.accept(queue, asked, entries).await;
                }
                Err(Trouble::NoGroup) => {
                    if let Err(failure) = self.make_group(queue).await {
                        tracing::warn!(code = failure.code().spec().word, "the group of workers cannot be made at the moment");
                        self.rests(pause).await;
                    }
                }
                Err(Trouble::Broken(cause)) => {
                    tracing::warn!(cause, queue, "jobs cannot be read at the moment");
                    self.rests(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
            }
        }
    }

    async fn make_group(&self, queue: u8) -> Result<()> {
        let slot = self.courier.app.keys.jobs(queue);
        scripts::JOB_GROUP.on(&slot).may_send_again(true).run(&self.courier.app.redis).await.map(|_| ())
    }

    /// Starts to deliver these jobs, as there is room. A worker that stops hands them back. They are this worker's since `asked` at the earliest: an
    /// answer may have waited for a worker that stood still, and another one may have the jobs by now.
    async fn accept(self: &Arc<Self>, queue: u8, asked: Instant, entries: Vec<Entry>) {
        let mut entries = entries.into_iter().peekable();
        while entries.peek().is_some() {
            let (mut taken, mut jobs) = (Vec::new(), 0);
            while let Some(entry) = entries.next_if(|entry| jobs == 0 || jobs + jobs_of(entry) <= self.at_once) {
                if let Some(hold) = Hold::begin(&self.held, queue, &entry.id) {
                    jobs += jobs_of(&entry);
                    taken.push((entry, hold));
                }
            }
            // One bundle may be more than a small worker ever has room for.
            let room = tokio::select! {
                room = self.room.clone().acquire_many_owned(u32::try_from(jobs.min(self.at_once)).unwrap_or(u32::MAX)) => room.ok(),
                () = self.shutdown.signal() => None,
            };
            self.start(queue, asked, taken, room).await;
        }
    }

    /// Jobs of one target are read together, and delivered side by side. Without room they are handed back.
    async fn start(self: &Arc<Self>, queue: u8, asked: Instant, all: Vec<(Entry, Hold)>, mut room: Option<OwnedSemaphorePermit>) {
        let mut groups = HashMap::<String, Vec<Taken>>::new();
        for (mut entry, hold) in all {
            let id = std::mem::take(&mut entry.id);
            let bundle = Arc::new(Bundle::new(queue, id, jobs_of(&entry), hold));
            for text in texts_of(&entry) {
                let Some(job) = Job::parse(text) else {
                    tracing::error!(queue, "a job is not one of ours; it is left out");
                    self.end(&bundle, Some(End::Done(None))).await;
                    continue;
                };
                let Some(room) = &mut room else {
                    self.end(&bundle, Some(self.courier.later(Duration::ZERO, &job))).await;
                    continue;
                };
                let taken = Taken { job, bundle: bundle.clone(), room: room.split(1) };
                match groups.get_mut(taken.job.target.as_str()) {
                    Some(group) => group.push(taken),
                    None => drop(groups.insert(taken.job.target.as_str().to_owned(), vec![taken])),
                }
            }
        }
        for group in groups.into_values() {
            let worker = self.clone();
            self.tasks.spawn(async move {
                let jobs: Vec<&Job> = group.iter().map(|taken| &taken.job).collect();
                let loaded: Vec<Result<Loaded>> = match worker.courier.load(&jobs).await {
                    Ok(loaded) => loaded.into_iter().map(Ok).collect(),
                    Err(failure) => group.iter().map(|_| Err(failure.clone())).collect(),
                };
                // In one task: what a try leaves behind is freed where it was made, and answers that came together wake it once.
                let mut tries: FuturesUnordered<_> =
                    group.into_iter().zip(loaded).map(|(taken, loaded)| worker.deliver(taken, loaded, asked)).collect();
                while tries.next().await.is_some() {}
            });
        }
    }

    async fn deliver(&self, taken: Taken, loaded: Result<Loaded>, asked: Instant) {
        let Taken { job, bundle, room } = taken;
        let end = self.courier.deliver(job, loaded, asked, self.give_up).await;
        self.end(&bundle, end).await;
        drop(room);
    }

    /// A job has ended so; none: it stays pending.
    async fn end(&self, bundle: &Bundle<Hold>, end: Option<End>) {
        if let Some(ended) = bundle.ended(end) {
            self.finisher.end(ended).await;
        }
    }

    /// What is due, what dead workers left, and the numbers of this worker.
    async fn look_after(self: &Arc<Self>) {
        let (mut adopt_at, mut gauge_at) = (Instant::now(), Instant::now());
        let mut from = vec!["0-0".to_owned(); JOB_QUEUES.into()];
        while self.rests(DUE_EVERY).await {
            let now = Instant::now();
            let done = async {
                self.move_due().await?;
                if now >= adopt_at {
                    adopt_at = now + ADOPT_EVERY;
                    for queue in 0..JOB_QUEUES {
                        self.adopt(queue, &mut from[usize::from(queue)]).await?;
                    }
                }
                if now >= gauge_at {
                    gauge_at = now + GAUGE_EVERY;
                    self.courier.app.metrics.webhooks.holds(self.held.lock().len(), self.courier.gates.breakers());
                }
                Ok::<_, ApiError>(())
            };
            if let Err(failure) = done.await {
                tracing::warn!(
                    code = failure.code().spec().word,
                    cause = failure.log_cause(),
                    "the queues cannot be looked after at the moment"
                );
                self.rests(Duration::from_secs(1)).await;
            }
        }
    }

    async fn move_due(&self) -> Result<()> {
        for queue in 0..JOB_QUEUES {
            let slot = self.courier.app.keys.jobs(queue);
            scripts::JOB_DUE.on(&slot).run(&self.courier.app.redis).await?;
        }
        Ok(())
    }

    async fn adopt(self: &Arc<Self>, queue: u8, from: &mut String) -> Result<()> {
        let idle = u64::try_from(self.claim_idle().as_millis()).unwrap_or(u64::MAX);
        let slot = self.courier.app.keys.jobs(queue);
        let asked = Instant::now();
        let reply = scripts::JOB_ADOPT.on(&slot).arg("worker", &self.name).int("idle", idle).arg("from", from).run(&self.courier.app.redis);
        let reply = reply.await?;
        if reply.status() == "no_group" {
            "0-0".clone_into(from);
            return Ok(());
        }
        let entries: Vec<Entry> = reply.list(1)?.iter().filter_map(Entry::parse).collect();
        *from = reply.text(0)?;
        self.courier.app.metrics.webhooks.adopted(entries.len());
        self.accept(queue, asked, entries).await;
        Ok(())
    }
}

/// How many jobs an entry has.
fn jobs_of(entry: &Entry) -> usize {
    memchr_iter(BUNDLED as u8, entry.jobs.as_bytes()).count() + 1
}

/// Them.
fn texts_of(entry: &Entry) -> impl Iterator<Item = &str> {
    let (jobs, mut begin) = (entry.jobs.as_str(), 0);
    let ends = memchr_iter(BUNDLED as u8, jobs.as_bytes()).chain(std::iter::once(jobs.len()));
    ends.map(move |end| &jobs[std::mem::replace(&mut begin, end + 1)..end])
}

/// Forgets a worker without jobs; empty: all that were not heard of for long. Trouble does not matter: another worker forgets it later.
pub async fn forget(app: &App, worker: &str) {
    for queue in 0..JOB_QUEUES {
        let slot = app.keys.jobs(queue);
        let call = scripts::JOB_FORGET.on(&slot).arg("worker", worker).int("idle", FORGET_AFTER_MS);
        let _ = call.run(&app.redis).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_jobs_of_an_entry_are_those_between_the_separators() {
        for jobs in [vec!["one"], vec!["one", "two \u{1f} \u{fc}", "three"]] {
            let entry = Entry { id: "1-0".to_owned(), jobs: jobs.join(&BUNDLED.to_string()) };
            assert_eq!((jobs_of(&entry), texts_of(&entry).collect::<Vec<_>>()), (jobs.len(), jobs));
        }
    }
}
