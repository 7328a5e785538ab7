//! What comes while a call is under way goes together in the next one: many deliveries end at the same time, and each call costs Redis and the
//! worker more than what is in it.

use std::time::Duration;

use parking_lot::Mutex;

/// Most that one call takes.
const MOST: usize = 128;
/// After a call that took less, the next one waits so long for company. The first of all does not wait.
const PAUSE: Duration = Duration::from_millis(16);

/// Items that wait for a call.
pub struct Together<T>(Mutex<Waiting<T>>);

struct Waiting<T> {
    items: Vec<T>,
    /// Somebody makes the calls.
    served: bool,
}

impl<T> Default for Together<T> {
    fn default() -> Self {
        Self(Mutex::new(Waiting { items: Vec::new(), served: false }))
    }
}

impl<T> Together<T> {
    /// True: nobody makes the calls at the moment, so who added it must, with [`Together::serve`].
    #[must_use]
    pub fn add(&self, item: T) -> bool {
        let mut waiting = self.0.lock();
        waiting.items.push(item);
        !std::mem::replace(&mut waiting.served, true)
    }

    /// Calls `run` with up to 128 items until none waits. Must not be dropped before it ends.
    pub async fn serve<F: Future<Output = ()>>(&self, run: impl Fn(Vec<T>) -> F) {
        while let Some(items) = self.next() {
            run(items).await;
            if self.0.lock().items.len() < MOST {
                tokio::time::sleep(PAUSE).await;
            }
        }
    }

    /// None: none waits, and the next one that is added needs somebody to serve it.
    fn next(&self) -> Option<Vec<T>> {
        let mut waiting = self.0.lock();
        if waiting.items.is_empty() {
            waiting.served = false;
            return None;
        }
        let most = waiting.items.len().min(MOST);
        let rest = waiting.items.split_off(most);
        Some(std::mem::replace(&mut waiting.items, rest))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn what_comes_meanwhile_goes_together_and_each_goes_once() {
        let (together, calls) = (Arc::new(Together::default()), Arc::new(Mutex::new(Vec::new())));
        let mut servers = Vec::new();
        for n in 0..300 {
            if together.add(n) {
                let (together, calls) = (together.clone(), calls.clone());
                servers.push(tokio::spawn(async move {
                    let run = |items: Vec<usize>| async {
                        tokio::time::sleep(Duration::from_millis(5)).await;
                        calls.lock().push(items);
                    };
                    together.serve(run).await;
                }));
            }
            if n % 100 == 0 {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        assert_eq!(servers.len(), 1, "one serves all that comes meanwhile");
        for server in servers {
            server.await.expect("it ends");
        }
        let sizes: Vec<usize> = calls.lock().iter().map(Vec::len).collect();
        assert!(sizes[0] == 1 && sizes.len() <= 5 && sizes.iter().all(|size| *size <= MOST), "the first goes at once: {sizes:?}");
        assert_eq!(calls.lock().concat(), (0..300).collect::<Vec<_>>());
        assert!(together.add(300), "and then another must serve");
    }
}
