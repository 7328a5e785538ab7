//! `POST /v1/actors`, `GET /v1/actors/{identifier}`, and who may act as whom.

mod aliases;
mod webhook;

use std::collections::HashSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::process::unique;

#[tokio::test]
async fn an_actor_is_made_once_and_found_by_id_and_own_name() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    let fields = json!({ "name": " Worker <1> 工 ", "description": " does things ", "metadata": { "zone": "eu", "n": 1.0, "list": [] } });
    let made = agent.on(0).post("/v1/actors", fields).await.ok(201);
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("act_"), "{made}");
    let at = made["created_at"].clone();
    let expected = json!({
        "id": id, "name": "Worker <1> 工", "description": "does things", "owner_id": agent.label, "created_by_key_id": agent.key_id,
        "metadata": { "zone": "eu", "n": 1.0, "list": [] }, "aliases": [], "created_at": at, "updated_at": at,
    });
    assert_eq!(made, expected);
    // The same name is the same actor, unchanged, at the other replica too; by id and by name.
    let again = agent.on(1).post("/v1/actors", json!({ "name": "Worker <1> 工", "description": "other" })).await.ok(200);
    assert_eq!(again, expected);
    for (replica, word) in [(0, id), (1, id), (0, "Worker%20%3C1%3E%20%E5%B7%A5"), (1, "Worker%20%3C1%3E%20%E5%B7%A5")] {
        assert_eq!(agent.on(replica).get(&format!("/v1/actors/{word}")).await.ok(200), expected);
    }
    // The one that came with the key.
    let own = agent.post("/v1/actors", json!({ "name": agent.label })).await.ok(200);
    assert_eq!(own, agent.get(&format!("/v1/actors/{}", agent.label)).await.ok(200));
    assert_eq!((&own["metadata"], &own["description"]), (&json!({}), &json!("")));

    // Many at once make one.
    let replies = join_all((0..20).map(|i| {
        let agent = agent.on(i % 2);
        async move { agent.post("/v1/actors", json!({ "name": "raced" })).await }
    }))
    .await;
    assert_eq!(replies.iter().filter(|reply| reply.status == 201).count(), 1);
    let ids: HashSet<String> = replies.into_iter().map(|reply| reply.body["id"].to_string()).collect();
    assert_eq!(ids.len(), 1, "{ids:?}");

    // A retry is told what the first try was told.
    let first = agent.on(0).post("/v1/actors", json!({ "name": "retried" })).once("make").await.has_status(201);
    let again = agent.on(1).post("/v1/actors", json!({ "name": "retried" })).once("make").await.has_status(201);
    assert!(!first.is_replay() && again.is_replay() && first.body == again.body);

    refuses_what_is_no_actor(&agent).await;
    fleet.finish().await;
}

async fn refuses_what_is_no_actor(agent: &Agent) {
    let named = |name: &str| json!({ "name": name });
    let mut deep = json!({});
    for _ in 0..40 {
        deep = json!({ "a": deep });
    }
    agent.post("/v1/actors", json!({ "name": format!("deep-{}", unique()), "metadata": deep })).await.ok(201);
    agent.post("/v1/actors", json!({ "name": "n".repeat(128), "description": "d".repeat(2000) })).await.ok(201);
    agent.post("/v1/actors", json!({ "name": "null-fields", "description": null, "metadata": null })).await.ok(201);
    let big = json!({ "a": "x".repeat(16_384) });
    let table: Vec<(Value, &str, &str)> = vec![
        (json!({}), "missing_field", "name"),
        (json!({ "name": null }), "missing_field", "name"),
        (json!({ "name": 5 }), "invalid_string", "name"),
        (json!({ "name": "  " }), "invalid_string", "name"),
        (named(&"n".repeat(129)), "invalid_actor_name", "name"),
        (named("nul\u{0}"), "invalid_actor_name", "name"),
        (named("new\nline"), "invalid_actor_name", "name"),
        (named("zero\u{200b}width"), "invalid_actor_name", "name"),
        (named("act_looks-like-an-id"), "invalid_actor_name", "name"),
        (named("ch_x"), "invalid_actor_name", "name"),
        (named("bck_x"), "invalid_actor_name", "name"),
        (json!({ "name": "x", "description": 5 }), "invalid_string", "description"),
        (json!({ "name": "x", "description": "d".repeat(2001) }), "invalid_string", "description"),
        (json!({ "name": "x", "metadata": [] }), "invalid_object", "metadata"),
        (json!({ "name": "x", "metadata": "{}" }), "invalid_object", "metadata"),
        (json!({ "name": "x", "metadata": big }), "metadata_too_large", "metadata"),
    ];
    for (body, code, field) in table {
        let refused = agent.post("/v1/actors", body).await.refused(422, code);
        assert_eq!(refused["field"], field, "{refused}");
    }
    agent.get("/v1/actors/x").await.refused(404, "actor_not_found");
}

#[tokio::test]
async fn an_actor_of_another_key_can_be_seen_and_not_be_acted_as() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let made = owner.post("/v1/actors", json!({ "name": "secret-agent" })).await.ok(201);
    let id = made["id"].as_str().unwrap();
    let channel = owner.channel("claimable").await;
    let message = owner.post_message(&channel, "a task").await;
    let held = owner.post_message(&channel, "held").await;
    owner.claim(&held).await.ok(200);

    assert_eq!(other.get(&format!("/v1/actors/{id}")).await.ok(200), made, "ids are public: messages show them");
    other.get("/v1/actors/secret-agent").await.refused(404, "actor_not_found");
    for replica in 0..2 {
        let other = other.on(replica);
        let act = json!({ "actor": id, "content": "x", "channel": channel });
        let asks = [
            other.post_to(&channel, act.clone()),
            other.post("/v1/tasks/post", act.clone()),
            other.post("/v1/tasks/broadcast", act.clone()),
            other.post("/v1/tasks/claim", act.clone()),
            other.post(&format!("/v1/messages/{message}/claim"), act.clone()),
            other.post(&format!("/v1/messages/{message}/claim-with-lease"), act.clone()),
            other.post(&format!("/v1/messages/{held}/ack"), act.clone()),
            other.post(&format!("/v1/messages/{held}/release"), act),
        ];
        for ask in asks {
            assert_eq!(ask.await.refused(403, "actor_forbidden")["field"], "actor");
        }
    }

    // Who posts names an actor that is there; who claims may come with a new name.
    let unknown = format!("act_{}", &id[4..].chars().rev().collect::<String>());
    for word in [unknown.as_str(), "act_", "act_nonsense", "nobody"] {
        assert_eq!(
            owner.post_to(&channel, json!({ "content": "x", "actor": word })).await.refused(404, "actor_not_found")["field"],
            "actor"
        );
        owner.get(&format!("/v1/actors/{word}")).await.refused(404, "actor_not_found");
    }
    let refused = owner.post(&format!("/v1/messages/{message}/claim"), json!({ "actor": unknown })).await;
    assert_eq!(refused.refused(404, "actor_not_found")["field"], "actor");
    // The same name under another key is another actor.
    let claimed = other.post(&format!("/v1/messages/{message}/claim"), json!({ "actor": "secret-agent" })).await.ok(200);
    let theirs = other.get("/v1/actors/secret-agent").await.ok(200);
    assert_ne!(theirs["id"], id);
    assert_eq!(claimed["message"]["claimed_by"], json!({ "id": theirs["id"], "name": "secret-agent" }));
    // Its own, by id and by name.
    for word in [id, "secret-agent"] {
        let posted = owner.post_to(&channel, json!({ "content": "x", "actor": word })).await.ok(201);
        assert_eq!(posted["message"]["actor"], json!({ "id": id, "name": "secret-agent" }));
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_key_has_a_bounded_number_of_actors() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_ACTORS_PER_KEY", "5").start().await;
    let agent = fleet.agent("owner").await;
    let replies = join_all((0..12).map(|i| {
        let agent = agent.on(i % 2);
        async move { agent.post("/v1/actors", json!({ "name": format!("actor-{i}") })).await }
    }))
    .await;
    let (made, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!(made.len(), 4, "with the one that came with the key: exactly five");
    for reply in refused {
        let body = reply.refused(409, "quota_exceeded");
        assert_eq!((&body["limit"], &body["value"]), (&json!("actors_per_key"), &json!(5)), "{body}");
    }
    // A claim under a new name makes an actor too, and takes nothing when it cannot.
    let channel = agent.channel("claimable").await;
    let message = agent.post_message(&channel, "a task").await;
    agent.post(&format!("/v1/messages/{message}/claim"), json!({ "actor": "one-more" })).await.refused(409, "quota_exceeded");
    agent.claim(&message).await.ok(200);
    assert_eq!(agent.post("/v1/actors", json!({ "name": made[0].body["name"] })).await.ok(200)["id"], made[0].body["id"]);
    fleet.finish().await;
}
