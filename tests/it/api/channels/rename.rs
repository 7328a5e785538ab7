//! `PATCH` of a channel's name.

use futures::future::join_all;
use serde_json::json;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_new_name_leads_to_the_channel_and_the_old_one_is_free() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel_with(json!({ "mode": "claimable", "name": "old" })).await;
    let taken = owner.channel_with(json!({ "mode": "claimable", "name": "taken" })).await;
    let path = format!("/v1/channels/{id}");
    let refusal = owner.patch(&path, json!({ "name": "taken", "description": "x" })).await.refused(409, "channel_name_in_use");
    assert_eq!(refusal["channel_id"], taken);
    assert_eq!(owner.get("/v1/channels/old").await.ok(200)["description"], "");

    let renamed = owner.patch("/v1/channels/old", json!({ "name": " new " })).on(0).await.ok(200);
    assert_eq!((renamed["id"].as_str(), renamed["name"].as_str()), (Some(id.as_str()), Some("new")));
    assert_eq!(owner.patch(&path, json!({ "name": "new" })).on(1).await.ok(200)["name"], "new", "its own name is no conflict");
    let again = owner.post("/v1/channels", json!({ "name": "new", "mode": "claimable" })).on(1).await.ok(200);
    assert_eq!(again["id"], id);
    let other = owner.post("/v1/channels", json!({ "name": "old", "mode": "broadcast" })).on(0).await.ok(201);
    assert_ne!(other["id"], id);
    assert_eq!(owner.get("/v1/channels/old").on(0).await.ok(200)["id"], other["id"]);

    // A rename that was refused has bound nothing.
    let stranger = fleet.agent("stranger").await;
    stranger.patch(&path, json!({ "name": "mine now" })).await.refused(403, "forbidden");
    owner.patch(&path, json!({ "name": "third", "mode": "nonsense" })).await.refused(422, "invalid_mode");
    owner.post_message(&id, "live").await;
    owner.patch(&path, json!({ "name": "third", "mode": "broadcast" })).await.refused(409, "channel_not_empty");
    owner.get("/v1/channels/third").await.refused(404, "channel_not_found");
    assert_eq!(owner.post("/v1/channels", json!({ "name": "third", "mode": "broadcast" })).await.status, 201);
    fleet.finish().await;
}

#[tokio::test]
async fn a_late_retry_of_a_rename_does_not_undo_the_next_one() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel_with(json!({ "mode": "claimable", "name": "first" })).await;
    let path = format!("/v1/channels/{id}");
    let rename = || owner.patch(&path, json!({ "name": "second" })).once("rename");
    rename().await.ok(200);
    owner.patch(&path, json!({ "name": "third" })).await.ok(200);
    assert!(rename().await.has_status(200).is_replay());
    assert_eq!(owner.get(&path).await.ok(200)["name"], "third");
    let again = owner.post("/v1/channels", json!({ "name": "third", "mode": "claimable" })).await.ok(200);
    assert_eq!(again["id"], id, "the name it has leads to it");
    assert_eq!(owner.post("/v1/channels", json!({ "name": "second", "mode": "claimable" })).await.status, 201);
    fleet.finish().await;
}

#[tokio::test]
async fn channels_that_race_for_a_name_get_it_once() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let ids = join_all((0..8).map(|_| owner.channel("claimable"))).await;
    let racers = ids
        .iter()
        .enumerate()
        .map(|(i, id)| owner.patch(&format!("/v1/channels/{id}"), json!({ "name": "wanted" })).on(i % 2).into_future());
    let replies = join_all(racers).await;
    let winners: Vec<_> = replies.iter().filter(|r| r.status == 200).collect();
    assert_eq!(winners.len(), 1);
    assert!(replies.iter().all(|r| r.status == 200 || r.body["channel_id"] == winners[0].body["id"]));
    assert_eq!(owner.get("/v1/channels/wanted").await.ok(200)["id"], winners[0].body["id"]);
    fleet.finish().await;
}
