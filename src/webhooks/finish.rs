//! How jobs leave a worker: the note for the owner first, then the job leaves its queue, or goes to those that are tried later. Those of one
//! queue that end at about the same time go together.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::job::Job;
use super::push::Outcome;
use super::together::Together;
use super::{millis, repeat};
use crate::app::App;
use crate::messages::SEPARATOR;
use crate::store::keyspace::JOB_QUEUES;
use crate::store::scripts;

/// Jobs that wait for their end in memory. They are small by then; while Redis is in trouble, no more of them pile up.
const MOST_ENDING: usize = 4096;

/// Ends jobs of a worker that holds `H` for each of them.
pub struct Finisher<H> {
    app: App,
    queues: [Together<Ending<H>>; JOB_QUEUES as usize],
    room: Arc<Semaphore>,
    tasks: TaskTracker,
}

/// What becomes of a job.
pub enum End {
    /// Nothing more is to be done about it.
    Done(Option<Note>),
    /// It is to be tried again.
    Later(Due),
}

/// A job that is to be tried later.
pub struct Due {
    /// By Redis' clock.
    pub at_ms: u64,
    /// As it is stored.
    pub job: String,
}

/// A try that succeeded, for the owner of the webhook.
pub struct Note {
    target: String,
    /// What `hooks/delivered` takes of each.
    tried: [String; 2],
}

/// A job that leaves.
struct Ending<H> {
    /// Its entry in the stream.
    entry: String,
    end: End,
    _held: H,
    _room: OwnedSemaphorePermit,
}

impl Note {
    pub fn of(job: &Job, outcome: &Outcome) -> Self {
        let (attempt, status, took_ms) = (job.attempt, outcome.status, millis(outcome.took));
        let mut tried = String::with_capacity(256);
        let _ = write!(tried, "delivered{SEPARATOR}{attempt}{SEPARATOR}{status}{SEPARATOR}{took_ms}{SEPARATOR}{SEPARATOR}");
        job.pack_behind(&mut tried);
        Self { target: job.target.as_str().to_owned(), tried: [job.delivery.clone(), tried] }
    }
}

impl<H: Send + 'static> Finisher<H> {
    pub fn new(app: App, tasks: TaskTracker) -> Self {
        Self { app, queues: Default::default(), room: Arc::new(Semaphore::new(MOST_ENDING)), tasks }
    }

    /// Sees to it that the job ends so, in the background. `held` is dropped when it has, or when Redis was in trouble for too long: then it
    /// will be tried again.
    pub async fn end(self: &Arc<Self>, queue: u8, entry: String, end: End, held: H) {
        let Ok(room) = self.room.clone().acquire_owned().await else { return };
        if self.queues[usize::from(queue)].add(Ending { entry, end, _held: held, _room: room }) {
            let finisher = self.clone();
            self.tasks.spawn(async move { finisher.queues[usize::from(queue)].serve(|all| finisher.write(queue, all)).await });
        }
    }

    async fn write(&self, queue: u8, all: Vec<Ending<H>>) {
        let (mut done, mut later, mut notes) = (Vec::with_capacity(all.len()), Vec::new(), HashMap::<_, Vec<String>>::new());
        let mut held = Vec::with_capacity(all.len());
        for Ending { entry, end, _held, _room } in all {
            held.push((_held, _room));
            match end {
                End::Done(note) => {
                    done.push(entry);
                    if let Some(note) = note {
                        notes.entry(note.target).or_default().extend(note.tried);
                    }
                }
                End::Later(due) => later.extend([entry, due.at_ms.to_string(), due.job]),
            }
        }
        join_all(notes.into_iter().map(|(target, tried)| self.note(target, tried))).await;
        tokio::join!(self.leave(queue, done), self.try_later(queue, later));
    }

    async fn leave(&self, queue: u8, entries: Vec<String>) {
        if entries.is_empty() {
            return;
        }
        let slot = self.app.keys.jobs(queue);
        let call = || scripts::JOB_DONE.on(&slot).rest_of(&entries).may_send_again(true).run(&self.app.redis);
        if let Err(failure) = repeat(call).await {
            tracing::warn!(code = failure.code().spec().word, jobs = entries.len(), "jobs stay in their queue, and will be tried again");
        }
    }

    /// Of each: entry, when it is due, job.
    async fn try_later(&self, queue: u8, jobs: Vec<String>) {
        if jobs.is_empty() {
            return;
        }
        let slot = self.app.keys.jobs(queue);
        let call = || scripts::JOB_SETTLE.on(&slot).rest_of(&jobs).may_send_again(true).run(&self.app.redis);
        if let Err(failure) = repeat(call).await {
            tracing::warn!(code = failure.code().spec().word, jobs = jobs.len() / 3, "jobs stay in their queue, and will be tried again");
        }
    }

    /// Only a note: it must not keep jobs in the queue.
    async fn note(&self, target: String, tried: Vec<String>) {
        let slot = self.app.keys.hook(&target);
        if let Err(failure) = scripts::HOOK_DELIVERED.on(&slot).rest(tried).run(&self.app.redis).await {
            tracing::warn!(code = failure.code().spec().word, "deliveries are missing in their list");
        }
    }
}
