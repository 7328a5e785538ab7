//! `BACKCHANNEL_DURABILITY=replicated` behind sentinels: a primary is killed or replaced, and nothing that was answered is lost.

use super::SOON;
use super::failover::{PATIENT_MS, kill_unheard, survives};
use super::sentinels::Sentinels;
use crate::faults::ledger::{THROUGH_IT_ALL, Waiters};
use crate::support::fleet::Builder;
use crate::support::wait::eventually;

fn replicated(redis: &Sentinels, replicas: &str) -> Builder {
    let fleet = redis.fleet().env("BACKCHANNEL_REDIS_TIMEOUT_MS", "800").env("BACKCHANNEL_DURABILITY", "replicated");
    let fleet = fleet.env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", &THROUGH_IT_ALL.to_string());
    fleet.env("BACKCHANNEL_DURABILITY_REPLICAS", replicas)
}

/// The same kill loses answered posts where the primary's word is enough (`failover.rs`).
#[tokio::test]
async fn with_confirmations_nothing_that_was_answered_is_lost_with_the_primary() {
    let redis = Sentinels::start(PATIENT_MS);
    let fleet = replicated(&redis, "1").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let first = redis.primary().expect("there is a primary");
    let kill = async || kill_unheard(&redis.servers[first]).await;
    let survived = survives(&fleet, &agent, &channel, waiters, None, kill).await;
    for code in ["not_replicated", "storage_unavailable"] {
        assert!(survived.codes.contains(code), "{:?}", survived.codes);
    }
    fleet.finish().await;
}

/// The old primary takes writes until it is told, after the new one does, and a replica that follows it still confirms them. So all
/// replicas must be asked for: the one that is promoted confirms no more.
#[tokio::test]
async fn a_planned_failover_loses_nothing_that_all_replicas_confirmed() {
    let redis = Sentinels::start(PATIENT_MS);
    let fleet = replicated(&redis, "2").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let first = redis.primary().expect("there is a primary");
    let hand_over = async || {
        let mut replaced = redis.replaces(first);
        eventually("another one is the primary", SOON, || std::future::ready(replaced())).await;
    };
    survives(&fleet, &agent, &channel, waiters, None, hand_over).await;
    let old: String = redis.servers[first].run(&["INFO", "replication"]);
    assert!(old.contains("role:slave"), "it lives on as a replica: {old}");
    fleet.finish().await;
}
