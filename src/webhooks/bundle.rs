//! An entry of a queue that a worker has: one job, or a bundle of them. It leaves the queue when the last of them has ended, so that Redis takes it
//! out once for all.

use parking_lot::Mutex;

use super::finish::End;

/// Jobs of one entry that are under way. `H` is held until the entry has left the queue.
pub struct Bundle<H>(Mutex<Option<UnderWay<H>>>);

struct UnderWay<H> {
    ended: Ended<H>,
    /// Jobs that have not ended.
    left: usize,
    stays: bool,
}

/// An entry of which all jobs have ended.
pub struct Ended<H> {
    pub queue: u8,
    /// Its id in the stream.
    pub entry: String,
    /// One for each job.
    pub ends: Vec<End>,
    pub held: H,
}

impl<H> Bundle<H> {
    pub fn new(queue: u8, entry: String, jobs: usize, held: H) -> Self {
        let ended = Ended { queue, entry, ends: Vec::with_capacity(jobs), held };
        Self(Mutex::new(Some(UnderWay { ended, left: jobs, stays: false })))
    }

    /// One of its jobs has ended so; none: it stays pending, and all others with it. What leaves the queue, if it was the last one.
    #[must_use]
    pub fn ended(&self, end: Option<End>) -> Option<Ended<H>> {
        let mut bundle = self.0.lock();
        let under_way = bundle.as_mut()?;
        match end {
            Some(end) => under_way.ended.ends.push(end),
            None => under_way.stays = true,
        }
        under_way.left -= 1;
        if under_way.left > 0 {
            return None;
        }
        bundle.take().filter(|all| !all.stays).map(|all| all.ended)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn an_entry_leaves_when_its_last_job_has_ended_and_stays_if_one_of_them_does() {
        let held = Arc::new(());
        let bundle = Bundle::new(3, "1-0".to_owned(), 3, held.clone());
        assert!(bundle.ended(Some(End::Done(None))).is_none() && bundle.ended(Some(End::Done(None))).is_none());
        assert_eq!(Arc::strong_count(&held), 2);
        let ended = bundle.ended(Some(End::Done(None))).expect("it was the last one");
        assert_eq!((ended.queue, ended.entry.as_str(), ended.ends.len()), (3, "1-0", 3));
        drop(ended);

        let bundle = Bundle::new(3, "2-0".to_owned(), 2, held.clone());
        assert!(bundle.ended(None).is_none() && bundle.ended(Some(End::Done(None))).is_none());
        assert_eq!(Arc::strong_count(&held), 1, "nobody holds it, so it can be read again");
    }
}
