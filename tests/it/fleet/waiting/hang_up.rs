//! Clients that hang up while a claim is on its way to them.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use super::{SOON, answer, held, waiters};
use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

/// Sends a claim that Redis gets while it is frozen, and hangs up before Redis goes on.
async fn hang_up_on(fleet: &Fleet, channel: &str, agent: &Agent, claim: impl Fn() -> Ask) {
    let (redis, key) = (fleet.redis(), format!("{}{{{channel}}}:claims", fleet.prefix()));
    let records = || redis.run::<u64>(&["HLEN", &key]);
    let before = records();
    for _ in 0..5 {
        agent.get("/v1/keys/me").await.ok(200); // so that the next request need not ask Redis who this is
        redis.freeze();
        let lost = claim().within(Duration::from_millis(600)).attempt().await;
        assert!(lost.is_err(), "Redis was to answer nothing");
        // Nothing tells from outside that the replica has noticed. But it has if it then serves others, who need no Redis.
        for _ in 0..3 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            fleet.client_on(0).get("/livez").await.ok(200);
        }
        redis.thaw();
        for _ in 0..20 {
            if records() > before {
                return;
            }
            tokio::time::sleep(Duration::from_millis(150)).await;
        }
        // On a busy machine the key was known too long ago: the replica asked for it, and the claim was not sent.
    }
    panic!("no claim came to Redis");
}

#[tokio::test]
async fn a_claim_whose_client_hung_up_is_given_back_at_once_unless_it_can_be_asked_for_again() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "10000").start().await;
    let (poster, gone, worker) = (fleet.agent("poster").await, fleet.agent("gone").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let given_back = || async { fleet.metric(0, "backchannel_claims_given_back_total").await.unwrap_or(0.0) };

    // Plain claims, which nothing else would ever give back.
    for by_id in [true, false] {
        let before = given_back().await;
        let message = poster.post_message(&channel, "a task").await;
        let claim = || if by_id { gone.on(0).claim(&message) } else { gone.on(0).claim_next(&channel, json!({})) };
        hang_up_on(&fleet, &channel, &gone.on(0), claim).await;
        eventually("the claim is given back", SOON, || async { given_back().await > before }).await;
        let got = answer(held(worker.on(1).claim_next(&channel, json!({ "wait": 10 })))).await.ok(200);
        assert_eq!((&got["claimed"]["id"], &got["attempt"]), (&json!(message), &json!(2)));
    }

    // With a key it stays, and the retry on the other replica is told the same.
    for by_id in [true, false] {
        let message = poster.post_message(&channel, "a task").await;
        let claim = |replica: usize| {
            let gone = gone.on(replica);
            let ask = if by_id { gone.claim(&message) } else { gone.claim_next(&channel, json!({})) };
            ask.once(&format!("try-{by_id}"))
        };
        hang_up_on(&fleet, &channel, &gone.on(0), || claim(0)).await;
        eventually("the claim has been granted", SOON, || async {
            poster.list(&channel, "status=unclaimed").await.ok(200)["data"] == json!([])
        })
        .await;
        let retry = claim(1).await.has_status(200);
        assert!(retry.is_replay());
        let seen = if by_id { &retry.body["message"] } else { &retry.body["claimed"] };
        assert_eq!((&seen["id"], &seen["attempt"]), (&json!(message), &json!(1)));
        worker.claim(&message).await.refused(409, "already_claimed");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn waiting_claimers_who_hang_up_swallow_nothing() {
    let fleet = Fleet::start(2).await;
    let (poster, gone, worker) = (fleet.agent("poster").await, fleet.agent("gone").await, fleet.agent("worker").await);
    // Gone before anything comes.
    let channel = poster.channel("claimable").await;
    let waiting: Vec<_> = (0..6).map(|n| held(gone.on(n % 2).claim_next(&channel, json!({ "wait": 25 })))).collect();
    waiters(&fleet, &[3, 3]).await;
    let survivor = held(worker.on(1).claim_next(&channel, json!({ "wait": 25 })));
    waiters(&fleet, &[3, 4]).await;
    waiting.iter().for_each(tokio::task::JoinHandle::abort);
    waiters(&fleet, &[0, 1]).await;
    poster.post_message(&channel, "a task").await;
    assert_eq!(answer(survivor).await.ok(200)["attempt"], 1);

    // Going in the very moment: it comes back, or its short lease ends; the one who waits on gets it either way.
    let rounds = (0..24u64).map(|round| {
        let (poster, gone, worker) = (&poster, &gone, &worker);
        async move {
            let channel = poster.channel("claimable").await;
            let leaving = held(gone.on(0).claim_next(&channel, json!({ "wait": 25, "lease_seconds": 1 })));
            tokio::time::sleep(Duration::from_millis(100)).await; // mostly it waits by then; if not, that is another round
            let survivor = held(worker.on(1).claim_next(&channel, json!({ "wait": 25 })));
            let post = poster.post_to(&channel, json!({ "content": "a task" })).into_future();
            let leave = async {
                tokio::time::sleep(Duration::from_micros(round * 250)).await;
                leaving.abort();
                leaving.await.ok()
            };
            let (posted, heard) = tokio::join!(post, leave);
            let message = posted.ok(201)["message"]["id"].clone();
            if let Some(reply) = heard.filter(|reply| !reply.body["claimed"].is_null()) {
                assert_eq!(reply.body["claimed"]["id"], message); // it had been answered before it left
            }
            assert_eq!(answer(survivor).await.ok(200)["claimed"]["id"], message);
        }
    });
    join_all(rounds).await;
    fleet.finish().await;
}
