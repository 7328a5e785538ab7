//! `DELETE /v1/channels/{identifier}`

use std::time::Duration;

use serde_json::json;

use crate::support::fleet::Fleet;
use crate::support::keyspace;
use crate::support::wait::eventually;

#[tokio::test]
async fn a_deleted_channel_is_gone_at_once_with_all_its_names_and_keys() {
    let fleet = Fleet::start(2).await;
    let (owner, stranger) = (fleet.agent("owner").await, fleet.agent("stranger").await);
    let limited = json!({ "mode": "claimable", "name": "jobs", "max_writes_per_minute": 100 });
    let id = owner.channel_with(limited.clone()).await;
    for alias in ["jobs-alias", "second alias"] {
        owner.post(&format!("/v1/channels/{id}/aliases"), json!({ "alias": alias })).await.ok(201);
    }
    let message = owner.post_message(&id, "one").await;
    let retracted = owner.post_message(&id, "two").await;
    owner.post_to(&id, json!({ "content": "three" })).once("k").await.ok(201);
    let claimed = owner.claim_with_lease(&message, 60).await.ok(200);
    owner.delete(&format!("/v1/messages/{retracted}")).await.ok(200);
    for word in ["jobs", "jobs-alias", &id] {
        owner.get(&format!("/v1/channels/{word}")).on(1).await.ok(200); // known there
    }

    stranger.delete(&format!("/v1/channels/{id}")).await.refused(403, "forbidden");
    stranger.delete("/v1/channels/jobs").await.refused(404, "channel_not_found");
    owner.on(0).delete("/v1/channels/jobs").await.ok(204);

    let owner_there = owner.on(1);
    for word in ["jobs", "jobs-alias", "second%20alias", &id] {
        owner_there.get(&format!("/v1/channels/{word}")).await.refused(404, "channel_not_found");
        owner_there.post_to(word, json!({ "content": "x" })).await.refused(404, "channel_not_found");
        owner_there.list(word, "").await.refused(404, "channel_not_found");
        owner_there.claim_next(&word.replace("%20", " "), json!({})).await.refused(404, "channel_not_found");
        owner_there.delete(&format!("/v1/channels/{word}")).await.refused(404, "channel_not_found");
    }
    owner_there.claim(&message).await.refused(404, "message_not_found");
    owner_there.ack(&message).await.refused(404, "message_not_found");
    owner_there.heartbeat(claimed["lease_token"].as_str().unwrap(), 60).await.refused(410, "lease_expired");

    let left = keyspace::keys(&mut fleet.redis().conn(), &format!("{}{{{id}}}:*", fleet.prefix()));
    assert!(left.iter().all(|key| key.ends_with(":gone") || key.contains(":idem:")), "{left:?}");
    let again = owner.post("/v1/channels", limited).on(0).await.ok(201);
    assert_ne!(again["id"], id);
    eventually("the name leads to the new channel everywhere", Duration::from_secs(15), || async {
        owner_there.get("/v1/channels/jobs").await.body["id"] == again["id"]
    })
    .await;
    stranger.post("/v1/channels", json!({ "name": "s", "mode": "claimable" })).await.ok(201);
    let alias = stranger.post("/v1/channels/s/aliases", json!({ "alias": "jobs-alias" })).on(1).await.ok(201);
    assert_eq!(alias["aliases"], json!(["jobs-alias"]), "the alias is free again");
    fleet.finish().await;
}

#[tokio::test]
async fn who_waits_on_a_channel_that_is_deleted_is_told_so() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50").start().await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    let mut waiters = Vec::new();
    for replica in 0..2 {
        waiters.push(tokio::spawn(owner.list(&id, "wait=50").on(replica).into_future()));
        waiters.push(tokio::spawn(owner.claim_next(&id, json!({ "wait": 50 })).on(replica).into_future()));
    }
    let topic = format!("{}{{{id}}}:wake", fleet.prefix());
    eventually("both replicas wait", Duration::from_secs(20), || async {
        fleet.redis().run::<(String, i64)>(&["PUBSUB", "SHARDNUMSUB", &topic]).1 == 2
            && fleet.metric(0, "backchannel_waiters").await == Some(2.0)
            && fleet.metric(1, "backchannel_waiters").await == Some(2.0)
    })
    .await;
    // They read once more after they have subscribed. Deleting before that read would make the test easier, never wrong.
    tokio::time::sleep(Duration::from_millis(300)).await;
    owner.delete(&format!("/v1/channels/{id}")).await.ok(204);
    let answers = tokio::time::timeout(Duration::from_secs(15), futures::future::join_all(waiters)).await;
    for answer in answers.expect("answered before their time is up") {
        answer.unwrap().refused(404, "channel_not_found");
    }
    fleet.finish().await;
}
