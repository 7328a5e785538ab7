//! `backchannel doctor`: a good Redis, each bad setting, and whether what it says to change mends it.

use std::process::{Command, Output};
use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;

use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(30);
const PASSWORD: &str = "hunter2-hunter2";

/// What CONFIG SET is given, and what is found then: check and level.
type Case<'a> = (&'a [&'a str], &'a [(&'a str, &'a str)]);

/// What a run found, but for what is fine: check, level, and what to change.
struct Found {
    notes: Vec<(String, String, String)>,
    findings: Vec<Value>,
    code: i32,
    text: String,
}

impl Found {
    fn levels(&self) -> Vec<(&str, &str)> {
        let mut levels: Vec<_> = self.notes.iter().map(|(check, level, _)| (check.as_str(), level.as_str())).collect();
        levels.sort_unstable();
        levels
    }

    fn of(&self, check: &str) -> &Value {
        self.findings.iter().find(|finding| finding["check"] == check).unwrap_or_else(|| panic!("no {check}: {}", self.text))
    }

    /// The commands it proposes for this check.
    fn command(&self, check: &str) -> Vec<String> {
        let change = self.of(check)["change"].as_str().expect("a change").to_owned();
        let from = change.find("CONFIG SET").or_else(|| change.find("ACL SETUSER")).unwrap_or_else(|| panic!("no command: {change}"));
        let command = change[from..].split(',').next().expect("a part");
        // A value in quotes is one word.
        let parts = command.split('"').enumerate();
        parts
            .flat_map(|(i, part)| if i % 2 == 1 { vec![part.to_owned()] } else { part.split_whitespace().map(str::to_owned).collect() })
            .collect()
    }
}

fn run(url: &str, env: &[(&str, &str)], arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_backchannel"));
    // What a busy machine lets wait for a moment is no finding.
    command.env("BACKCHANNEL_REDIS_TIMEOUT_MS", "20000");
    command.arg("doctor").args(arguments).env("BACKCHANNEL_REDIS_URL", url).envs(env.iter().copied());
    command.output().expect("the binary was built")
}

fn doctor_with(url: &str, env: &[(&str, &str)]) -> Found {
    let output = run(url, env, &["--json"]);
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let said = format!("{text}{}", String::from_utf8_lossy(&output.stderr));
    assert!(!said.contains(PASSWORD), "{said}");
    let body: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}: {said}"));
    let findings = body["findings"].as_array().expect("findings").clone();
    let word = |finding: &Value, field: &str| finding[field].as_str().unwrap_or_default().to_owned();
    let noted = findings.iter().filter(|finding| finding["level"] != "ok");
    let notes: Vec<_> = noted.map(|finding| (word(finding, "check"), word(finding, "level"), word(finding, "is"))).collect();
    let failed = notes.iter().any(|(_, level, _)| level == "fail");
    assert_eq!((body["ok"].as_bool(), output.status.code()), (Some(!failed), Some(i32::from(failed))), "{said}");
    for finding in findings.iter().filter(|f| f["level"] == "warn" || f["level"] == "fail") {
        assert!(finding["change"].as_str().is_some_and(|change| !change.is_empty()), "what to do about {finding}");
    }
    Found { notes, findings, code: i32::from(failed), text: said }
}

/// What a machine that stood still for a moment makes it find: these measure time, and have no setting.
const OF_A_MOMENT: &[(&str, &str)] = &[("reachable", "warn"), ("clock", "warn"), ("wake-ups", "fail")];

/// The same, and again where it found such a thing; so not where that is what it is to find.
fn doctor_at_rest(url: &str, env: &[(&str, &str)]) -> Found {
    for _ in 0..10 {
        let found = doctor_with(url, env);
        if !found.levels().iter().any(|level| OF_A_MOMENT.contains(level)) {
            return found;
        }
    }
    doctor_with(url, env)
}

fn doctor(url: &str) -> Found {
    doctor_at_rest(url, &[])
}

/// Set as docs/reliability.md asks for it; the second one follows the first.
async fn good() -> (Arc<RedisServer>, Arc<RedisServer>) {
    let safe = ["--appendonly", "yes", "--maxmemory", "1gb", "--min-replicas-to-write", "1", "--repl-diskless-sync-delay", "0"];
    let first = RedisServer::start_private(&safe);
    let second = RedisServer::start_private(&["--replicaof", "127.0.0.1", &first.port().to_string()]);
    // In step also means that nothing is rewritten: a fork would take its memory for its own.
    eventually("its replica follows", SOON, || async {
        let info: String = first.run(&["INFO"]);
        info.contains("state=online") && info.contains("rdb_bgsave_in_progress:0") && info.contains("aof_rewrite_in_progress:0")
    })
    .await;
    (first, second)
}

#[tokio::test]
async fn each_setting_that_is_not_as_promised_is_told_and_what_it_proposes_mends_it() {
    let (redis, _second) = good().await;
    let url = redis.url();
    let calm = doctor(&url);
    assert_eq!((calm.levels(), calm.code), (vec![], 0), "{}", calm.text);
    let checks: Vec<_> = calm.findings.iter().map(|finding| finding["check"].as_str().expect("a word")).collect();
    assert!(checks.contains(&"writes") && checks.contains(&"wake-ups") && checks.len() >= 18, "{checks:?}");

    let used: String = redis.run(&["INFO", "memory"]);
    let used: u64 = used.lines().find_map(|l| l.strip_prefix("used_memory:")?.trim().parse().ok()).expect("a number");
    let (full, nearly) = ((used * 21 / 20).to_string(), (used * 20 / 17).to_string());
    let cases: &[Case<'_>] = &[
        (&["maxmemory-policy", "allkeys-lru"], &[("maxmemory-policy", "fail")]),
        (&["maxmemory", "0"], &[("maxmemory", "warn")]),
        (&["maxmemory", &full], &[("maxmemory", "fail")]),
        (&["maxmemory", &nearly], &[("maxmemory", "warn")]),
        (&["appendonly", "no", "save", ""], &[("appendonly", "fail")]),
        (&["appendonly", "no", "save", "900 1"], &[("appendonly", "warn")]),
        (&["appendfsync", "no"], &[("appendfsync", "warn")]),
        (&["min-replicas-to-write", "0"], &[("min-replicas-to-write", "warn")]),
        (&["min-replicas-max-lag", "60"], &[("min-replicas-to-write", "warn")]),
        (&["min-replicas-to-write", "2"], &[("min-replicas-to-write", "fail"), ("writes", "fail")]),
        (&["timeout", "600"], &[("timeout", "warn")]),
        (&["tcp-keepalive", "0"], &[("tcp-keepalive", "warn")]),
        (&["notify-keyspace-events", "KEA"], &[("notify-keyspace-events", "warn")]),
        (&["lazyfree-lazy-expire", "no"], &[("lazyfree-lazy-expire", "warn")]),
        (&["busy-reply-threshold", "50"], &[("busy-reply-threshold", "warn")]),
        (&["client-output-buffer-limit", "pubsub 1mb 1mb 60"], &[("client-output-buffer-limit", "warn")]),
        (&["maxclients", "60"], &[("maxclients", "warn")]),
        (&["maxclients", "10"], &[("maxclients", "fail")]),
    ];
    for (set, expected) in cases {
        let _: () = redis.run(&[&["CONFIG", "SET"], *set].concat());
        let found = doctor(&url);
        assert_eq!(found.levels(), *expected, "{set:?}: {}", found.text);
        let command = found.command(expected[0].0);
        let _: () = redis.run(&command.iter().map(String::as_str).collect::<Vec<_>>());
        let mended = doctor(&url);
        assert_eq!(mended.levels(), [], "{set:?} after {command:?}: {}", mended.text);
    }
    // In lines for people, one a check.
    let all_ok = |lines: &str| lines.lines().all(|line| line.starts_with("ok    "));
    let told = || String::from_utf8(run(&url, &[], &[]).stdout).expect("UTF-8");
    let mut lines = told();
    for _ in 0..10 {
        if all_ok(&lines) {
            break; // else one of those of a moment
        }
        lines = told();
    }
    assert_eq!(lines.lines().count(), calm.findings.len(), "{lines}");
    assert!(all_ok(&lines), "{lines}");
}

/// The words of `redis-server` in a Compose file, without the folder of the container.
fn of_compose(file: &'static str) -> Vec<&'static str> {
    let command = file.split("command: [redis-server,").nth(1).and_then(|rest| rest.split(']').next()).expect("the service of Redis");
    let words: Vec<_> = command.split(',').map(|word| word.trim().trim_matches('"')).collect();
    words.strip_prefix(&["--dir", "/data"]).expect("its folder comes first").to_vec()
}

/// The same of the chart's `redis.conf`, as it is written into the plain manifests.
fn of_the_chart(manifest: &'static str) -> Vec<String> {
    let file = manifest.split("redis.conf: '").nth(1).expect("a file").trim_end_matches(['\'', '\n', ' ']);
    let lines = file.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    let settings = lines.skip_while(|line| *line == "dir /data").map(|line| line.split_once(' ').expect("a name and a value"));
    settings.flat_map(|(name, value)| [format!("--{name}"), value.trim_matches('"').to_owned()]).collect()
}

#[tokio::test]
async fn a_redis_that_is_shipped_is_as_it_asks_for_but_that_it_is_alone() {
    let chart = of_the_chart(include_str!("../../k8s/components/redis/redis-configmap.yaml"));
    for shipped in [
        of_compose(include_str!("../../docker-compose.yml")),
        of_compose(include_str!("../../docker-compose.self-host.yml")),
        chart.iter().map(String::as_str).collect(),
    ] {
        // Where the tests' own Redis is set as it should be, it is set otherwise first.
        let bad = ["--maxmemory-policy", "allkeys-lru", "--lazyfree-lazy-expire", "no"];
        let redis = RedisServer::start_private(&[&bad[..], &shipped[..]].concat());
        let found = doctor(&redis.url());
        assert_eq!(found.levels(), [("replicas", "warn")], "{shipped:?}: {}", found.text);
    }
}

/// A user with what docs/security.md names.
fn documented_user(redis: &RedisServer) {
    let page = include_str!("../../docs/security.md");
    let rights: String = page.lines().skip_while(|line| !line.contains("An ACL user needs")).take(2).collect();
    let in_capitals = |part: &&str| part.contains(|c: char| c.is_ascii_uppercase()) && !part.contains(|c: char| c.is_ascii_lowercase());
    let quoted = rights.split('`').skip(1).step_by(2).filter(in_capitals);
    let commands = quoted.filter(|part| !part.starts_with("BACKCHANNEL")).flat_map(str::split_whitespace);
    let rights: Vec<String> = commands.map(|command| format!("+{}", command.to_lowercase())).collect();
    let secret = format!(">{PASSWORD}");
    let user = ["ACL", "SETUSER", "agent", "reset", "on", &secret, "~bc:*", "&bc:*"];
    let _: () = redis.run(&user.into_iter().chain(rights.iter().map(String::as_str)).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_right_that_is_missing_is_named_and_what_is_not_told_is_no_failure() {
    let (redis, _second) = good().await;
    let url = format!("redis://agent:{PASSWORD}@127.0.0.1:{}", redis.port());
    documented_user(&redis);
    let managed = doctor(&url);
    assert_eq!(managed.code, 0, "{}", managed.text);
    assert!(managed.notes.iter().all(|(_, level, is)| level == "unknown" && is.contains("CONFIG GET is refused")), "{}", managed.text);
    assert!(managed.levels().contains(&("appendfsync", "unknown")));
    let _: () = redis.run(&["ACL", "SETUSER", "agent", "-info"]);
    let blind = doctor(&url);
    assert_eq!((blind.of("maxmemory-policy")["level"].as_str(), blind.of("acl")["level"].as_str()), (Some("unknown"), Some("fail")));
    documented_user(&redis);

    let cases: &[(&[&str], &str)] = &[
        (&["-zadd"], "not allowed: ZADD"),
        (&["-xreadgroup", "-hset"], "not allowed: XREADGROUP HSET"),
        (&["-memory"], "not allowed: MEMORY|USAGE"),
        (&["resetkeys", "~other:*"], "no right on the keys of the prefix"),
        (&["resetchannels"], "not allowed: SSUBSCRIBE SPUBLISH"),
        (&["-eval", "-evalsha"], "the user may not run scripts"),
    ];
    for (take, told) in cases {
        let _: () = redis.run(&[&["ACL", "SETUSER", "agent"], *take].concat());
        let found = doctor_with(&url, &[]);
        assert_eq!(found.of("acl")["is"], *told, "{}", found.text);
        let command = found.command("acl").join(" ").replace("SETUSER USER", "SETUSER agent");
        let _: () = redis.run(&command.split(' ').collect::<Vec<_>>());
        let mended = doctor(&url);
        assert_eq!(mended.code, 0, "{take:?} after {command}: {}", mended.text);
    }
    let wrong = doctor(&format!("redis://agent:{PASSWORD}x@127.0.0.1:{}", redis.port()));
    assert_eq!(wrong.levels(), [("reachable", "fail")], "{}", wrong.text);
}

#[tokio::test]
async fn a_server_that_is_away_or_alone_or_out_of_time() {
    let redis = RedisServer::start_with_clock(-100, &["--appendonly", "yes", "--maxmemory", "1gb"]);
    let url = redis.url();
    let alone = doctor_at_rest(&url, &[("BACKCHANNEL_DURABILITY", "replicated")]);
    let expected = [("clock", "fail"), ("min-replicas-to-write", "warn"), ("replicas", "fail")];
    assert_eq!(alone.levels(), expected, "{}", alone.text);
    assert_eq!(doctor(&url).levels(), [("clock", "fail"), ("replicas", "warn")]);
    let replica = RedisServer::start_with_clock(
        -5,
        &["--appendonly", "yes", "--maxmemory", "1gb", "--replicaof", "127.0.0.1", &redis.port().to_string()],
    );
    let behind = doctor_with(&replica.url(), &[]);
    assert_eq!(
        (behind.of("clock")["level"].as_str(), behind.of("role")["level"].as_str()),
        (Some("warn"), Some("fail")),
        "{}",
        behind.text
    );
    redis.kill9();
    assert_eq!(doctor(&url).levels(), [("reachable", "fail")]);
    let usage = run(&url, &[("BACKCHANNEL_REDIS_CONNECTIONS", "many")], &[]);
    assert_eq!(usage.status.code(), Some(2), "settings that cannot be used");
}

#[tokio::test]
async fn a_cluster_is_looked_at_as_a_whole() {
    let redis = RedisServer::start_private_cluster(&["--appendonly", "yes", "--maxmemory", "1gb"]);
    let whole = doctor(&redis.url());
    let expected = [("cluster-require-full-coverage", "warn"), ("replicas", "warn"), ("slots", "warn")];
    assert_eq!(whole.levels(), expected, "{}", whole.text);
    assert_eq!(doctor(&redis.plain_url()).of("cluster")["level"], "fail");
    let _: () = redis.run(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]);
    let _: () = redis.run(&["CLUSTER", "DELSLOTS", "0"]);
    let holed = doctor(&redis.url());
    assert_eq!(holed.of("slots")["is"], "16383 of 16384 are served", "{}", holed.text);
    assert_eq!(holed.of("slots")["level"], "fail");
}

#[tokio::test]
async fn sentinels_are_asked_what_they_know() {
    let (redis, _second) = good().await;
    let sentinel = RedisServer::start_sentinel(&format!("sentinel monitor main 127.0.0.1 {} 1", redis.port()));
    let url = format!("redis-sentinel://127.0.0.1:{}?sentinelServiceName=main", sentinel.port());
    eventually("the sentinel has found the replica", SOON, || async {
        doctor(&url).of("sentinel")["is"].as_str().is_some_and(|is| is.ends_with("1 replicas"))
    })
    .await;
    let found = doctor(&url);
    assert_eq!(found.levels(), [("sentinel", "warn")], "{}", found.text);
    assert_eq!(found.of("sentinel")["is"], "1 sentinels, quorum 1, down after 30000 ms, 1 replicas");
    assert_eq!(found.of("role")["at"], "main");
    let unknown = doctor(&url.replace("=main", "=other"));
    assert_eq!(unknown.levels(), [("reachable", "fail"), ("sentinel", "fail")], "{}", unknown.text);
}
