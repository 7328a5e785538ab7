//! What the user may do, and whether it works: as the service itself does it.

use std::collections::BTreeSet;
use std::time::Duration;

use deadpool_redis::redis::aio::MultiplexedConnection;
use deadpool_redis::redis::cmd;
use tokio::time::timeout;

use super::Chart;
use super::facts::refused;
use crate::ids::ChannelId;
use crate::settings::Durability;
use crate::store::measure::RedisMetrics;
use crate::store::pubsub::{Event, PubSub};
use crate::store::reply::Reply;
use crate::store::target::{Kind, RedisTarget};
use crate::store::{Keyspace, Redis, scripts};

/// What connections need, besides the scripts; KEY and TOPIC are filled in.
const BESIDES: &[&str] = &[
    "EVAL x 1 KEY",
    "EVALSHA x 1 KEY",
    "PING",
    "INFO",
    "CLIENT INFO",
    "SSUBSCRIBE TOPIC",
    "SUNSUBSCRIBE TOPIC",
    "SPUBLISH TOPIC x",
    "XREADGROUP GROUP x x STREAMS KEY >",
];
/// Where the name of a command is two words.
const WITH_SUBCOMMAND: &[(&str, &str)] = &[("MEMORY", "MEMORY USAGE"), ("XINFO", "XINFO STREAM"), ("XGROUP", "XGROUP CREATE")];
/// So many random keys meet each primary of a cluster, most likely.
const KEYS_IN_A_CLUSTER: usize = 32;
const WAKE_UP: Duration = Duration::from_secs(3);

/// Every command that scripts run, by its first word.
pub(super) fn commands_of_scripts() -> BTreeSet<String> {
    let texts = scripts::ALL.iter().filter_map(|script| Some(script.parsed().ok()?.text()));
    let calls = texts.flat_map(|text| text.split("call('").skip(1));
    calls.filter_map(|rest| rest.split('\'').next()).map(str::to_owned).collect()
}

/// Everything that is needed, as lines of words.
fn needed(chart: &Chart<'_>) -> Vec<String> {
    let keys = Keyspace::new(&chart.settings.key_prefix);
    let (key, topic) = (format!("{}{{doctor}}:mark", chart.settings.key_prefix), keys.wake_topic(&ChannelId::generate()));
    let mut lines: Vec<String> = BESIDES.iter().map(|line| line.replace("KEY", &key).replace("TOPIC", &topic)).collect();
    if matches!(chart.settings.redis_url.kind(), Kind::Cluster(_)) {
        lines.extend(["CLUSTER SLOTS", "ASKING", "ROLE"].map(str::to_owned));
    }
    if chart.settings.durability == Durability::Replicated {
        lines.push("WAIT 1 1".to_owned());
    }
    if chart.settings.survey_keys_per_second > 0 {
        lines.push("SCAN 0".to_owned());
    }
    for command in commands_of_scripts() {
        if ["SPUBLISH", "INFO", "TIME"].contains(&command.as_str()) {
            continue; // above, and before each script
        }
        let name = WITH_SUBCOMMAND.iter().find(|(first, _)| *first == command).map_or(command.as_str(), |(_, both)| both);
        lines.push(format!("{name} {key} {key} {key}")); // some take nothing but keys
    }
    lines
}

/// The rights of the user, asked of the server without running anything.
pub(super) async fn check(chart: &mut Chart<'_>, connection: &mut MultiplexedConnection) {
    let script = match scripts::DOCTOR_RIGHTS.parsed() {
        Ok(script) => script,
        Err(e) => return chart.unknown("acl", e.log_cause().unwrap_or("a script does not fit")),
    };
    let user: String = cmd("ACL").arg("WHOAMI").query_async(connection).await.unwrap_or_else(|_| "USER".to_owned());
    let needed = needed(chart);
    let answer = cmd("EVAL").arg(script.text()).arg(0).arg(&needed).query_async(connection).await;
    let denied = match answer.map(|answer| Reply::decode("doctor/rights", "denied", answer)) {
        Ok(Ok(reply)) => (0..reply.len()).filter_map(|i| reply.text(i).ok()).collect::<Vec<_>>(),
        Ok(Err(e)) => return chart.unknown("acl", e.log_cause().unwrap_or("the answer cannot be read")),
        Err(e) if e.code() == Some("NOPERM") => {
            return chart.fail("acl", "the user may not run scripts", format!("ACL SETUSER {user} +eval +evalsha +time"));
        }
        Err(e) => return chart.unknown("acl", &refused("EVAL", &e)),
    };
    if denied.is_empty() {
        return chart.ok("acl", format!("{} commands, keys and channels: all allowed", needed.len()));
    }
    chart.fail("acl", missing(&denied, &needed), change(chart, &user, &denied));
}

/// What is denied, by its name. All with a key: then it is the keys.
fn missing(denied: &[String], needed: &[String]) -> String {
    let has_key = |line: &&String| line.contains("{doctor}");
    if needed.iter().filter(has_key).all(|line| denied.contains(line)) {
        return "no right on the keys of the prefix".to_owned();
    }
    format!("not allowed: {}", denied.iter().map(|line| name_of(line)).collect::<Vec<_>>().join(" "))
}

fn name_of(line: &str) -> String {
    let mut words = line.split(' ');
    let first = words.next().unwrap_or_default();
    match words.next() {
        Some(second) if ["CLIENT", "CLUSTER", "MEMORY", "XINFO", "XGROUP"].contains(&first) => format!("{first}|{second}"),
        _ => first.to_owned(),
    }
}

fn change(chart: &Chart<'_>, user: &str, denied: &[String]) -> String {
    let prefix = &chart.settings.key_prefix;
    let commands: Vec<_> = denied.iter().map(|line| format!("+{}", name_of(line).to_ascii_lowercase())).collect();
    format!("ACL SETUSER {user} ~{prefix}* &{prefix}* {}", commands.join(" "))
}

/// A script that writes, and a wake-up that arrives: over the connections that the service uses.
pub(super) async fn check_use(chart: &mut Chart<'_>) {
    let settings = chart.settings;
    let keys = Keyspace::new(&settings.key_prefix);
    let started = RedisMetrics::new(&prometheus::Registry::new())
        .map_err(anyhow::Error::from)
        .and_then(|metrics| Redis::start(&settings.redis_url, 1, settings.redis_timeout, None, metrics));
    let redis = match started {
        Ok(redis) => redis,
        Err(e) => return chart.unknown("writes", &e.to_string()),
    };
    let _ = timeout(WAKE_UP, async { while redis.ping().await.is_err() {} }).await;
    let tries = if matches!(settings.redis_url.kind(), Kind::Cluster(_)) { KEYS_IN_A_CLUSTER } else { 1 };
    let mut written = Ok(());
    for _ in 0..tries {
        let slot = keys.channel(&ChannelId::generate());
        if let Err(e) = scripts::REPLICATION_MARK.on(&slot).may_send_again(true).run(&redis).await {
            written = Err(e.log_cause().unwrap_or("no cause is known").to_owned());
            break;
        }
    }
    match written {
        Ok(()) => chart.ok("writes", "a script writes"),
        Err(cause) => chart.fail("writes", format!("refused: {cause}"), "see the other lines; Redis' log says more"),
    }
    match timeout(WAKE_UP, wake_up(&redis, &settings.redis_url, &keys.wake_topic(&ChannelId::generate()))).await {
        Ok(Ok(())) => chart.ok("wake-ups", "a wake-up arrives"),
        Ok(Err(why)) => chart.fail("wake-ups", why, "allow sharded pub/sub: no proxy before Redis, and the rights of `acl`"),
        Err(_) => chart.fail("wake-ups", "none arrived in 3 s", "allow sharded pub/sub: no proxy before Redis, and the rights of `acl`"),
    }
    redis.close();
}

async fn wake_up(redis: &Redis, target: &RedisTarget, topic: &str) -> Result<(), String> {
    let (subscriber, mut events) = PubSub::connect(target).map_err(|e| e.to_string())?;
    let heard = async {
        subscriber.ssubscribe(topic).await.map_err(|e| e.to_string())?;
        redis.shard_publish(topic, "1").await.map_err(|e| format!("{e:?}"))?;
        loop {
            if let Some(Event::Message { topic: heard, .. }) = events.next().await
                && heard == topic
            {
                return Ok(());
            }
        }
    };
    let heard = timeout(WAKE_UP / 2, heard).await;
    subscriber.close().await;
    heard.unwrap_or_else(|_| Err("none arrived".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_rights_are_those_that_scripts_need() {
        let page = include_str!("../../../docs/security.md");
        let line = page.lines().skip_while(|line| !line.contains("An ACL user needs")).take(3).collect::<String>();
        let named: BTreeSet<&str> = line.split(|c: char| !c.is_ascii_uppercase()).collect();
        let missing: Vec<_> = commands_of_scripts().into_iter().filter(|command| !named.contains(command.as_str())).collect();
        assert!(missing.is_empty(), "docs/security.md, Redis: {missing:?}");
    }
}
