//! Claimers who wait: one message, one of them.

use std::collections::BTreeSet;

use futures::future::{join_all, select_all};
use serde_json::json;
use tokio::time::Instant;

use super::{SOON, answer, held, waiters};
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

#[tokio::test]
async fn one_message_goes_to_one_of_the_waiting_and_many_to_as_many() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let claim = |n: usize| held(worker.on(n % 2).claim_next(&channel, json!({ "wait": 25, "actor": format!("w{n}") })));
    let waiting: Vec<_> = (0..12).map(claim).collect();
    waiters(&fleet, &[6, 6]).await;

    let first = poster.post_message(&channel, "first").await;
    let (got, _, waiting) = tokio::time::timeout(SOON, select_all(waiting)).await.expect("nobody was woken");
    let got = got.unwrap().ok(200);
    assert_eq!((&got["claimed"]["id"], &got["attempt"]), (&json!(first), &json!(1)));
    assert!(got["lease_token"].is_string());
    eventually("the others wait on", SOON, || async {
        let at = [fleet.metric(0, "backchannel_waiters").await, fleet.metric(1, "backchannel_waiters").await];
        at.into_iter().flatten().sum::<f64>() == 11.0
    })
    .await;

    // Eleven at once, from both replicas: each of the eleven gets one of them.
    let posted: BTreeSet<String> = join_all((0..11).map(|n| {
        let (poster, channel) = (poster.on(n % 2), &channel);
        async move { poster.post_message(channel, &format!("{n}")).await }
    }))
    .await
    .into_iter()
    .collect();
    let mut taken = BTreeSet::new();
    for waiter in waiting {
        taken.insert(answer(waiter).await.ok(200)["claimed"]["id"].as_str().unwrap().to_owned());
    }
    assert_eq!(taken, posted);
    fleet.finish().await;
}

#[tokio::test]
async fn a_release_wakes_a_waiting_claimer_and_so_does_a_claimer_that_takes_several() {
    let fleet = Fleet::start(2).await;
    let (poster, holder, worker) = (fleet.agent("poster").await, fleet.agent("holder").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    holder.claim(&message).await.ok(200);
    let waiter = held(worker.on(1).claim_next(&channel, json!({ "wait": 25 })));
    waiters(&fleet, &[0, 1]).await;
    holder.on(0).release(&message).await.ok(200);
    let got = answer(waiter).await.ok(200);
    assert_eq!((&got["claimed"]["id"], &got["attempt"]), (&json!(message), &json!(2)));

    // Three come back at once when one holder gives up: whatever takes how many, nobody waits beside an open message.
    for n in 0..3 {
        poster.post_message(&channel, &format!("{n}")).await;
    }
    let three = holder.claim_next(&channel, json!({ "max": 3, "lease_seconds": 60 })).await.ok(200);
    let waiting: Vec<_> = (0..2).map(|n| held(worker.on(n).claim_next(&channel, json!({ "wait": 25, "max": 2 })))).collect();
    waiters(&fleet, &[1, 1]).await;
    for claim in three["claims"].as_array().unwrap() {
        holder.heartbeat(claim["lease_token"].as_str().unwrap(), 1).await.ok(200);
    }
    for waiter in waiting {
        let got = answer(waiter).await.ok(200);
        assert!(got["claims"].as_array().is_some_and(|claims| !claims.is_empty()), "{got}");
    }
    fleet.finish().await;
}

/// Invariant 5: nobody calls, somebody waits.
#[tokio::test]
async fn a_lease_that_ends_while_nobody_calls_wakes_a_waiting_claimer() {
    let fleet = Fleet::start(2).await;
    let (poster, holder, worker) = (fleet.agent("poster").await, fleet.agent("holder").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;

    holder.claim_with_lease(&message, 2).await.ok(200);
    let ends = Instant::now() + std::time::Duration::from_secs(2);
    let got = answer(held(worker.on(1).claim_next(&channel, json!({ "wait": 25, "lease_seconds": 600 })))).await.ok(200);
    let late = ends.elapsed();
    assert_eq!((&got["claimed"]["id"], &got["attempt"]), (&json!(message), &json!(2)));
    println!("claimed {late:?} after the lease ended");
    // Within a second where the machine is idle; without having been reminded it would look again 20 s after it began to wait.
    assert!(late.as_secs() < 10, "{late:?} after the lease ended");

    // The end that a waiter knows of is ten minutes away. Now it is one second, and only the other replica was told.
    let waiter = held(holder.on(1).claim_next(&channel, json!({ "wait": 25 })));
    waiters(&fleet, &[0, 1]).await;
    worker.on(0).heartbeat(got["lease_token"].as_str().unwrap(), 1).await.ok(200);
    assert_eq!(answer(waiter).await.ok(200)["attempt"], 3);
    fleet.finish().await;
}

/// A claim through the other replica comes between a post and the waiter whom it woke; its lease ends soon.
#[tokio::test]
async fn a_short_lease_taken_elsewhere_is_noticed_by_a_waiter_who_knows_of_a_longer_one() {
    let fleet = Fleet::start(2).await;
    let (poster, holder, worker) = (fleet.agent("poster").await, fleet.agent("holder").await, fleet.agent("worker").await);
    let rounds = (0..8).map(|_| {
        let (poster, holder, worker) = (&poster, &holder, &worker);
        async move {
            let channel = poster.channel("claimable").await;
            let long = poster.post_message(&channel, "long").await;
            holder.claim_with_lease(&long, 3600).await.ok(200);
            let waiter = held(worker.on(1).claim_next(&channel, json!({ "wait": 25 })));
            let short = poster.on(0).post_message(&channel, "short").await;
            // Whoever is first: the waiter gets it now, or when this lease has ended.
            let snatched = holder.on(0).claim_with_lease(&short, 1).await.status == 200;
            let got = answer(waiter).await.ok(200);
            assert_eq!((&got["claimed"]["id"], &got["attempt"]), (&json!(short), &json!(if snatched { 2 } else { 1 })));
        }
    });
    join_all(rounds).await;
    fleet.finish().await;
}
