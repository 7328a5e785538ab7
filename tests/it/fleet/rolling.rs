//! All replicas are replaced one by one, under load and behind the load balancer as it is shipped, and nobody notices.
//!
//! *Accepted* is a request that the load balancer took: it is answered, and with what it asked for. That a replica which has left refuses
//! connections is between it and the load balancer, which then goes to the next one. No client here repeats anything.

mod others;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use others::{Followers, Idle, Talk};

use crate::faults::ledger::{Traffic, everything};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::haproxy::{Haproxy, Health};
use crate::support::process::{scratch, serial};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

/// Places 0 to 2 have the release before, places 3 to 5 the next one.
const REPLICAS: usize = 3;
const POSTERS: usize = 3;
const WORKERS: usize = 4;

/// The scripts as of another release: they do the same and have other hashes.
fn scripts_of_the_release_before() -> PathBuf {
    let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("lua");
    let to = scratch().join(format!("lua-before-{}", serial()));
    for area in fs::read_dir(&from).unwrap().flatten().filter(|entry| entry.path().is_dir() && entry.file_name() != "lib") {
        fs::create_dir_all(to.join(area.file_name())).unwrap();
        for file in fs::read_dir(area.path()).unwrap().flatten() {
            let text = fs::read_to_string(file.path()).unwrap().replacen("\n]]\n", "\n]]\nlocal of_the_release_before = true\n", 1);
            fs::write(to.join(area.file_name()).join(file.file_name()), text).unwrap();
        }
    }
    to
}

fn cached_scripts(redis: &RedisServer) -> usize {
    let info: String = redis.run(&["INFO", "memory"]);
    let line = info.lines().find_map(|line| line.strip_prefix("number_of_cached_scripts:")).expect("Redis 7 tells");
    line.trim().parse().expect("a number")
}

/// How many requests a replica has answered.
async fn answered(fleet: &Fleet, replica: usize) -> f64 {
    fleet.metric(replica, "backchannel_requests_total").await.unwrap_or_default()
}

/// What was posted and not yet claimed is there for whoever asks next; then all is done.
async fn do_the_rest(agent: &Agent, channel: &str) {
    loop {
        let taken = agent.claim_next(channel, json!({ "lease_seconds": 600 })).await.ok(200);
        let Some(id) = taken["claimed"]["id"].as_str() else { break };
        assert_eq!(taken["attempt"], 1, "{taken}");
        agent.ack(id).await.ok(200);
    }
    for message in everything(agent, channel).await {
        assert_eq!(message["state"], "done", "accepted, and never given out: {message}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_replicas_are_replaced_under_load_and_nobody_notices() {
    let redis = RedisServer::start_private(&[]);
    let (before, none) = (scripts_of_the_release_before(), scratch().join("no-scripts"));
    let fleet = Fleet::builder()
        .replicas(2 * REPLICAS)
        .redis(&redis)
        .env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.0/8")
        .env("BACKCHANNEL_TEST_LUA_DIR", &before.display().to_string())
        // A busy machine may let Redis wait for its turn: that is no reason to refuse anything, or for all to be taken out of the load balancer.
        .env("BACKCHANNEL_REDIS_TIMEOUT_MS", "10000")
        .env("BACKCHANNEL_UNREADY_AFTER_SECONDS", "30")
        .start()
        .await;
    // The next release has not come yet.
    join_all((REPLICAS..2 * REPLICAS).map(|replica| fleet.terminate(replica))).await;
    let balancer = Haproxy::start(&fleet).await;
    join_all((REPLICAS..2 * REPLICAS).map(|replica| balancer.finds(replica, Health::Down))).await;
    let agent = balancer.client().mint("agent").await;

    let busy = agent.channel("claimable").await;
    let traffic = Traffic::start(&agent, &busy, POSTERS, WORKERS);
    let followers = Followers::start(&agent, &busy);
    let idle = Idle::start(&agent).await;
    let talk = Talk::start(&balancer.client()).await;
    for replica in 0..REPLICAS {
        eventually("every replica has its part", Duration::from_secs(30), || async { answered(&fleet, replica).await > 50.0 }).await;
        let what = format!("somebody waits at replica {replica}");
        eventually(&what, Duration::from_secs(30), || async { fleet.metric(replica, "backchannel_waiters").await > Some(0.0) }).await;
    }
    let scripts = cached_scripts(&redis);

    for old in 0..REPLICAS {
        let new = old + REPLICAS;
        fleet.restart_with(new, &[("BACKCHANNEL_TEST_LUA_DIR", &none.display().to_string())]).await;
        let at_start = answered(&fleet, new).await;
        eventually("the load balancer knows the new one", Duration::from_secs(30), || async {
            answered(&fleet, new).await > at_start + 50.0
        })
        .await;
        if old == 1 {
            assert!(cached_scripts(&redis) > scripts, "both releases have scripts of their own");
            redis.run::<()>(&["SCRIPT", "FLUSH"]);
        }
        let status = fleet.terminate(old).await;
        assert!(status.success(), "replica {old}: {status}");
    }

    let log = format!("{}{{{busy}}}:log", fleet.prefix());
    eventually("there was load", Duration::from_secs(30), || async { redis.run::<usize>(&["XLEN", &log]) > 310 }).await;
    let ledger = traffic.stop().await;
    assert!(ledger.codes.is_empty(), "something was refused: {:?}", ledger.codes);
    assert!(ledger.posted.len() > 300, "there was load: {}", ledger.posted.len());
    let there = everything(&agent, &busy).await;
    assert_eq!(there.len(), ledger.posted.len(), "what was answered is there, and nothing else");
    ledger.check(&agent, &busy).await;
    do_the_rest(&agent, &busy).await;
    followers.saw(&there).await;
    idle.were_sent_away_and_came_back(&agent).await;
    talk.was_whole().await;
    drop(balancer);
    fleet.finish().await;
}
