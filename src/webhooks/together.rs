//! Calls that come while one is under way are made together: many deliveries end at the same time, and each call costs Redis and the worker
//! more than what is in it.

use parking_lot::Mutex;
use tokio::sync::oneshot;

/// Most that one call takes.
const MOST: usize = 64;

/// Calls that can be made together.
pub struct Together<T> {
    waiting: Mutex<Vec<(T, oneshot::Sender<()>)>>,
    turn: tokio::sync::Mutex<()>,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), turn: tokio::sync::Mutex::default() }
    }
}

impl<T> Together<T> {
    /// Ends when `run` was called with this item, at once if no other call is under way, and with up to 64 that wait at the moment. Must not be
    /// dropped before it ends.
    pub async fn call<F: Future<Output = ()>>(&self, item: T, run: impl Fn(Vec<T>) -> F) {
        let (ended, mut end) = oneshot::channel();
        self.waiting.lock().push((item, ended));
        loop {
            tokio::select! {
                biased;
                _ = &mut end => return,
                _turn = self.turn.lock() => self.lead(&run).await,
            }
        }
    }

    async fn lead<F: Future<Output = ()>>(&self, run: &impl Fn(Vec<T>) -> F) {
        let (items, ended): (Vec<T>, Vec<_>) = {
            let mut waiting = self.waiting.lock();
            let most = waiting.len().min(MOST);
            waiting.drain(..most).unzip()
        };
        if items.is_empty() {
            return;
        }
        run(items).await;
        for one in ended {
            let _ = one.send(()); // who has gone needs no answer
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together_and_each_ends_after_its_own_call() {
        let (together, calls) = (Arc::new(Together::default()), Arc::new(Mutex::new(Vec::new())));
        let tasks = (0..200).map(|n| {
            let (together, calls) = (together.clone(), calls.clone());
            tokio::spawn(async move {
                let run = |items: Vec<usize>| async {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                    calls.lock().push(items);
                };
                together.call(n, run).await;
                assert!(calls.lock().iter().any(|items| items.contains(&n)), "{n} ended before its call");
            })
        });
        for task in tasks.collect::<Vec<_>>() {
            task.await.expect("it ends");
        }
        let calls = calls.lock();
        assert!(calls.len() <= 6 && calls.iter().all(|items| items.len() <= MOST), "{} calls", calls.len());
        let mut all: Vec<usize> = calls.concat();
        all.sort_unstable();
        assert_eq!(all, (0..200).collect::<Vec<_>>());
    }
}
