//! Who loses a right loses it at every replica: at once when the replicas hear of it, within a second when they do not.
//!
//! Replicas remember a key for at most a second and are told over pub/sub when it changes. That message is a hint and may be
//! lost; the second is what holds.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// The promise is one second; the rest is for a busy machine. It may take longer than that now and then, and not for most.
const BOUND: Duration = Duration::from_secs(2);
/// Nothing is remembered for so long.
const SOON: Duration = Duration::from_secs(12);
/// What nobody who still had a right to it would wait for: long enough that an end before it is no coincidence.
const WAIT: u64 = 20;

async fn refused_soon(agent: &Agent, replica: usize, status: u16, code: &str, ask: impl Fn(&Agent) -> Ask) -> Duration {
    let agent = agent.on(replica);
    eventually(&format!("replica {replica} answers {code}"), SOON, || async {
        let reply = ask(&agent).await;
        reply.status == status && reply.body["error"] == code
    })
    .await
}

fn me(agent: &Agent) -> Ask {
    agent.get("/v1/keys/me")
}

async fn waiters(fleet: &Fleet, replica: usize, count: f64) {
    eventually(&format!("{count} requests wait at replica {replica}"), Duration::from_secs(15), || async {
        fleet.metric(replica, "backchannel_waiters").await == Some(count)
    })
    .await;
}

fn spawn(ask: Ask) -> JoinHandle<Reply> {
    tokio::spawn(async move { ask.await })
}

#[tokio::test]
async fn the_other_replica_refuses_a_revoked_or_narrowed_key_at_once() {
    let fleet = Fleet::start(2).await;
    let channel = fleet.agent("owner").await.channel("claimable").await;
    let mut slowest = Vec::new();
    for _ in 0..10 {
        let (leaving, narrowed) = (fleet.agent("leaving").await, fleet.agent("narrowed").await);
        me(&leaving.on(1)).await.ok(200);
        leaving.on(0).delete("/v1/keys/me").await.ok(200);
        slowest.push(refused_soon(&leaving, 1, 401, "unauthorized", me).await);
        narrowed.on(1).list(&channel, "").await.ok(200);
        narrowed.on(0).put("/v1/keys/me/scopes", json!({ "scopes": ["messages:write"] })).await.ok(200);
        slowest.push(refused_soon(&narrowed, 1, 403, "insufficient_scope", |agent| agent.list(&channel, "")).await);
        // The replica that did it knows without being told.
        me(&leaving.on(0)).await.refused(401, "unauthorized");
        narrowed.on(0).list(&channel, "").await.refused(403, "insufficient_scope");
    }
    within_bound(&mut slowest);
    // Without the message it would be most of a second each time. On a busy machine some answers alone take that long.
    assert!(slowest[slowest.len() / 4] < Duration::from_millis(600), "told by the other replica, not by the clock: {slowest:?}");
    fleet.finish().await;
}

/// Most of them; sorts them.
fn within_bound(took: &mut [Duration]) {
    took.sort_unstable();
    assert!(took[took.len() / 2] < BOUND, "{took:?}");
}

#[tokio::test]
async fn a_key_ends_within_a_second_where_the_message_that_says_so_is_lost() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).start().await;
    let channel = fleet.agent("owner").await.channel("claimable").await;

    // Replicas that have just begun to listen know nothing yet, and so they would ask in any case.
    let topic = format!("{}{{fleet}}:keys-changed", fleet.prefix());
    eventually("both replicas listen", Duration::from_secs(10), || async {
        redis.run::<(String, i64)>(&["PUBSUB", "SHARDNUMSUB", &topic]).1 == 2
    })
    .await;
    tokio::time::sleep(Duration::from_millis(100)).await; // and have taken note of it

    // Nothing can be published at all: also who waits already gets nothing more.
    let (leaving, claimer, poster) = (fleet.agent("leaving").await, fleet.agent("claimer").await, fleet.agent("poster").await);
    let empty = poster.channel("claimable").await;
    let reader = spawn(leaving.on(1).list(&empty, &format!("wait={WAIT}")));
    let taker = spawn(claimer.on(1).claim_next(&empty, json!({ "wait": WAIT })));
    waiters(&fleet, 1, 2.0).await;
    let _: () = redis.run(&["ACL", "SETUSER", "default", "-spublish", "-publish"]);
    leaving.on(0).delete("/v1/keys/me").await.ok(200);
    claimer.on(0).delete("/v1/keys/me").await.ok(200);
    let mut took = vec![refused_soon(&leaving, 1, 401, "unauthorized", me).await, refused_soon(&claimer, 1, 401, "unauthorized", me).await];
    let _: () = redis.run(&["ACL", "SETUSER", "default", "+spublish", "+publish"]);
    let message = poster.on(0).post_message(&empty, "not for revoked keys").await;
    reader.await.unwrap().refused(401, "unauthorized");
    // The post woke one claimer: it found its key revoked and took nothing.
    taker.await.unwrap().refused(401, "unauthorized");
    poster.claim(&message).await.ok(200);

    // Or subscriptions are cut in the moment of the revocation.
    for _ in 0..3 {
        let (leaving, narrowed) = (fleet.agent("leaving").await, fleet.agent("narrowed").await);
        me(&leaving.on(1)).await.ok(200);
        narrowed.on(1).list(&channel, "").await.ok(200);
        let _: i64 = redis.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        tokio::join!(async { leaving.on(0).delete("/v1/keys/me").await.ok(200) }, async {
            narrowed.on(0).put("/v1/keys/me/scopes", json!({ "scopes": [] })).await.ok(200)
        },);
        let _: i64 = redis.run(&["CLIENT", "KILL", "TYPE", "pubsub"]);
        took.push(refused_soon(&leaving, 1, 401, "unauthorized", me).await);
        took.push(refused_soon(&narrowed, 1, 403, "insufficient_scope", |agent| agent.list(&channel, "")).await);
    }
    within_bound(&mut took);
    fleet.finish().await;
}

#[tokio::test]
async fn who_waits_under_a_key_that_is_revoked_or_narrowed_gets_no_message() {
    let fleet = Fleet::start(2).await;
    let poster = fleet.agent("poster").await;
    let channel = poster.channel("claimable").await;
    let (leaving, narrowed) = (fleet.agent("leaving").await, fleet.agent("narrowed").await);
    let waiting = [
        spawn(leaving.on(1).list(&channel, &format!("wait={WAIT}"))),
        spawn(leaving.on(1).post("/v1/tasks/subscribe", json!({ "channel": channel, "wait": WAIT }))),
        spawn(leaving.on(1).claim_next(&channel, json!({ "wait": WAIT }))),
    ];
    let narrowed_waiting = [
        spawn(narrowed.on(1).list(&channel, &format!("wait={WAIT}"))),
        spawn(narrowed.on(1).claim_next(&channel, json!({ "wait": WAIT }))),
    ];
    waiters(&fleet, 1, 5.0).await;
    leaving.on(0).delete("/v1/keys/me").await.ok(200);
    narrowed.on(0).put("/v1/keys/me/scopes", json!({ "scopes": ["channels:read"] })).await.ok(200);
    refused_soon(&leaving, 1, 401, "unauthorized", me).await;
    refused_soon(&narrowed, 1, 403, "insufficient_scope", |agent| agent.list(&channel, "")).await;
    let message = poster.on(0).post_message(&channel, "not for them").await;
    for reply in waiting {
        reply.await.unwrap().refused(401, "unauthorized");
    }
    for reply in narrowed_waiting {
        reply.await.unwrap().refused(403, "insufficient_scope");
    }
    poster.claim(&message).await.ok(200);
    fleet.finish().await;
}

#[tokio::test]
async fn a_removed_member_is_refused_everywhere_and_what_it_waits_for_ends() {
    let fleet = Fleet::start(2).await;
    let (owner, member) = (fleet.agent("owner").await, fleet.agent("member").await);
    for round in 0..2 {
        let channel = owner.restricted("claimable").await;
        let members = format!("/v1/channels/{channel}/members");
        let add = owner.on(round).post(&members, json!({ "key_id": member.key_id }));
        add.await.ok(201);
        for replica in 0..2 {
            member.on(replica).list(&channel, "").await.ok(200); // access is never remembered: the script checks it
        }
        let waiting: Vec<_> = (0..2)
            .flat_map(|replica| {
                let member = member.on(replica);
                [
                    spawn(member.list(&channel, &format!("wait={WAIT}"))),
                    spawn(member.list(&channel, &format!("wait={WAIT}&status=unclaimed"))),
                    spawn(member.claim_next(&channel, json!({ "wait": WAIT }))),
                ]
            })
            .collect();
        waiters(&fleet, 0, 3.0).await;
        waiters(&fleet, 1, 3.0).await;
        owner.on(round).delete(&format!("{members}/{}", member.key_id)).await.ok(200);
        let other = member.on(1 - round);
        other.list(&channel, "").await.refused(403, "channel_access_denied");
        other.post_to(&channel, json!({ "content": "x" })).await.refused(403, "channel_access_denied");
        other.claim_next(&channel, json!({})).await.refused(403, "channel_access_denied");
        // Without any further message: the removal itself wakes them.
        for reply in waiting {
            reply.await.unwrap().refused(403, "channel_access_denied");
        }
        let posted: Value = owner.post_to(&channel, json!({ "content": "for the owner" })).await.ok(201);
        owner.claim(posted["message"]["id"].as_str().unwrap()).await.ok(200);
    }
    fleet.finish().await;
}
