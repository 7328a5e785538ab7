//! `POST /v1/channels/{identifier}/aliases`

use futures::future::join_all;
use serde_json::json;

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

fn alias(agent: &Agent, channel: &str, alias: &str) -> Ask {
    agent.post(&format!("/v1/channels/{channel}/aliases"), json!({ "alias": alias }))
}

#[tokio::test]
async fn an_alias_is_taken_off_by_the_owner_and_is_free_again() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (id, theirs) = (owner.channel("claimable").await, other.channel("claimable").await);
    for word in ["one", "two words", "three"] {
        alias(&owner, &id, word).await.ok(201);
    }
    let path = |word: &str| format!("/v1/channels/{id}/aliases/{word}");
    for replica in 0..2 {
        other.on(replica).get("/v1/channels/two%20words").await.ok(200); // known there
    }
    other.delete(&path("one")).await.refused(403, "forbidden");
    owner.delete(&path("four")).await.refused(404, "alias_not_found");
    owner.delete("/v1/channels/nowhere/aliases/one").await.refused(404, "channel_not_found");
    // Of another channel it is none of this one's.
    other.delete(&format!("/v1/channels/{theirs}/aliases/one")).await.refused(404, "alias_not_found");
    assert_eq!(owner.on(0).delete(&path("two%20words")).await.ok(200), json!({ "status": "removed" }));
    assert_eq!(owner.get(&format!("/v1/channels/{id}")).await.ok(200)["aliases"], json!(["one", "three"]));
    crate::support::wait::eventually("it leads nowhere on any replica", std::time::Duration::from_secs(15), || async {
        other.on(0).get("/v1/channels/two%20words").await.status == 404 && other.on(1).get("/v1/channels/two%20words").await.status == 404
    })
    .await;
    owner.delete(&path("two%20words")).await.refused(404, "alias_not_found");
    alias(&other, &theirs, "two words").await.ok(201);
    owner.delete(&path("two%20words")).await.refused(404, "alias_not_found");
    assert_eq!(owner.get("/v1/channels/two%20words").await.ok(200)["id"], theirs, "it is theirs now");
    owner.get("/v1/channels/one").await.ok(200);
    fleet.finish().await;
}

/// A replica that died between the two steps left an alias on the list that leads nowhere.
#[tokio::test]
async fn a_listed_alias_that_leads_nowhere_is_taken_off_when_it_is_asked_again() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    alias(&owner, &id, "half").await.ok(201);
    fleet.redis().run::<i64>(&["DEL", &format!("{}{{alias:half}}:target", fleet.prefix())]);
    owner.delete(&format!("/v1/channels/{id}/aliases/half")).await.ok(200);
    assert_eq!(owner.get(&format!("/v1/channels/{id}")).await.ok(200)["aliases"], json!([]));
    fleet.finish().await;
}

#[tokio::test]
async fn an_alias_is_global_unique_and_given_by_the_owner() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (id, theirs) = (owner.channel("claimable").await, other.channel("claimable").await);
    let named = alias(&owner, &id, " ops alerts ").await.ok(201);
    assert_eq!((named["id"].as_str(), &named["aliases"]), (Some(id.as_str()), &json!(["ops alerts"])));
    assert_eq!(alias(&owner, "ops%20alerts", "ops alerts").await.ok(201)["aliases"], json!(["ops alerts"]), "again is no conflict");
    assert_eq!(other.get("/v1/channels/ops%20alerts").await.ok(200)["id"], id);
    assert_eq!(alias(&other, &theirs, "ops alerts").await.refused(409, "alias_conflict")["field"], "alias");
    alias(&other, &id, "mine").await.refused(403, "forbidden");
    other.get("/v1/channels/mine").await.refused(404, "channel_not_found");
    alias(&owner, "nowhere", "x").await.refused(404, "channel_not_found");

    let long = "x".repeat(201);
    for bad in ["ch_abcdefghij2345672345", "msg_x", "act_x", "bck_x", "a\u{0}", "a\u{200b}b", long.as_str()] {
        assert_eq!(alias(&owner, &id, bad).await.refused(422, "invalid_alias")["field"], "alias", "{bad:?}");
    }
    alias(&owner, &id, " ").await.refused(422, "invalid_string");
    owner.post(&format!("/v1/channels/{id}/aliases"), json!({})).await.refused(422, "missing_field");
    owner.post(&format!("/v1/channels/{id}/aliases"), json!({ "alias": [1] })).await.refused(422, "invalid_string");

    let racers =
        (0..16).map(|i| alias(if i % 2 == 0 { &owner } else { &other }, if i % 2 == 0 { &id } else { &theirs }, "raced").into_future());
    let replies = join_all(racers).await;
    let winner = other.get("/v1/channels/raced").await.ok(200)["id"].as_str().unwrap().to_owned();
    for reply in replies {
        assert!(if reply.status == 201 { reply.body["id"] == winner } else { reply.body["error"] == "alias_conflict" }, "{}", reply.text);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_channel_has_a_bounded_number_of_aliases_and_can_be_asked_again_for_each() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    for i in 0..20 {
        alias(&owner, &id, &format!("alias-{i}")).once(&format!("k{i}")).await.ok(201);
    }
    let full = alias(&owner, &id, "one-too-many").await.refused(409, "quota_exceeded");
    assert_eq!(full["limit"], "aliases_per_channel");
    owner.get("/v1/channels/one-too-many").await.refused(404, "channel_not_found");
    alias(&owner, &id, "alias-19").await.ok(201);
    assert!(alias(&owner, &id, "alias-19").once("k19").await.has_status(201).is_replay());
    assert_eq!(owner.get("/v1/channels/alias-7").await.ok(200)["aliases"].as_array().unwrap().len(), 20);
    fleet.finish().await;
}

#[tokio::test]
async fn an_own_name_wins_and_the_alias_of_a_channel_that_is_gone_can_be_taken() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let id = owner.channel("claimable").await;
    alias(&owner, &id, "shared word").await.ok(201);
    let theirs = other.channel_with(json!({ "name": "shared word", "mode": "claimable" })).await;
    assert_eq!(other.get("/v1/channels/shared%20word").await.ok(200)["id"], theirs, "the own name");
    assert_eq!(owner.get("/v1/channels/shared%20word").await.ok(200)["id"], id, "the alias");

    // A replica that died while it deleted a channel left its alias behind.
    let key = format!("{}{{alias:left behind}}:target", fleet.prefix());
    fleet.redis().run::<()>(&["SET", &key, "ch_abcdefghij2345672345"]);
    other.get("/v1/channels/left%20behind").await.refused(404, "channel_not_found");
    alias(&other, &theirs, "left behind").await.ok(201);
    assert_eq!(owner.get("/v1/channels/left%20behind").await.ok(200)["id"], theirs);
    fleet.finish().await;
}

#[tokio::test]
async fn a_strangers_alias_does_not_capture_tasks() {
    let fleet = Fleet::start(2).await;
    let (agent, stranger) = (fleet.agent("agent").await, fleet.agent("stranger").await);
    let trap = stranger.channel("claimable").await;
    alias(&stranger, &trap, "deploy-jobs").await.ok(201);
    let task = |word: &str| agent.post("/v1/tasks/post", json!({ "channel": word, "content": "secret work" }));
    let posted = task("deploy-jobs").await.ok(201);
    assert_ne!(posted["channel"], trap, "a channel of the caller's own was made");
    assert_eq!(task("deploy-jobs").await.ok(201)["channel"], posted["channel"]);
    assert_eq!(stranger.list(&trap, "").await.ok(200)["data"], json!([]));

    // Of a channel that it is let into, the alias counts.
    alias(&stranger, &trap, "joined").await.ok(201);
    stranger.post(&format!("/v1/channels/{trap}/members"), json!({ "key_id": agent.key_id })).await.ok(201);
    assert_eq!(task("joined").await.ok(201)["channel"], trap);
    fleet.finish().await;
}
