//! Histories of fleets in trouble: about ten seconds each, repeated by `make soak`.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::check::{broken_promises, wake_times};
use super::generators::run;
use super::world::{Dice, Plan, World, seed};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;

/// A waiter that was not shown a message this long after its post was not woken at all. What is usual is printed.
const WOKEN_WITHIN: Duration = Duration::from_secs(10);

/// One run, or as many as fit into BACKCHANNEL_SOAK_SECONDS, each with a new seed and a new fleet.
async fn soak(name: &str, redis: impl Fn() -> Arc<RedisServer>, trouble: impl AsyncFn(&Fleet, Dice)) {
    let seconds = std::env::var("BACKCHANNEL_SOAK_SECONDS").ok().map(|text| text.parse().expect("BACKCHANNEL_SOAK_SECONDS is a number"));
    let until = Instant::now() + Duration::from_secs(seconds.unwrap_or(0));
    loop {
        let plan = Plan::new(name, seed(name));
        let fleet = Fleet::builder().replicas(3).redis(&redis()).start().await;
        let world = World::new(&fleet, plan).await;
        let dice = world.dice(1000);
        let history = run(&fleet, &world, trouble(&fleet, dice)).await;
        let mut times: Vec<u64> = wake_times(&history).into_iter().map(|(_, _, took)| took / 1000).collect();
        times.sort_unstable();
        let at = |part: usize| times.get(times.len() * part / 100).or(times.last()).copied().unwrap_or_default();
        let sizes = (history.len(), history.iter().filter(|e| e.may_have_acted() && !e.is_ok()).count());
        println!(
            "{name}: {} operations, {} of unknown outcome; shown to waiters after {} ms (p50), {} (p99), {} (most)",
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

async fn some_ms(dice: &mut Dice, least: u64, most: u64) {
    sleep(Duration::from_millis(least + dice.roll(most - least))).await;
}

#[tokio::test]
async fn promises_hold_while_replicas_are_killed_and_restarted() {
    let trouble = async |fleet: &Fleet, mut dice: Dice| {
        for _ in 0..8 {
            some_ms(&mut dice, 200, 700).await;
            let replica = usize::try_from(dice.roll(3)).expect("small");
            fleet.kill9(replica);
            some_ms(&mut dice, 50, 300).await;
            fleet.restart(replica).await;
        }
        sleep(Duration::from_secs(1)).await;
    };
    soak("killed-replicas", RedisServer::shared, trouble).await;
}

#[tokio::test]
async fn promises_hold_while_replicas_are_frozen_and_thawed() {
    let trouble = async |fleet: &Fleet, mut dice: Dice| {
        for _ in 0..2 {
            some_ms(&mut dice, 500, 1000).await;
            let replica = usize::try_from(dice.roll(3)).expect("small");
            fleet.freeze(replica);
            some_ms(&mut dice, 1500, 3000).await; // longer than leases and the patience of clients
            fleet.thaw(replica);
        }
        sleep(Duration::from_secs(1)).await;
    };
    soak("frozen-replicas", RedisServer::shared, trouble).await;
}

#[tokio::test]
async fn promises_hold_while_subscriber_connections_are_cut() {
    let trouble = async |fleet: &Fleet, mut dice: Dice| {
        for _ in 0..12 {
            some_ms(&mut dice, 200, 800).await;
            let _: i64 = fleet.redis().run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        }
        sleep(Duration::from_secs(1)).await;
    };
    soak("cut-subscribers", || RedisServer::start_private(&[]), trouble).await;
}

#[tokio::test]
async fn promises_hold_while_redis_is_killed_and_restarted_with_its_append_only_file() {
    let trouble = async |fleet: &Fleet, mut dice: Dice| {
        for _ in 0..3 {
            some_ms(&mut dice, 700, 1500).await;
            fleet.redis().kill9();
            some_ms(&mut dice, 50, 800).await;
            fleet.redis().restart();
        }
        sleep(Duration::from_secs(2)).await;
    };
    soak("killed-redis", || RedisServer::start_private(&["--appendonly", "yes", "--appendfsync", "always"]), trouble).await;
}
