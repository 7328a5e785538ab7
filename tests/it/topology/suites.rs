//! The core of the service on each topology.

use super::cluster::Cluster;
use super::core::core;
use super::sentinels::Sentinels;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

#[tokio::test]
async fn the_core_works_on_one_server() {
    let fleet = Fleet::start(2).await;
    core(&fleet).await;
    fleet.finish().await;
}

#[tokio::test]
async fn the_core_works_behind_sentinels() {
    let sentinels = Sentinels::shared();
    // What it leaves behind is looked at too: its first server is the primary, for nobody breaks this one.
    let fleet = Fleet::builder().redis(&sentinels.servers[0]).env("BACKCHANNEL_REDIS_URL", &sentinels.url()).start().await;
    core(&fleet).await;
    fleet.finish().await;
}

#[tokio::test]
async fn the_core_works_on_a_cluster_of_three_primaries() {
    let cluster = Cluster::shared();
    let fleet = cluster.fleet().start().await;
    core(&fleet).await;
    let mut channels = 0;
    for server in &cluster.servers[..3] {
        let keys: Vec<String> = server.run(&["KEYS", &format!("{}*", fleet.prefix())]);
        assert!(!keys.is_empty(), "each primary has a part of it");
        channels += keys.iter().filter(|key| key.ends_with(":meta")).count();
    }
    let worker = Worker::start(&fleet, &[("BACKCHANNEL_SURVEY_KEYS_PER_SECOND", "1000000")]).await;
    eventually("a survey walks over all three", super::SOON, || async { worker.metric("backchannel_channels").await == channels as f64 })
        .await;
    fleet.finish().await;
}
