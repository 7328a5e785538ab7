//! What survives the loss of a primary.

use super::Chart;
use super::facts::Facts;
use crate::settings::Durability;

/// Seconds since a replica's last sign of life.
const LAG_S: u64 = 10;

pub(super) fn check(chart: &mut Chart<'_>, facts: &Facts) {
    match facts.info("role") {
        Ok("master") => chart.ok("role", "primary"),
        Ok(other) => chart.fail("role", other, "point BACKCHANNEL_REDIS_URL at the primary, or use redis-sentinel://"),
        Err(why) => chart.unknown("role", why),
    }
    let count = match facts.number("connected_slaves") {
        Ok(count) => count,
        Err(why) => return chart.unknown("replicas", why),
    };
    let needed = if chart.settings.durability == Durability::Replicated { chart.settings.durability_replicas as u64 } else { 0 };
    let (good, bad) = links(facts, count);
    let is = if bad.is_empty() { good.to_string() } else { format!("{good} in step, and {}", bad.join(", ")) };
    if good < needed {
        let is = format!("{is}: BACKCHANNEL_DURABILITY=replicated asks for {needed}, so writes answer not_replicated");
        chart.fail("replicas", is, "add a replica, with REPLICAOF on its side; or set BACKCHANNEL_DURABILITY_REPLICAS lower");
    } else if !bad.is_empty() {
        chart.warn("replicas", is, "look into the logs of those replicas, and at the network between");
    } else if count == 0 {
        chart.warn("replicas", "none: when this server is lost, so is its data since the last backup", "add a replica, and Sentinel");
    } else {
        chart.ok("replicas", is);
    }
    if count > 0 || needed > 0 {
        refused_when_alone(chart, facts, count);
    }
}

/// How many are in step, and what is with the others.
fn links(facts: &Facts, count: u64) -> (u64, Vec<String>) {
    let mut bad = Vec::new();
    for n in 0..count {
        let Ok(line) = facts.info(&format!("slave{n}")) else { continue };
        let part = |name: &str| line.split(',').find_map(|part| part.strip_prefix(name)?.strip_prefix('=')).unwrap_or("");
        let lag = part("lag").parse().unwrap_or(u64::MAX);
        if part("state") != "online" || lag > LAG_S {
            bad.push(format!("{}:{} is {}, last heard of {} s ago", part("ip"), part("port"), part("state"), part("lag")));
        }
    }
    (count - bad.len() as u64, bad)
}

/// Writes that no replica gets are lost with a failover.
fn refused_when_alone(chart: &mut Chart<'_>, facts: &Facts, count: u64) {
    let (least, lag) = match (facts.config("min-replicas-to-write"), facts.config("min-replicas-max-lag")) {
        (Ok(least), Ok(lag)) => (least.parse().unwrap_or(0), lag.parse().unwrap_or(0)),
        (Err(why), _) | (_, Err(why)) => return chart.unknown("min-replicas-to-write", why),
    };
    if least == 0 || lag == 0 {
        let is = format!("{least}, max-lag {lag}: an old primary takes writes that a failover throws away");
        chart.warn("min-replicas-to-write", is, "CONFIG SET min-replicas-to-write 1 min-replicas-max-lag 10");
    } else if least > count {
        let is = format!("{least}, and {count} are there: all writes are refused");
        chart.fail("min-replicas-to-write", is, format!("add replicas, or CONFIG SET min-replicas-to-write {}", count.max(1)));
    } else if lag > LAG_S {
        chart.warn("min-replicas-to-write", format!("{least}, max-lag {lag} s"), "CONFIG SET min-replicas-max-lag 10");
    } else {
        chart.ok("min-replicas-to-write", format!("{least}, max-lag {lag} s"));
    }
}
