//! Histories ([`crate::history`]) of fleets whose Redis fails over without losing anything: then every promise must hold.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::cluster::Cluster;
use super::sentinels::Sentinels;
use super::{FAILOVER_MS, SOON};
use crate::history::runs::soak_on;
use crate::history::trouble::Trouble;
use crate::support::redis::RedisServer;
use crate::support::wait::{eventually, eventually_blocking};

/// Kills a primary at a moment at which its replicas have all that it has. Writes that were held back for that moment are lost with
/// it, and were not answered.
fn kill_without_loss(primary: &RedisServer, replicas: &[&Arc<RedisServer>]) {
    let _: () = primary.run(&["CLIENT", "PAUSE", "20000", "WRITE"]);
    let written = offset(primary, "master_repl_offset:");
    let have_all = || replicas.iter().all(|replica| offset(replica, "slave_repl_offset:") >= written);
    eventually_blocking("the replicas have all", Duration::from_secs(15), have_all);
    primary.kill9();
}

fn offset(server: &RedisServer, field: &str) -> u64 {
    let info: String = server.run(&["INFO", "replication"]);
    info.lines().find_map(|line| line.strip_prefix(field)?.trim().parse().ok()).unwrap_or_else(|| panic!("{field} in {info}"))
}

/// Does something to Redis; all is whole again when it has a primary and all subscriptions are back.
async fn broken(trouble: &Trouble<'_>, what: &str, how: impl FnOnce(), mut mended: impl FnMut() -> bool) {
    // Somebody always waits somewhere: without that nothing could be seen to come back.
    eventually("replicas have subscribed", SOON, || async { trouble.subscriptions().iter().filter(|n| **n > 0).count() > 3 }).await;
    let fault = async {
        let before = trouble.subscriptions();
        let began = Instant::now();
        how();
        eventually("there is a primary again", SOON, || std::future::ready(mended())).await;
        let promoted = began.elapsed();
        trouble.subscribed_again(&before).await;
        println!("{what}: a new primary after {promoted:?}, all subscriptions after {:?}", began.elapsed());
    };
    trouble.recorder().fault(what, None, fault).await;
}

#[tokio::test]
async fn promises_hold_while_sentinels_replace_a_killed_primary() {
    let redis = Sentinels::start(FAILOVER_MS);
    let run = async |mut trouble: Trouble<'_>| {
        trouble.some_ms(1500, 2500).await;
        let first = redis.primary().expect("there is a primary");
        let replicas: Vec<_> = redis.servers.iter().enumerate().filter(|(n, _)| *n != first).map(|(_, one)| one).collect();
        let kill = || kill_without_loss(&redis.servers[first], &replicas);
        broken(&trouble, "killed primary", kill, || redis.primary().is_some_and(|now| now != first)).await;
        sleep(Duration::from_millis(1500)).await;
    };
    soak_on("sentinel-failover", || redis.fleet().replicas(3), run).await;
}

#[tokio::test]
async fn promises_hold_while_a_cluster_replaces_a_killed_primary_and_takes_it_back() {
    let cluster = Cluster::start(FAILOVER_MS);
    let run = async |mut trouble: Trouble<'_>| {
        trouble.some_ms(1500, 2500).await;
        let slot = cluster.slot(&trouble.world.busy.id);
        let first = cluster.owner(slot).expect("each slot has an owner");
        let second = (first + 3) % cluster.servers.len();
        let kill = || kill_without_loss(&cluster.servers[first], &[&cluster.servers[second]]);
        broken(&trouble, "killed primary", kill, || cluster.owner(slot) == Some(second)).await;
        sleep(Duration::from_millis(500)).await;
        cluster.servers[first].restart();
        eventually("the old primary follows, and the new one knows", SOON, || async {
            let nodes: String = cluster.servers[second].run(&["CLUSTER", "NODES"]);
            let known = nodes.lines().any(|line| line.starts_with(cluster.id(first)) && line.contains("slave"));
            known && cluster.servers[first].run::<String>(&["INFO", "replication"]).contains("master_link_status:up")
        })
        .await;
        // As before an upgrade of a server: its replica takes over in order, and nothing is lost.
        let taking_over = cluster.takes_over(slot, first);
        broken(&trouble, "planned failover", || {}, taking_over).await;
        sleep(Duration::from_millis(1500)).await;
    };
    soak_on("cluster-failover", || cluster.fleet().replicas(3), run).await;
}
