//! What survives a restart of Redis.

use super::Chart;
use super::facts::Facts;

pub(super) fn check(chart: &mut Chart<'_>, facts: &Facts) {
    match facts.info("aof_enabled") {
        Ok("1") => {
            chart.ok("appendonly", "yes");
            super::server::setting(chart, facts, "appendfsync", |value| {
                (value == "no").then(|| ("the kernel decides when: a crash of the machine loses half a minute", "everysec".to_owned()))
            });
        }
        Ok(_) => without_log(chart, facts),
        Err(why) => chart.unknown("appendonly", why),
    }
    last_writes(chart, facts);
}

fn without_log(chart: &mut Chart<'_>, facts: &Facts) {
    const CHANGE: &str = "CONFIG SET appendonly yes, and the same line in redis.conf";
    match facts.config("save") {
        Ok("") => chart.fail("appendonly", "no, and no snapshots: a restart of Redis loses everything", CHANGE),
        Ok(_) => chart.warn("appendonly", "no: a restart of Redis loses what came after the last snapshot", CHANGE),
        Err(why) => chart.warn(
            "appendonly",
            format!("no; whether there are snapshots {}", why.replace("is refused", "cannot be told, CONFIG is refused")),
            CHANGE,
        ),
    }
}

/// After a failed one Redis refuses writes (MISCONF), or has less on the disk than one believes.
fn last_writes(chart: &mut Chart<'_>, facts: &Facts) {
    let last = ["aof_last_write_status", "rdb_last_bgsave_status", "aof_last_bgrewrite_status"];
    let bad: Vec<&str> = last.into_iter().filter(|name| facts.info(name).is_ok_and(|status| status != "ok")).collect();
    match facts.info(last[0]) {
        Err(why) => chart.unknown("last-write", why),
        Ok(_) if bad.is_empty() => chart.ok("last-write", "ok"),
        Ok(_) => chart.fail(
            "last-write",
            format!("failed: {}", bad.join(", ")),
            "look into Redis' log: disk full, or rights of its data folder; then BGSAVE",
        ),
    }
}
