//! The end of deliveries that need no other try: the note for the owner first, then the job leaves its queue. Those of one queue that end at the
//! same time go together.

use std::collections::HashMap;

use futures::future::join_all;

use super::job::Job;
use super::push::Outcome;
use super::together::Together;
use super::{millis, repeat};
use crate::app::App;
use crate::store::keyspace::JOB_QUEUES;
use crate::store::scripts;

/// Ends deliveries.
pub struct Finisher {
    app: App,
    queues: [Together<Finished>; JOB_QUEUES as usize],
}

/// A job that nothing more is to be done about.
struct Finished {
    /// Its entry in the stream.
    entry: String,
    note: Option<Note>,
}

/// A try that succeeded, for the owner of the webhook.
pub struct Note {
    target: String,
    /// What `hooks/delivered` takes of each.
    tried: [String; 5],
}

impl Note {
    pub fn of(job: &Job, outcome: &Outcome) -> Self {
        let (attempt, status, took_ms) = (job.attempt.to_string(), outcome.status.to_string(), millis(outcome.took).to_string());
        Self { target: job.target.as_str().to_owned(), tried: [job.delivery.clone(), job.pack(), attempt, status, took_ms] }
    }
}

impl Finisher {
    pub fn new(app: App) -> Self {
        Self { app, queues: Default::default() }
    }

    /// Ends when the job has left its queue, or Redis was in trouble for too long: then it will be tried again.
    pub async fn finish(&self, queue: u8, entry: &str, note: Option<Note>) {
        let finished = Finished { entry: entry.to_owned(), note };
        self.queues[usize::from(queue)].call(finished, |all| self.write(queue, all)).await;
    }

    async fn write(&self, queue: u8, all: Vec<Finished>) {
        let (mut entries, mut notes) = (Vec::with_capacity(all.len()), HashMap::<String, Vec<String>>::new());
        for Finished { entry, note } in all {
            entries.push(entry);
            if let Some(note) = note {
                notes.entry(note.target).or_default().extend(note.tried);
            }
        }
        join_all(notes.into_iter().map(|(target, tried)| self.note(target, tried))).await;
        let slot = self.app.keys.jobs(queue);
        let call = || scripts::JOB_DONE.on(&slot).rest(entries.iter().cloned()).may_send_again(true).run(&self.app.redis);
        if let Err(failure) = repeat(call).await {
            tracing::warn!(code = failure.code().spec().word, jobs = entries.len(), "jobs stay in their queue, and will be tried again");
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
