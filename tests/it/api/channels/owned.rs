//! `GET /v1/channels?owned=true`

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;

async fn owned(agent: &Agent, query: &str) -> Value {
    agent.get(&format!("/v1/channels?owned=true&{query}")).await.ok(200)
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_key_lists_its_own_channels_found_by_others_or_not() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let first = owner.channel_with(json!({ "name": "first", "mode": "claimable", "access": "restricted" })).await;
    let second = owner.channel("broadcast").await;
    let theirs = other.channel("claimable").await;
    owner.post(&format!("/v1/channels/{theirs}/members"), json!({ "key_id": owner.key_id })).await.refused(403, "forbidden");
    other.post(&format!("/v1/channels/{theirs}/members"), json!({ "key_id": owner.key_id })).await.ok(201);
    let mine = owned(&owner, "").await;
    assert_eq!(ids(&mine), [second.clone(), first.clone()]);
    assert_eq!(mine["data"][1]["discoverable"], false);
    assert!(mine["data"].as_array().unwrap().iter().all(|c| c["is_member"] == true));
    assert_eq!(ids(&owned(&other, "").await), [theirs]);

    let page = owned(&owner, "limit=1").await;
    assert_eq!(ids(&page), [second.as_str()]);
    let rest = owned(&owner, &format!("limit=1&cursor={}", page["next_cursor"].as_str().unwrap())).await;
    assert_eq!(ids(&rest), [first.as_str()]);

    // Renamed it is the same one, in its place; deleted it is gone; its name made again it is another.
    owner.patch(&format!("/v1/channels/{first}"), json!({ "name": "renamed" })).await.ok(200);
    assert_eq!(ids(&owned(&owner, "").await), [second.clone(), first.clone()]);
    owner.delete("/v1/channels/renamed").await.ok(204);
    assert_eq!(ids(&owned(&owner, "").await), [second.as_str()]);
    let again = owner.channel_with(json!({ "name": "renamed", "mode": "claimable" })).await;
    assert_eq!(ids(&owned(&owner, "").await), [again, second]);
    assert_eq!(ids(&owner.get("/v1/channels?owned=false").await.ok(200)).len(), 3, "what all find");
    fleet.finish().await;
}

#[tokio::test]
async fn a_name_whose_channel_was_never_made_is_left_out() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    let list = format!("{}{{{}}}:owned:{}", fleet.prefix(), &owner.key_id[..20], owner.key_id);
    fleet.redis().run::<i64>(&["ZADD", &list, "4000000000000000", "ch_abcdefghij2345672345"]);
    assert_eq!(ids(&owned(&owner, "limit=1").await), [id]);
    fleet.finish().await;
}
