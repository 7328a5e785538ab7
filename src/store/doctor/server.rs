//! The server itself: how far away, which one, its clock, how it treats connections.

use std::time::Duration;

use super::Chart;
use super::facts::Facts;

const NEAR: Duration = Duration::from_millis(10);
const OLDEST: (u32, u32) = (7, 0);
/// Series with a release that mends CVE-2025-49844 (scripts that run code), and that release. Older series got none.
const MENDED: &[(u32, u32, u32)] = &[(7, 2, 11), (7, 4, 6), (8, 0, 4), (8, 2, 2)];
/// What post numbers bridge after a failover.
const CLOCK_BRIDGED_S: f64 = 60.0;
const CLOCK_CLOSE_S: f64 = 1.0;
/// A fleet that grows to so many replicas and workers is to have room.
const FLEET: u64 = 20;
/// Connections of a process besides those for commands: wake-ups, confirmations, a worker's queues.
const BESIDES: u64 = 10;
const PUBSUB_BUFFER: u64 = 8 * 1024 * 1024;
const BUSY_MS: u64 = 1000;

pub(super) fn check(chart: &mut Chart<'_>, facts: &Facts) {
    distance(chart, facts);
    version(chart, facts);
    clock(chart, facts);
    connections(chart, facts);
    settings(chart, facts);
}

fn distance(chart: &mut Chart<'_>, facts: &Facts) {
    let ms = format!("{:.2} ms a round trip", facts.round_trip.as_secs_f64() * 1000.0);
    if facts.round_trip > NEAR {
        chart.warn("reachable", ms, "run Backchannel in Redis' own network: each request takes one to two round trips");
    } else {
        chart.ok("reachable", ms);
    }
}

fn version(chart: &mut Chart<'_>, facts: &Facts) {
    let text = match facts.info("redis_version") {
        Ok(text) => text,
        Err(why) => return chart.unknown("version", why),
    };
    let mut parts = text.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
    let (major, minor, patch) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0), parts.next().unwrap_or(0));
    let mended = MENDED.iter().find(|(a, b, _)| (*a, *b) == (major, minor)).map(|(_, _, patch)| *patch);
    match mended {
        _ if (major, minor) < OLDEST => {
            chart.fail("version", format!("Redis {text}: scripts with flags and sharded pub/sub need 7.0"), "install Redis 7.2 or newer");
        }
        // Valkey says it is Redis 7.2.4, and mended itself under its own numbers.
        Some(mended) if patch < mended && facts.info("valkey_version").is_err() => {
            chart.warn("version", format!("Redis {text} has CVE-2025-49844"), format!("install Redis {major}.{minor}.{mended} or newer"));
        }
        _ => chart.ok("version", format!("Redis {text}")),
    }
}

fn clock(chart: &mut Chart<'_>, facts: &Facts) {
    let Some(ahead) = facts.clock_ahead else { return chart.unknown("clock", "TIME is not answered") };
    let is = format!("{ahead:+.3} s against this machine");
    if ahead.abs() > CLOCK_BRIDGED_S {
        chart.fail("clock", is, "run NTP on both machines; after a failover to such a clock readers skip or repeat messages");
    } else if ahead.abs() > CLOCK_CLOSE_S {
        chart.warn("clock", is, "run NTP on all machines of Redis; leases end by Redis' clock");
    } else {
        chart.ok("clock", is);
    }
}

fn connections(chart: &mut Chart<'_>, facts: &Facts) {
    let (most, now) = match (facts.number("maxclients"), facts.number("connected_clients")) {
        (Ok(most), Ok(now)) => (most, now),
        (Err(why), _) | (_, Err(why)) => return chart.unknown("maxclients", why),
    };
    let of_one = chart.settings.redis_connections as u64 + BESIDES;
    let room = most.saturating_sub(now) / of_one;
    let is = format!("{most}, {now} in use: room for {room} more replicas or workers");
    let change = format!("CONFIG SET maxclients {}", most.max(now + of_one * FLEET * 5));
    match room {
        0 => chart.fail("maxclients", is, change),
        few if few < FLEET => chart.warn("maxclients", is, change),
        _ => chart.ok("maxclients", is),
    }
}

fn settings(chart: &mut Chart<'_>, facts: &Facts) {
    setting(chart, facts, "timeout", |value| {
        (value != "0").then(|| ("idle connections are closed after so many seconds, the one for wake-ups among them", "0".to_owned()))
    });
    setting(chart, facts, "tcp-keepalive", |value| (value == "0").then(|| ("connections that broke silently are kept", "300".to_owned())));
    setting(chart, facts, "notify-keyspace-events", |value| {
        (!value.is_empty()).then(|| ("nobody here needs them, and each write pays", "\"\"".to_owned()))
    });
    setting(chart, facts, "lazyfree-lazy-expire", |value| {
        (value == "no")
            .then(|| ("Redis stands still while it frees a long channel that expired, for tens of milliseconds", "yes".to_owned()))
    });
    setting(chart, facts, "busy-reply-threshold", |value| {
        let ms = value.parse().unwrap_or(0);
        (0 < ms && ms < BUSY_MS).then(|| ("a slow moment is answered BUSY, which is 503", "5000".to_owned()))
    });
    setting(chart, facts, "client-output-buffer-limit", |value| {
        let mut words = value.split_whitespace().skip_while(|word| *word != "pubsub").skip(1);
        let hard: u64 = words.next().and_then(|n| n.parse().ok()).unwrap_or(0);
        let small = 0 < hard && hard < PUBSUB_BUFFER;
        small.then(|| ("pubsub: connections for wake-ups are closed when many come at once", "\"pubsub 32mb 8mb 60\"".to_owned()))
    });
}

/// A setting that is fine, or what is wrong and the value to set.
pub(super) fn setting(chart: &mut Chart<'_>, facts: &Facts, name: &'static str, wrong: impl Fn(&str) -> Option<(&'static str, String)>) {
    let value = match facts.config(name) {
        Ok(value) => value,
        Err(why) => return chart.unknown(name, why),
    };
    let shown = if value.is_empty() { "off" } else { value };
    match wrong(value) {
        Some((why, better)) => chart.warn(name, format!("{shown}: {why}"), format!("CONFIG SET {name} {better}")),
        None => chart.ok(name, shown),
    }
}
