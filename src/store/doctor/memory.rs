//! Room: what happens when memory is full, and how far that is.

use super::Chart;
use super::facts::Facts;

/// Above it, posts are refused already (`src/store/capacity.rs`).
const FULL_PERCENT: u64 = 90;
const NEARLY_FULL_PERCENT: u64 = 80;
const MIB: u64 = 1024 * 1024;

pub(super) fn check(chart: &mut Chart<'_>, facts: &Facts) {
    match facts.info("maxmemory_policy") {
        Ok("noeviction") => chart.ok("maxmemory-policy", "noeviction"),
        Ok(other) => {
            let is = format!("{other}: an evicted claim record hands a task out twice");
            chart.fail("maxmemory-policy", is, "CONFIG SET maxmemory-policy noeviction");
        }
        Err(why) => chart.unknown("maxmemory-policy", why),
    }
    let (most, used) = match (facts.number("maxmemory"), facts.number("used_memory")) {
        (Ok(most), Ok(used)) => (most, used),
        (Err(why), _) | (_, Err(why)) => return chart.unknown("maxmemory", why),
    };
    if most == 0 {
        let half = facts.number("total_system_memory").unwrap_or(0) / 2 / MIB;
        return chart.warn("maxmemory", "not set: the kernel kills Redis when memory is full", format!("CONFIG SET maxmemory {half}mb"));
    }
    let percent = used.saturating_mul(100) / most;
    let is = format!("{} MiB, {percent} % in use", most / MIB);
    let change = format!("CONFIG SET maxmemory {}mb, where the machine has room; else shorten retention", most.max(used).div_ceil(MIB) * 2);
    if percent >= FULL_PERCENT {
        chart.fail("maxmemory", format!("{is}: posts are refused"), change);
    } else if percent >= NEARLY_FULL_PERCENT {
        chart.warn("maxmemory", is, change);
    } else {
        chart.ok("maxmemory", is);
    }
}
