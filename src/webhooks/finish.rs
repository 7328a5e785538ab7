//! How jobs leave a worker: the note for the owner first, then the entry leaves its queue, and what is to be tried again goes to those that are tried
//! later. Those of one queue that end at about the same time go together.

use std::collections::HashMap;
use std::sync::Arc;

use futures::future::join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::task::TaskTracker;

use super::bundle::Ended;
use super::job::{Job, push_number};
use super::push::Outcome;
use super::together::Together;
use super::{millis, repeat};
use crate::app::App;
use crate::ids::Micros;
use crate::messages::SEPARATOR;
use crate::store::keyspace::JOB_QUEUES;
use crate::store::scripts;

/// Entries that wait for their end in memory. They are small by then; while Redis is in trouble, no more of them pile up.
const MOST_ENDING: usize = 4096;
/// Jobs of one call of a script, at most.
const JOBS_A_CALL: usize = 128;

/// Ends jobs of a worker that holds `H` for each entry of a queue.
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
    /// As `hooks/delivered` takes it.
    tried: String,
}

/// An entry that leaves, and a place among those that do.
type Ending<H> = (Ended<H>, OwnedSemaphorePermit);

/// Entries that leave together.
#[derive(Default)]
struct Leaving {
    /// Those with one job.
    singles: Vec<String>,
    /// Of each other one: id, jobs beyond its first one.
    bundles: Vec<String>,
    /// What `jobs/settle` takes of those with jobs that are to be tried again, a call each.
    later: Vec<Vec<String>>,
    /// Jobs in the last one of these.
    in_call: usize,
    /// What `hooks/delivered` takes, by target.
    notes: HashMap<String, Vec<String>>,
}

impl Leaving {
    fn add(&mut self, entry: String, ends: Vec<End>) {
        let beyond = ends.len().saturating_sub(1);
        let mut again = Vec::new();
        for end in ends {
            match end {
                End::Done(Some(note)) => self.note(note),
                End::Done(None) => {}
                End::Later(due) => again.push(due),
            }
        }
        if again.is_empty() {
            match beyond {
                0 => self.singles.push(entry),
                _ => self.bundles.extend([entry, beyond.to_string()]),
            }
            return;
        }
        self.in_call += again.len();
        if self.in_call > JOBS_A_CALL || self.later.is_empty() {
            self.later.push(Vec::new());
            self.in_call = again.len();
        }
        if let Some(call) = self.later.last_mut() {
            call.extend([entry, beyond.to_string(), again.len().to_string()]);
            call.extend(again.into_iter().flat_map(|due| [due.at_ms.to_string(), due.job]));
        }
    }

    fn note(&mut self, note: Note) {
        match self.notes.get_mut(&note.target) {
            Some(tried) => tried.push(note.tried),
            None => drop(self.notes.insert(note.target, vec![note.tried])),
        }
    }
}

impl Note {
    /// `at`: when it ended, by Redis' clock.
    pub fn of(job: &Job, outcome: &Outcome, at: Micros) -> Self {
        let mut tried = String::with_capacity(256);
        push_number(at.0, &mut tried);
        tried.push(SEPARATOR);
        tried.push_str("delivered");
        for number in [job.attempt.into(), outcome.status.into(), millis(outcome.took)] {
            tried.push(SEPARATOR);
            push_number(number, &mut tried);
        }
        tried.extend([SEPARATOR, SEPARATOR]);
        job.pack_behind(&mut tried);
        Self { target: job.target.as_str().to_owned(), tried }
    }
}

impl<H: Send + 'static> Finisher<H> {
    pub fn new(app: App, tasks: TaskTracker) -> Self {
        Self { app, queues: Default::default(), room: Arc::new(Semaphore::new(MOST_ENDING)), tasks }
    }

    /// Sees to it that its jobs end so, in the background. What it holds is dropped when they have, or when Redis was in trouble for too long: then
    /// they will be tried again.
    pub async fn end(self: &Arc<Self>, ended: Ended<H>) {
        let Ok(room) = self.room.clone().acquire_owned().await else { return };
        let queue = ended.queue;
        if self.queues[usize::from(queue)].add((ended, room)) {
            let finisher = self.clone();
            self.tasks.spawn(async move { finisher.queues[usize::from(queue)].serve(|all| finisher.write(queue, all)).await });
        }
    }

    async fn write(&self, queue: u8, all: Vec<Ending<H>>) {
        let (mut leaving, mut held) = (Leaving::default(), Vec::with_capacity(all.len()));
        for (ended, room) in all {
            leaving.add(ended.entry, ended.ends);
            held.push((ended.held, room));
        }
        let Leaving { singles, mut bundles, later, notes, .. } = leaving;
        join_all(notes.into_iter().map(|(target, tried)| self.note(target, tried))).await;
        let count = bundles.len() / 2;
        bundles.extend(singles);
        tokio::join!(self.leave(queue, count, bundles), join_all(later.into_iter().map(|jobs| self.try_later(queue, jobs))));
    }

    /// `entries`: as `jobs/done` takes them.
    async fn leave(&self, queue: u8, bundles: usize, entries: Vec<String>) {
        if entries.is_empty() {
            return;
        }
        let slot = self.app.keys.jobs(queue);
        let call = || {
            let call = scripts::JOB_DONE.on(&slot).int("bundles", bundles as u64).rest_of(&entries);
            call.may_send_again(true).run(&self.app.redis)
        };
        if let Err(failure) = repeat(call).await {
            tracing::warn!(
                code = failure.code().spec().word,
                entries = entries.len() - bundles,
                "jobs stay in their queue, and will be tried again"
            );
        }
    }

    /// `jobs`: as `jobs/settle` takes them.
    async fn try_later(&self, queue: u8, jobs: Vec<String>) {
        let slot = self.app.keys.jobs(queue);
        let call = || scripts::JOB_SETTLE.on(&slot).rest_of(&jobs).may_send_again(true).run(&self.app.redis);
        if let Err(failure) = repeat(call).await {
            tracing::warn!(code = failure.code().spec().word, "jobs stay in their queue, and will be tried again");
        }
    }

    /// Only a note: it must not keep jobs in the queue.
    async fn note(&self, target: String, mut tried: Vec<String>) {
        let slot = self.app.keys.hook(&target);
        while !tried.is_empty() {
            let behind = tried.split_off(tried.len().min(JOBS_A_CALL));
            let these = std::mem::replace(&mut tried, behind);
            if let Err(failure) = scripts::HOOK_DELIVERED.on(&slot).rest(these).run(&self.app.redis).await {
                tracing::warn!(code = failure.code().spec().word, "deliveries are missing in their list");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(n: u64) -> End {
        End::Later(Due { at_ms: n, job: format!("job {n}") })
    }

    fn delivered(target: &str, tried: &str) -> End {
        End::Done(Some(Note { target: target.to_owned(), tried: tried.to_owned() }))
    }

    #[test]
    fn what_is_done_leaves_and_of_a_bundle_only_what_failed_is_tried_again() {
        let mut leaving = Leaving::default();
        leaving.add("1-0".to_owned(), vec![delivered("a", "1")]);
        leaving.add("2-0".to_owned(), vec![delivered("a", "2"), End::Done(None), delivered("b", "3")]);
        leaving.add("3-0".to_owned(), vec![delivered("a", "4"), later(7), End::Done(None), later(8)]);
        leaving.add("4-0".to_owned(), vec![later(9)]);
        assert_eq!((leaving.singles.clone(), leaving.bundles.clone()), (vec!["1-0".to_owned()], vec!["2-0".to_owned(), "2".to_owned()]));
        assert_eq!(
            leaving.later,
            [["3-0", "3", "2", "7", "job 7", "8", "job 8", "4-0", "0", "1", "9", "job 9"].map(str::to_owned).to_vec()]
        );
        assert_eq!(
            (leaving.notes["a"].clone(), leaving.notes["b"].clone()),
            (["1", "2", "4"].map(str::to_owned).to_vec(), vec!["3".to_owned()])
        );
    }

    #[test]
    fn no_call_settles_more_than_128_jobs() {
        let mut leaving = Leaving::default();
        for n in 0..40 {
            leaving.add(format!("{n}-0"), (0..7).map(later).collect());
        }
        let jobs: Vec<usize> = leaving.later.iter().map(|call| call.len() / (3 + 2 * 7) * 7).collect();
        assert_eq!(jobs, [126, 126, 28]);
    }
}
