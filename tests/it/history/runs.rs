//! Histories of fleets in trouble: about ten seconds each, repeated by `make soak`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::check::broken_promises;
use super::generators::run;
use super::trouble::Trouble;
use super::wakes::wakes;
use super::world::{Plan, World, seed};
use crate::support::fleet::{Builder, Fleet};
use crate::support::redis::RedisServer;

/// Who waits has what there is for it by then. What is usual is printed.
const WOKEN_WITHIN: Duration = Duration::from_secs(1);
const CALM_AT_THE_END: Duration = Duration::from_millis(1500);

/// One run, or as many as fit into BACKCHANNEL_SOAK_SECONDS, each with a new seed and a new fleet.
async fn soak(name: &str, redis: impl Fn() -> Arc<RedisServer>, trouble: impl AsyncFn(Trouble<'_>)) {
    soak_on(name, || Fleet::builder().replicas(3).redis(&redis()), trouble).await;
}

/// The same with fleets of another kind.
pub async fn soak_on(name: &str, fleet: impl Fn() -> Builder, trouble: impl AsyncFn(Trouble<'_>)) {
    let seconds = std::env::var("BACKCHANNEL_SOAK_SECONDS").ok().map(|text| text.parse().expect("BACKCHANNEL_SOAK_SECONDS is a number"));
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    loop {
        let plan = Plan::new(name, seed(name));
        let fleet = fleet().start().await;
        let world = World::new(&fleet, plan).await;
        let faults = async {
            trouble(Trouble { fleet: &fleet, world: &world, dice: world.dice(0) }).await;
            sleep(CALM_AT_THE_END).await;
        };
        let history = run(&fleet, &world, faults).await;
        let mut times: Vec<u64> = wakes(&history, WOKEN_WITHIN).into_iter().map(|wake| wake.took / 1000).collect();
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied().unwrap_or_default();
        let sizes = (history.len(), history.iter().filter(|e| e.may_have_acted() && !e.is_ok()).count());
        println!(
            "{name}: {} operations, {} of unknown outcome; waiters answered after {} ms (p50), {} (p99), {} (most)",
            sizes.0,
            sizes.1,
            at(50),
            at(99),
            at(100)
        );
        let broken = broken_promises(&history, WOKEN_WITHIN);
        let lines: Vec<_> = broken.iter().take(20).map(|(check, what)| format!("{check:?}: {what}")).collect();
        let (path, seed) = (world.recorder.path().display(), world.plan.seed);
        assert!(
            lines.is_empty(),
            "{name} with BACKCHANNEL_TEST_SEED={seed}, {} broken promises, history in {path}:\n{}",
            broken.len(),
            lines.join("\n")
        );
        fleet.finish().await;
        if Instant::now() >= until {
            return;
        }
    }
}

#[tokio::test]
async fn promises_hold_while_replicas_are_killed_and_restarted() {
    soak("killed-replicas", RedisServer::shared, killed_replicas).await;
}

#[tokio::test]
async fn promises_hold_on_a_cluster_while_replicas_are_killed_and_restarted() {
    soak("killed-replicas-on-a-cluster", RedisServer::cluster_mode, killed_replicas).await;
}

async fn killed_replicas(mut trouble: Trouble<'_>) {
    for _ in 0..8 {
        trouble.some_ms(200, 700).await;
        trouble.kill_a_replica().await;
    }
}

#[tokio::test]
async fn promises_hold_while_replicas_are_frozen_and_thawed() {
    let trouble = async |mut trouble: Trouble<'_>| {
        for _ in 0..2 {
            trouble.some_ms(1000, 2000).await;
            trouble.freeze_a_replica().await;
        }
    };
    soak("frozen-replicas", RedisServer::shared, trouble).await;
}

#[tokio::test]
async fn promises_hold_while_subscriber_connections_are_cut() {
    let trouble = async |mut trouble: Trouble<'_>| {
        for _ in 0..6 {
            trouble.some_ms(200, 2000).await;
            trouble.cut_subscribers().await;
        }
    };
    soak("cut-subscribers", || RedisServer::start_private(&[]), trouble).await;
}

#[tokio::test]
async fn promises_hold_while_redis_is_killed_and_restarted_with_its_append_only_file() {
    let trouble = async |mut trouble: Trouble<'_>| {
        for _ in 0..3 {
            trouble.some_ms(700, 1500).await;
            trouble.kill_redis().await;
        }
    };
    soak("killed-redis", || RedisServer::start_private(&["--appendonly", "yes", "--appendfsync", "always"]), trouble).await;
}
