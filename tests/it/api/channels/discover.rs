//! `GET /v1/channels`

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;

async fn page(agent: &Agent, query: &str) -> Value {
    agent.get(&format!("/v1/channels?{query}")).await.ok(200)
}

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_can_be_found_is_listed_newest_first_and_nothing_of_its_messages() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let open = owner.channel_with(json!({ "name": "news", "mode": "broadcast", "description": "what is new" })).await;
    owner.channel_with(json!({ "mode": "claimable", "discoverable": false })).await;
    owner.restricted("claimable").await;
    let lobby = owner.channel_with(json!({ "mode": "claimable", "access": "restricted", "discoverable": true })).await;
    owner.post_message(&open, "not to be listed").await;
    let posted = other.post("/v1/tasks/post", json!({ "channel": "made on the fly", "content": "x" })).await.ok(201);
    let on_the_fly = posted["channel"].as_str().unwrap().to_owned();

    for replica in 0..2 {
        let found = page(&other.on(replica), "").await;
        assert_eq!(ids(&found), [on_the_fly.clone(), lobby.clone(), open.clone()]);
        assert_eq!((&found["limit"], &found["next_cursor"]), (&json!(50), &Value::Null));
        let members: Vec<_> = found["data"].as_array().unwrap().iter().map(|c| c["is_member"].clone()).collect();
        assert_eq!(members, [true, false, false]);
        let record = other.get(&format!("/v1/channels/{open}")).await.ok(200);
        let expected = json!({ "id": open, "name": "news", "mode": "broadcast", "access": "open", "description": "what is new",
            "created_at": record["created_at"], "is_member": false, "discoverable": true });
        assert_eq!(found["data"][2], expected);
        assert!(!found.to_string().contains("not to be listed"));
    }
    owner.post(&format!("/v1/channels/{lobby}/members"), json!({ "key_id": other.key_id })).await.ok(201);
    assert_eq!(page(&other, "").await["data"][1]["is_member"], true);
    fleet.finish().await;
}

#[tokio::test]
async fn the_list_follows_every_change_of_a_channel() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (older, newer) = (owner.channel("claimable").await, owner.channel("claimable").await);
    let patch = |fields: Value| owner.patch(&format!("/v1/channels/{older}"), fields);
    patch(json!({ "name": "renamed", "description": "changed", "access": "restricted" })).await.ok(200);
    let found = page(&other, "").await["data"][1].clone();
    assert_eq!([&found["name"], &found["description"], &found["access"]], ["renamed", "changed", "restricted"]);
    for _ in 0..2 {
        patch(json!({ "discoverable": false })).await.ok(200);
        assert_eq!(ids(&page(&other, "").await), [newer.as_str()]);
        patch(json!({ "discoverable": true })).await.ok(200);
        assert_eq!(ids(&page(&other, "").await), [newer.clone(), older.clone()], "in its old place");
    }
    other.patch(&format!("/v1/channels/{newer}"), json!({ "discoverable": false })).await.refused(403, "forbidden");
    other.patch(&format!("/v1/channels/{newer}"), json!({ "discoverable": true })).await.refused(403, "forbidden");
    let quiet = owner.channel_with(json!({ "mode": "claimable", "discoverable": false })).await;
    other.patch(&format!("/v1/channels/{quiet}"), json!({ "discoverable": true })).await.refused(403, "forbidden");
    let listing = format!("{}{{discoverable}}:listing", fleet.prefix());
    assert_eq!(fleet.redis().run::<Option<String>>(&["ZSCORE", &listing, &quiet]), None, "a stranger puts nothing on the list");
    patch(json!({ "discoverable": "yes" })).await.refused(422, "invalid_discoverable");
    // Created again it keeps its settings and its place.
    patch(json!({ "discoverable": false })).await.ok(200);
    owner
        .post("/v1/channels", json!({ "name": "renamed", "mode": "claimable", "access": "restricted", "discoverable": true }))
        .await
        .ok(200);
    assert_eq!(ids(&page(&other, "").await), [newer.as_str()]);
    owner.delete(&format!("/v1/channels/{newer}")).await.ok(204);
    owner.delete(&format!("/v1/channels/{older}")).await.ok(204);
    assert_eq!(ids(&page(&other, "").await), [""; 0]);
    fleet.finish().await;
}

#[tokio::test]
async fn pages_go_on_at_their_cursor_and_lose_and_repeat_nothing() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let mut all = Vec::new();
    for _ in 0..7 {
        all.insert(0, owner.channel("claimable").await);
    }
    let mut seen = Vec::new();
    let mut cursor = String::from("0");
    for expected in [3, 3, 1] {
        let page = page(&owner, &format!("limit=3&cursor={cursor}")).await;
        assert_eq!(ids(&page).len(), expected);
        assert_eq!(page["next_cursor"].is_string(), expected == 3, "only where the page is full: {page}");
        seen.extend(ids(&page));
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!(seen, all);
    assert_eq!(page(&owner, "limit=7").await["next_cursor"].as_str().map(|_| ()), Some(()));
    for (query, code, field) in [
        ("limit=0", "invalid_limit", "limit"),
        ("limit=101", "invalid_limit", "limit"),
        ("limit=x", "invalid_limit", "limit"),
        ("cursor=1", "invalid_cursor", "cursor"),
        ("owned=perhaps", "invalid_field", "owned"),
    ] {
        assert_eq!(owner.get(&format!("/v1/channels?{query}")).await.refused(422, code)["field"], field, "{query}");
    }
    fleet.client().get("/v1/channels").await.refused(401, "unauthorized");
    fleet.finish().await;
}

#[tokio::test]
async fn where_the_operator_says_so_open_channels_are_not_listed_unless_asked_for() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_DEFAULT_DISCOVERABLE", "false").start().await;
    let owner = fleet.agent("owner").await;
    let quiet = owner.channel("claimable").await;
    let loud = owner.channel_with(json!({ "mode": "claimable", "discoverable": true })).await;
    assert_eq!(ids(&page(&owner, "").await), [loud]);
    assert_eq!(owner.get(&format!("/v1/channels/{quiet}")).await.ok(200)["discoverable"], false);
    fleet.finish().await;
}

/// What replicas that died between the two steps leave: entries of channels that are not there or cannot be found. Many of them do not
/// shorten a page, and after a minute they are taken off.
#[tokio::test]
async fn stale_entries_are_left_out_and_taken_off_once_they_are_not_fresh() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let real = [owner.channel("claimable").await, owner.channel("broadcast").await];
    let hidden = owner.channel_with(json!({ "mode": "claimable", "discoverable": false })).await;
    let listing = format!("{}{{discoverable}}:listing", fleet.prefix());
    let put = |n: u8, id: &str| fleet.redis().run::<i64>(&["ZADD", &listing, &format!("400000000000000{n}"), id]);
    put(9, &hidden);
    for n in 0..5 {
        put(n, &format!("ch_abcdefghij234567234{}", (b'a' + n) as char));
    }
    let fresh = format!("{}{{discoverable}}:fresh:ch_abcdefghij234567234a", fleet.prefix());
    fleet.redis().run::<()>(&["SET", &fresh, "1", "EX", "600"]);
    let found = page(&owner, "limit=3").await;
    assert_eq!(ids(&found), [real[1].clone(), real[0].clone()]);
    let left: Vec<String> = fleet.redis().run(&["ZRANGE", &listing, "0", "-1"]);
    assert_eq!(left, [real[0].as_str(), &real[1], "ch_abcdefghij234567234a"], "its channel may be about to be made");
    fleet.redis().run::<i64>(&["DEL", &fresh]);
    page(&owner, "").await;
    assert_eq!(fleet.redis().run::<i64>(&["ZCARD", &listing]), 2);
    fleet.finish().await;
}
