//! The page of metrics as a set: what it counts, that tools for Prometheus like it, that it does not grow with tenants.

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::json;

use crate::support::fleet::Fleet;
use crate::support::receiver::Receiver;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// The value of one series, labels included; 0: it is not there.
async fn series(fleet: &Fleet, replica: usize, name: &str) -> f64 {
    fleet.metric(replica, name).await.unwrap_or(0.0)
}

async fn sum(fleet: &Fleet, name: &str) -> f64 {
    let mut sum = 0.0;
    for replica in 0..fleet.size() {
        sum += fleet.metric(replica, name).await.unwrap_or(0.0);
    }
    sum
}

/// `promtool check metrics`, which scripts/install-deploy-tools.sh (a part of `make test`) puts into .tools.
fn lint(page: &str) {
    let tool = concat!(env!("CARGO_MANIFEST_DIR"), "/.tools/bin/promtool");
    let mut command = Command::new(tool);
    command.args(["check", "metrics"]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap_or_else(|e| panic!("{tool}: {e}; run make check-deploy once"));
    child.stdin.take().unwrap().write_all(page.as_bytes()).unwrap();
    let out = child.wait_with_output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success() && said.is_empty(), "{said}");
}

#[tokio::test]
async fn work_is_counted_where_it_happens_and_the_page_is_one_that_prometheus_likes() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_LONGPOLL_MAX_WAITERS", "50");
    // Until it is killed Redis is in no trouble, however long a busy machine takes.
    let fleet = fleet.env("BACKCHANNEL_REDIS_TIMEOUT_MS", "15000");
    let fleet = fleet.env("BACKCHANNEL_SURVEY_KEYS_PER_SECOND", "10000").start().await;
    let (worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    let (poster, taker) = (fleet.agent("poster").await, fleet.agent("taker").await);
    let channel = poster.channel_with(json!({ "mode": "claimable", "name": "work", "webhook_url": receiver.url() })).await;
    for n in 0..3 {
        poster.on(n % 2).post_to(&channel, json!({ "content": "x" })).once(&n.to_string()).await.ok(201);
        poster.on(n % 2).post_to(&channel, json!({ "content": "x" })).once(&n.to_string()).await.ok(201);
    }
    let first = taker.on(0).claim_next(&channel, json!({ "lease_seconds": 1 })).await.ok(200)["claimed"]["id"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let again = taker.on(1).claim_next(&channel, json!({ "lease_seconds": 60, "max": 2 })).await.ok(200);
    assert_eq!(again["claimed"]["id"].as_str(), Some(first.as_str()), "the oldest comes first");
    taker.on(0).ack(&first).await.ok(200);
    let other =
        taker.on(0).claim_next(&channel, json!({ "lease_seconds": 60 })).await.ok(200)["claimed"]["id"].as_str().unwrap().to_owned();
    taker.on(0).release(&other).await.ok(200);
    // A lease that a claim by id finds ended, and one that a list finds.
    taker.on(0).claim_with_lease(&other, 1).await.ok(200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    taker.on(0).claim_with_lease(&other, 1).await.ok(200);
    tokio::time::sleep(Duration::from_millis(1100)).await;
    taker.on(1).list(&channel, "status=unclaimed").await.ok(200);
    taker.on(1).list(&channel, "status=unclaimed").await.ok(200);

    for (name, expected) in [
        ("backchannel_messages_posted_total", 3.0),
        ("backchannel_messages_claimed_total", 6.0),
        ("backchannel_messages_redelivered_total", 3.0),
        ("backchannel_claim_age_seconds_count", 3.0),
        ("backchannel_messages_acknowledged_total", 1.0),
        ("backchannel_messages_released_total", 1.0),
        ("backchannel_leases_ended_total", 3.0),
    ] {
        assert_eq!(sum(&fleet, name).await, expected, "{name}");
    }
    assert_eq!(fleet.metric(1, "backchannel_waiters_limit").await, Some(50.0));
    assert_eq!(fleet.metric(0, "backchannel_wake_up_connection_up").await, Some(1.0));
    assert_eq!(series(&fleet, 0, &format!("backchannel_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"))).await, 1.0);
    assert!(series(&fleet, 0, "backchannel_redis_script_duration_seconds_count{script=\"messages/post\"}").await >= 3.0);
    assert!(fleet.metric(0, "backchannel_redis_memory_used_bytes").await.unwrap() > 100_000.0);
    assert!(fleet.metric(0, "backchannel_redis_connections").await.unwrap() >= 1.0);
    caches_count(&fleet, &poster).await;
    waiting_is_counted(&fleet, &poster, &taker).await;

    receiver.gets(1, Duration::from_secs(20)).await;
    what_the_fleet_knows_is_on_every_page(&fleet, &worker).await;
    lint(&fleet.client_on(0).get("/metrics").await.has_status(200).text);
    lint(&worker.metrics().await);
    redis_trouble_is_counted(&fleet, &redis, &poster, &channel).await;
    fleet.abandon(); // its Redis is gone
}

async fn what_the_fleet_knows_is_on_every_page(fleet: &Fleet, worker: &Worker) {
    let names = [
        "backchannel_oldest_open_message_age_seconds",
        "backchannel_open_messages",
        "backchannel_running_leases",
        "backchannel_channels",
        "backchannel_survey_age_seconds",
        "backchannel_survey_duration_seconds",
        "backchannel_webhook_queue_depth",
        "backchannel_webhook_queue_later",
        "backchannel_webhook_oldest_age_seconds",
    ];
    let all_on = |page: String| names.iter().all(|name| page.contains(&format!("# TYPE {name} gauge\n{name} ")));
    eventually("replicas and workers show all of it, zeros too", Duration::from_secs(20), || async {
        all_on(fleet.client_on(1).get("/metrics").await.has_status(200).text) && all_on(worker.metrics().await)
    })
    .await;
    eventually("the worker says that it was it", Duration::from_secs(20), || async {
        worker.metric("backchannel_duty_held").await == 1.0 && worker.metric("backchannel_survey_passes_total").await >= 1.0
    })
    .await;
    assert_eq!(fleet.metric(0, "backchannel_duty_held").await, Some(0.0), "replicas do none of it, and say so");
}

async fn caches_count(fleet: &Fleet, poster: &crate::support::client::Agent) {
    for (cache, path) in [("names", "/v1/channels/work"), ("keys", "/v1/keys/me")] {
        let (hit, miss) = (
            format!("backchannel_cache_lookups_total{{cache=\"{cache}\",result=\"hit\"}}"),
            format!("backchannel_cache_lookups_total{{cache=\"{cache}\",result=\"miss\"}}"),
        );
        tokio::time::sleep(Duration::from_millis(1100)).await; // what was known is forgotten
        let before = (series(fleet, 0, &hit).await, series(fleet, 0, &miss).await);
        for _ in 0..4 {
            poster.on(0).get(path).await.ok(200);
        }
        let after = (series(fleet, 0, &hit).await, series(fleet, 0, &miss).await);
        assert!(after.0 > before.0 && after.1 > before.1, "{cache}: {before:?} → {after:?}");
    }
}

async fn waiting_is_counted(fleet: &Fleet, poster: &crate::support::client::Agent, taker: &crate::support::client::Agent) {
    let channel = poster.channel("broadcast").await;
    let before = fleet.metric(1, "backchannel_wake_ups_total").await.unwrap();
    let waiting = tokio::spawn({
        let (taker, channel) = (taker.on(1), channel.clone());
        async move { taker.list(&channel, "wait=25").await.ok(200) }
    });
    eventually("it waits, and its replica hears of the channel and of what all hear", Duration::from_secs(15), || async {
        let waits = fleet.metric(1, "backchannel_waiters").await == Some(1.0);
        waits && fleet.subscribers(&channel) == 1 && fleet.metric(1, "backchannel_subscriptions").await.unwrap() >= 2.0
    })
    .await;
    poster.on(0).post_to(&channel, json!({ "content": "x" })).await.ok(201);
    waiting.await.unwrap();
    assert!(fleet.metric(1, "backchannel_wake_ups_total").await.unwrap() > before);
    assert_eq!(series(fleet, 1, "backchannel_wait_seconds_count{end=\"messages\",kind=\"list\"}").await, 1.0);
}

async fn redis_trouble_is_counted(fleet: &Fleet, redis: &RedisServer, poster: &crate::support::client::Agent, channel: &str) {
    let before = fleet.metric(0, "backchannel_redis_script_reloads_total").await.unwrap();
    let _: () = redis.run(&["SCRIPT", "FLUSH"]);
    poster.on(0).post_to(channel, json!({ "content": "x" })).await.ok(201);
    assert!(fleet.metric(0, "backchannel_redis_script_reloads_total").await.unwrap() > before);
    assert_eq!(fleet.metric(0, "backchannel_redis_reconnects_total").await, Some(0.0));
    assert_eq!(series(fleet, 0, "backchannel_redis_errors_total{class=\"unavailable\"}").await, 0.0);
    redis.kill9();
    for _ in 0..8 {
        poster.on(0).post_to(channel, json!({ "content": "x" })).await.has_status(503);
    }
    assert!(series(fleet, 0, "backchannel_redis_errors_total{class=\"unavailable\"}").await > 0.0);
    assert!(fleet.metric(0, "backchannel_redis_reconnects_total").await.unwrap() > 0.0);
    assert_eq!(fleet.metric(0, "backchannel_redis_connections").await, Some(0.0));
    assert!(series(fleet, 0, "backchannel_request_errors_total{code=\"storage_unavailable\"}").await > 0.0);
}

#[tokio::test]
async fn the_number_of_series_does_not_grow_with_keys_and_channels() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let mut pages: Vec<BTreeSet<String>> = Vec::new();
    let new = |pages: &[BTreeSet<String>]| match pages {
        [.., before, last] => last.difference(before).cloned().collect::<Vec<_>>(),
        _ => Vec::new(),
    };
    // The first round makes the series of what it does, and reading the page those of itself. What the replica does by itself now and then comes
    // in any round, once; what grew with keys and channels would come in each.
    for round in 0..8 {
        if round >= 3 && new(&pages).is_empty() {
            break;
        }
        for n in 0..15 {
            let (poster, taker) = (fleet.agent(&format!("poster {round} {n}")).await, fleet.agent(&format!("taker {round} {n}")).await);
            let name = format!("channel-{round}-{n}");
            let channel = poster.channel_with(json!({ "mode": "claimable", "name": name })).await;
            let id = poster.post_message(&channel, "x").await;
            let actor = format!("worker-{round}-{n}");
            taker.post(&format!("/v1/messages/{id}/claim"), json!({ "actor": actor })).await.ok(200);
            owner.claim(&id).await.refused(409, "already_claimed");
            taker.post(&format!("/v1/messages/{id}/ack"), json!({ "actor": actor })).await.ok(200);
            poster.get(&format!("/v1/channels/{name}")).await.ok(200);
            poster.get(&format!("/nowhere/{round}/{n}")).await.refused(404, "not_found");
        }
        let page = fleet.client().get("/metrics").await.has_status(200).text;
        let names = page.lines().filter(|line| !line.starts_with('#')).filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned()));
        pages.push(names.collect());
    }
    assert!(new(&pages).is_empty(), "{:?}", new(&pages));
    assert!(pages[1].len() > 100 && pages[1].len() < 1500, "{} series", pages[1].len());
    fleet.finish().await;
}
