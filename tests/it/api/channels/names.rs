//! Names are unique per key, and creating one twice is creating it once.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::keyspace;

async fn id_of_name(agent: &Agent, name: &str) -> String {
    let made = agent.post("/v1/channels", json!({ "name": name, "mode": "claimable" })).await;
    made.body["id"].as_str().unwrap_or_else(|| panic!("no id: {}", made.text)).to_owned()
}

#[tokio::test]
async fn the_same_name_again_is_the_same_channel_and_other_settings_change_nothing() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let first = owner.post("/v1/channels", json!({ "name": "jobs", "mode": "claimable", "ttl_seconds": 600 })).await.ok(201);
    let id = first["id"].as_str().unwrap();
    let again = json!({ "name": " jobs ", "mode": "claimable", "ttl_seconds": 300, "description": "new", "paused": true });
    let again = owner.post("/v1/channels", again).await.ok(200);
    assert_eq!((again["id"].as_str(), &again["created"]), (Some(id), &json!(false)));
    assert_eq!((&again["ttl_seconds"], &again["description"], &again["paused"]), (&json!(600), &json!(""), &json!(false)));

    for different in [json!({ "mode": "broadcast" }), json!({ "mode": "claimable", "access": "restricted" })] {
        let mut body = different;
        body["name"] = "jobs".into();
        let refusal = owner.post("/v1/channels", body).await.refused(409, "channel_name_in_use");
        assert_eq!((refusal["channel_id"].as_str(), &refusal["field"]), (Some(id), &json!("name")));
    }

    // Another key's channel of the same name is another channel, and each reaches its own by that name.
    let theirs = other.post("/v1/channels", json!({ "name": "jobs", "mode": "broadcast" })).await.ok(201);
    assert_ne!(theirs["id"], first["id"]);
    assert_eq!(owner.get("/v1/channels/jobs").await.ok(200)["id"], first["id"]);
    assert_eq!(other.get("/v1/channels/jobs").await.ok(200)["id"], theirs["id"]);
    fleet.finish().await;
}

#[tokio::test]
async fn replicas_that_race_to_create_a_name_make_one_channel() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    for round in 0..3 {
        let name = format!("race-{round}");
        let racers = (0..32).map(|i| owner.post("/v1/channels", json!({ "name": name, "mode": "claimable" })).on(i % 2).into_future());
        let replies = join_all(racers).await;
        let created = replies.iter().filter(|r| r.status == 201 && r.body["created"] == true).count();
        let found = replies.iter().filter(|r| r.status == 200 && r.body["created"] == false).count();
        assert_eq!((created, found), (1, 31));
        assert!(replies.iter().all(|r| r.body["id"] == replies[0].body["id"]), "one channel");
    }
    let metas = keyspace::keys(&mut fleet.redis().conn(), &format!("{}{{ch_*}}:meta", fleet.prefix()));
    assert_eq!(metas.len(), 3, "nothing is left of the losers: {metas:?}");
    fleet.finish().await;
}

#[tokio::test]
async fn a_name_that_a_crash_left_leading_to_nothing_is_made_good() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = id_of_name(&owner, "real").await;
    // A replica died after the name was bound, before the channel was made; another after a channel was deleted, before its name was freed.
    let names = keyspace::keys(&mut fleet.redis().conn(), &format!("{}{{bck_*}}:channels:{}", fleet.prefix(), owner.key_id));
    let never_made = "ch_abcdefghij2345672345";
    let bind = |name: &str, id: &str| fleet.redis().run::<i64>(&["HSET", &names[0], name, id]);
    for name in ["half", "half-task"] {
        bind(name, never_made);
    }
    owner.delete(&format!("/v1/channels/{id}")).await.ok(204);
    for name in ["deleted", "deleted-task"] {
        bind(name, &id);
    }

    for name in ["half", "deleted"] {
        owner.get(&format!("/v1/channels/{name}")).await.refused(404, "channel_not_found");
        let made = owner.post("/v1/channels", json!({ "name": name, "mode": "claimable" })).await.ok(201);
        assert_ne!(made["id"], id, "a deleted id is not used again");
        let again = owner.post("/v1/channels", json!({ "name": name, "mode": "claimable" })).await.ok(200);
        assert_eq!(again["id"], made["id"]);
        owner.post_message(made["id"].as_str().unwrap(), "it works").await;
    }
    // tasks/post makes channels as well.
    bind("half-task", "ch_bbcdefghij2345672345");
    for (i, name) in ["half-task", "deleted-task"].into_iter().enumerate() {
        let task = |content: &str| owner.post("/v1/tasks/post", json!({ "channel": name, "content": content }));
        let posted: Value = if i == 0 { task("x").await.ok(201) } else { task("x").once("k").await.ok(201) };
        let next = task("y").await.ok(201);
        assert_eq!(next["channel"], posted["channel"]);
        assert_eq!(owner.get(&format!("/v1/channels/{}", posted["channel"].as_str().unwrap())).await.ok(200)["name"], name);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn the_cap_of_channels_counts_those_that_are_there() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_CHANNELS_PER_KEY", "3").start().await;
    let owner = fleet.agent("owner").await;
    let mut ids = Vec::new();
    for name in ["a", "b", "c"] {
        ids.push(id_of_name(&owner, name).await);
    }
    let full = owner.post("/v1/channels", json!({ "name": "d", "mode": "claimable" })).await.refused(409, "quota_exceeded");
    assert_eq!((&full["limit"], &full["value"]), (&json!("channels_per_key"), &json!(3)));
    assert_eq!(id_of_name(&owner, "a").await, ids[0], "what is there can be asked for again");
    owner.patch(&format!("/v1/channels/{}", ids[1]), json!({ "name": "bb" })).await.ok(200);
    owner.delete(&format!("/v1/channels/{}", ids[2])).await.ok(204);
    assert_eq!(owner.post("/v1/channels", json!({ "name": "d", "mode": "claimable" })).await.status, 201);
    fleet.finish().await;
}
