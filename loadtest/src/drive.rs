//! The closed loop: as many workers as connections, each with one operation at a time, a warm-up, a window.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::future::join_all;

use crate::http::Failure;
use crate::proc::{Usage, Watched};
use crate::stats::{Measured, Spent};

/// What became of one operation.
pub enum Step {
    /// It took this long. A worker may do more than what is timed.
    Done(Duration),
    Failed(Failure),
    /// There is nothing left to do for this worker.
    Exhausted,
}

/// One worker of a scenario, with a connection of its own.
pub trait Work {
    /// Connects and prepares what is not to be measured.
    async fn begin(&mut self) -> Result<(), Failure>;
    /// One operation.
    async fn step(&mut self) -> Step;
}

/// How long to measure.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    pub warm_up: Duration,
    pub length: Duration,
    /// For scenarios that use up what was prepared: how much there is. A tenth of it is the longest warm-up.
    pub stock: Option<u64>,
}

impl Window {
    pub fn seconds(seconds: f64) -> Self {
        Self { warm_up: Duration::from_secs(1), length: Duration::from_secs_f64(seconds), stock: None }
    }

    /// Until there is nothing left.
    pub fn whole() -> Self {
        Self { length: Duration::MAX, ..Self::seconds(0.0) }
    }

    pub fn of_stock(self, stock: u64) -> Self {
        Self { stock: Some(stock), ..self }
    }
}

/// Runs all workers until the window is over or all are exhausted; `watched` is read at both ends of the window.
///
/// # Errors
/// When a worker cannot begin, or a process is gone.
pub async fn drive<W: Work>(scenario: &str, mut workers: Vec<W>, window: Window, watched: &[Watched]) -> Result<Measured> {
    for begun in join_all(workers.iter_mut().map(Work::begin)).await {
        begun?;
    }
    let meter = RefCell::new(Meter::new(window, watched));
    join_all(workers.iter_mut().map(|w| work(w, &meter))).await;
    meter.into_inner().close(scenario)
}

async fn work<W: Work>(worker: &mut W, meter: &RefCell<Meter<'_>>) {
    while !meter.borrow().is_over() {
        match worker.step().await {
            Step::Exhausted => return,
            Step::Done(took) => meter.borrow_mut().record(Ok(took)),
            Step::Failed(failure) => {
                meter.borrow_mut().record(Err(failure));
                tokio::time::sleep(Duration::from_millis(10)).await; // a server that is down is not to be asked a million times
            }
        }
    }
}

/// What all workers write into. The window opens at the end of the warm-up and closes when the last operation has ended.
struct Meter<'a> {
    window: Window,
    watched: &'a [Watched],
    began: Instant,
    warmed: u64,
    open: Option<(Instant, Vec<Usage>)>,
    trouble: Option<anyhow::Error>,
    measured: Measured,
}

impl<'a> Meter<'a> {
    fn new(window: Window, watched: &'a [Watched]) -> Self {
        Self { window, watched, began: Instant::now(), warmed: 0, open: None, trouble: None, measured: Measured::default() }
    }

    fn is_over(&self) -> bool {
        self.trouble.is_some() || self.open.as_ref().is_some_and(|(at, _)| at.elapsed() >= self.window.length)
    }

    fn record(&mut self, outcome: Result<Duration, Failure>) {
        if self.open.is_none() {
            self.warmed += 1;
            let warm = self.began.elapsed() >= self.window.warm_up || self.window.stock.is_some_and(|s| self.warmed * 10 >= s);
            if warm {
                match usages(self.watched) {
                    Ok(before) => self.open = Some((Instant::now(), before)),
                    Err(e) => self.trouble = Some(e),
                }
            }
            return;
        }
        match outcome {
            Ok(took) => self.measured.latencies.record(took),
            Err(failure) => *self.measured.errors.entry(failure.0).or_default() += 1,
        }
    }

    fn close(mut self, scenario: &str) -> Result<Measured> {
        if let Some(trouble) = self.trouble {
            return Err(trouble);
        }
        self.measured.scenario = scenario.to_owned();
        let Some((opened, before)) = self.open else { return Ok(self.measured) };
        self.measured.elapsed = opened.elapsed();
        let after = usages(self.watched)?;
        let pairs = self.watched.iter().zip(before.into_iter().zip(after));
        self.measured.spent =
            pairs.map(|(w, (before, after))| Spent { name: w.name.clone(), cpu: after.cpu.saturating_sub(before.cpu), after }).collect();
        Ok(self.measured)
    }
}

/// # Errors
/// When a process is gone.
pub fn usages(watched: &[Watched]) -> Result<Vec<Usage>> {
    watched.iter().map(Watched::usage).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Countdown(u64);

    impl Work for Countdown {
        async fn begin(&mut self) -> Result<(), Failure> {
            Ok(())
        }

        async fn step(&mut self) -> Step {
            tokio::task::yield_now().await;
            match self.0.checked_sub(1) {
                None => Step::Exhausted,
                Some(left) => {
                    self.0 = left;
                    if left == 0 { Step::Failed(Failure("410 last".into())) } else { Step::Done(Duration::from_micros(5)) }
                }
            }
        }
    }

    #[tokio::test]
    async fn a_stock_is_measured_to_its_end_without_the_warm_up() {
        let workers = (0..4).map(|_| Countdown(100)).collect();
        let measured = drive("x", workers, Window::seconds(60.0).of_stock(400), &[]).await.expect("nothing is watched");
        assert_eq!(measured.operations(), 400 - 40 - 4);
        assert_eq!(measured.errors["410 last"], 4);
    }

    #[tokio::test]
    async fn a_process_that_is_gone_ends_the_measurement() {
        let gone = [Watched::new("gone", u32::MAX)];
        assert!(drive("x", vec![Countdown(100)], Window::seconds(60.0).of_stock(100), &gone).await.is_err());
    }
}
