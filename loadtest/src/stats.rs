//! Latencies, errors and costs of one measurement, and how they are printed.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::proc::Usage;

/// Every latency, in microseconds: four bytes each, and quantiles are exact.
#[derive(Clone, Debug, Default)]
pub struct Latencies(Vec<u32>);

impl Latencies {
    pub fn record(&mut self, latency: Duration) {
        self.0.push(u32::try_from(latency.as_micros()).unwrap_or(u32::MAX));
    }

    pub fn count(&self) -> u64 {
        self.0.len() as u64
    }

    /// The latency that this share (0 to 1) of the operations did not exceed, in microseconds; 0 without any.
    pub fn quantile(&self, share: f64) -> u64 {
        let mut all = self.0.clone();
        let rank = (share.clamp(0.0, 1.0) * all.len() as f64).ceil() as usize;
        match rank.checked_sub(1) {
            Some(place) => u64::from(*all.select_nth_unstable(place).1),
            None => all.into_iter().min().map_or(0, u64::from),
        }
    }

    pub fn max(&self) -> u64 {
        self.quantile(1.0)
    }
}

/// What one process spent in a measurement.
#[derive(Clone, Debug)]
pub struct Spent {
    pub name: String,
    pub cpu: Duration,
    /// What it has used in all, at the end.
    pub after: Usage,
}

/// Adds what the same processes spent in another measurement.
pub fn add_spent(all: &mut Vec<Spent>, more: Vec<Spent>) {
    for spent in more {
        match all.iter_mut().find(|s| s.name == spent.name) {
            Some(known) => *known = Spent { cpu: known.cpu + spent.cpu, ..spent },
            None => all.push(spent),
        }
    }
}

/// One measurement.
#[derive(Clone, Debug, Default)]
pub struct Measured {
    pub scenario: String,
    pub elapsed: Duration,
    pub latencies: Latencies,
    pub errors: BTreeMap<String, u64>,
    pub spent: Vec<Spent>,
}

impl Measured {
    /// Adds another measurement of the same thing. What processes have used in all is what they had at the end of that one.
    pub fn add(&mut self, more: Self) {
        self.scenario = more.scenario;
        self.elapsed += more.elapsed;
        self.latencies.0.extend(more.latencies.0);
        more.errors.into_iter().for_each(|(code, count)| *self.errors.entry(code).or_default() += count);
        add_spent(&mut self.spent, more.spent);
    }

    /// Successful operations.
    pub fn operations(&self) -> u64 {
        self.latencies.count()
    }

    pub fn per_second(&self) -> f64 {
        self.operations() as f64 / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE)
    }

    /// CPU microseconds per successful operation of all processes of this name; none when nothing was measured.
    pub fn cpu_us(&self, name: &str) -> Option<f64> {
        let used: Duration = self.spent.iter().filter(|s| s.name == name).map(|s| s.cpu).sum();
        (self.operations() > 0 && self.spent.iter().any(|s| s.name == name)).then(|| used.as_secs_f64() * 1e6 / self.operations() as f64)
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let l = &self.latencies;
        writeln!(f, "{}: {} operations in {:.2} s = {:.0}/s", self.scenario, l.count(), self.elapsed.as_secs_f64(), self.per_second())?;
        let (p50, p90, p99) = (l.quantile(0.5), l.quantile(0.9), l.quantile(0.99));
        writeln!(f, "  latency ms: p50 {} p90 {} p99 {} max {}", ms(p50), ms(p90), ms(p99), ms(l.max()))?;
        for spent in &self.spent {
            let each = spent.cpu.as_secs_f64() * 1e6 / self.operations().max(1) as f64;
            let busy = 100.0 * spent.cpu.as_secs_f64() / self.elapsed.as_secs_f64().max(f64::MIN_POSITIVE);
            let resident = spent.after.resident as f64 / 1_048_576.0;
            writeln!(f, "  {}: {each:.1} µs of CPU an operation ({busy:.0} % of a core), {resident:.1} MiB resident", spent.name)?;
        }
        for (code, count) in &self.errors {
            writeln!(f, "  error {code}: {count}")?;
        }
        Ok(())
    }
}

/// Microseconds as milliseconds.
pub fn ms(us: u64) -> String {
    format!("{:.3}", us as f64 / 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured() -> Measured {
        let mut m = Measured { scenario: "post".into(), elapsed: Duration::from_secs(2), ..Measured::default() };
        for us in 1..=1000 {
            m.latencies.record(Duration::from_micros(us));
        }
        let spent = |ms| Spent { name: "server".into(), cpu: Duration::from_millis(ms), after: Usage::default() };
        m.spent = vec![spent(30), spent(20)];
        m
    }

    #[test]
    fn quantiles_are_those_of_what_was_recorded() {
        let l = measured().latencies;
        assert_eq!((l.count(), l.quantile(0.5), l.quantile(0.99), l.max()), (1000, 500, 990, 1000));
        assert_eq!((l.quantile(0.0), l.quantile(0.0001)), (1, 1));
        assert_eq!((Latencies::default().quantile(0.5), Latencies::default().max()), (0, 0));
    }

    #[test]
    fn rounds_of_one_measurement_add_up() {
        let one = |us, ms, code: &str| {
            let mut m = Measured { scenario: "post".into(), elapsed: Duration::from_secs(1), ..Measured::default() };
            m.latencies.record(Duration::from_micros(us));
            m.errors.insert(code.into(), 1);
            m.spent = vec![Spent { name: "server".into(), cpu: Duration::from_millis(ms), after: Usage::default() }];
            m
        };
        let mut all = Measured::default();
        [one(5, 3, "429"), one(7, 4, "429"), one(6, 2, "503")].into_iter().for_each(|round| all.add(round));
        assert_eq!((all.operations(), all.latencies.quantile(0.5), all.elapsed), (3, 6, Duration::from_secs(3)));
        assert_eq!((all.errors["429"], all.errors["503"], all.spent.len()), (2, 1, 1));
        assert_eq!(all.cpu_us("server"), Some(3000.0));
    }

    #[test]
    fn rates_and_costs_are_per_successful_operation() {
        let m = measured();
        assert!((m.per_second() - 500.0).abs() < 1e-9);
        assert!((m.cpu_us("server").expect("watched") - 50.0).abs() < 1e-9, "two replicas cost what both cost");
        assert_eq!(m.cpu_us("redis"), None);
        assert_eq!(Measured::default().cpu_us("server"), None);
    }

    #[test]
    fn the_report_names_errors_by_code() {
        let mut m = measured();
        m.errors.insert("429 rate_limited".into(), 3);
        let text = m.to_string();
        assert!(text.contains("1000 operations in 2.00 s = 500/s") && text.contains("error 429 rate_limited: 3"), "{text}");
    }
}
