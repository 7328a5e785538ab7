//! `/v1/sessions`: a notebook that nobody but its key can read.

mod list;
mod merge;

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

async fn create(agent: &Agent, fields: Value) -> String {
    agent.post("/v1/sessions", fields).await.ok(201)["id"].as_str().unwrap().to_owned()
}

fn patch(agent: &Agent, id: &str, body: Value) -> Ask {
    agent.patch(&format!("/v1/sessions/{id}"), body)
}

#[tokio::test]
async fn a_session_is_made_read_changed_and_deleted_on_any_replica() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    let fields = json!({ "name": " deploy-flow ", "state": { "step": 1 }, "metadata": { "run_id": "r-42" } });
    let made = agent.on(0).post("/v1/sessions", fields).await.ok(201);
    let id = made["id"].as_str().unwrap();
    assert!(id.starts_with("ses_") && id.len() == 24, "{id}");
    assert_eq!(
        (&made["name"], &made["state"], &made["metadata"]),
        (&json!("deploy-flow"), &json!({"step": 1}), &json!({"run_id": "r-42"}))
    );
    let at = |field: &str| made[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!((at("expires_at") - at("created_at")).total(jiff::Unit::Hour).unwrap(), 24.0);
    assert_eq!(made["updated_at"], made["created_at"]);
    assert_eq!(agent.on(1).get(&format!("/v1/sessions/{id}")).await.ok(200), made);

    let changed = patch(&agent.on(1), id, json!({ "name": "", "metadata": {} })).await.ok(200);
    assert_eq!((&changed["name"], &changed["metadata"], &changed["state"]), (&json!(""), &json!({}), &json!({"step": 1})));
    assert!(changed["updated_at"].as_str() > changed["created_at"].as_str());
    assert_eq!(changed["expires_at"], made["expires_at"], "24 hours, whatever happens");
    assert_eq!(agent.on(0).get(&format!("/v1/sessions/{id}")).await.ok(200), changed);

    let bare = agent.post("/v1/sessions", json!({})).await.ok(201);
    assert_eq!((&bare["name"], &bare["state"], &bare["metadata"]), (&json!(""), &json!({}), &json!({})));

    assert_eq!(agent.on(0).delete(&format!("/v1/sessions/{id}")).await.ok(200), json!({ "status": "deleted" }));
    for ask in [agent.get(&format!("/v1/sessions/{id}")), agent.delete(&format!("/v1/sessions/{id}")), patch(&agent, id, json!({}))] {
        ask.await.refused(404, "session_not_found");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn sessions_of_others_are_not_found_also_by_who_gets_their_label() {
    let fleet = Fleet::start(2).await;
    let (agent, stranger) = (fleet.agent("owner").await, fleet.agent("stranger").await);
    let id = create(&agent, json!({ "state": { "secret": 1 } })).await;
    let path = format!("/v1/sessions/{id}");
    stranger.get(&path).await.refused(404, "session_not_found");
    stranger.patch(&path, json!({ "x": 1 })).await.refused(404, "session_not_found");
    stranger.delete(&path).await.refused(404, "session_not_found");
    assert_eq!(stranger.get("/v1/sessions").await.ok(200)["data"], json!([]));
    for nonsense in ["x", "ses_", "ses_aaaaaaaaaaaaaaaaaaaa", "ses_AAAAAAAAAAAAAAAAAAAA"] {
        agent.get(&format!("/v1/sessions/{nonsense}")).await.refused(404, "session_not_found");
    }
    agent.delete("/v1/keys/me").await.ok(200);
    let again = fleet.client().post("/v1/keys", json!({ "agent_label": agent.label })).await.ok(201);
    let heir = fleet.client().with_key(again["key"].as_str().unwrap());
    heir.get(&path).await.refused(404, "session_not_found");
    assert_eq!(heir.get("/v1/sessions").await.ok(200)["data"], json!([]));
    fleet.finish().await;
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_refused_in_words() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_SESSIONS_PER_KEY", "2").start().await;
    let agent = fleet.agent("owner").await;
    let big = |bytes: usize| json!({ "a": "x".repeat(bytes - 8) }); // {"a":"…"}
    let id = create(&agent, json!({ "state": big(65_536) })).await;
    let refused = agent.post("/v1/sessions", json!({ "state": big(65_537) })).await.refused(422, "state_too_large");
    assert_eq!(
        (&refused["field"], &refused["max_state_bytes"], &refused["state_bytes"]),
        (&json!("state"), &json!(65_536), &json!(65_537))
    );
    // What counts is what it would be after merging.
    patch(&agent, &id, json!({ "state": { "b": 1 } })).await.refused(422, "state_too_large");
    patch(&agent, &id, json!({ "b": 1 })).await.refused(422, "state_too_large");
    patch(&agent, &id, json!({ "a": 1 })).await.ok(200);
    let refused = agent.post("/v1/sessions", json!({ "metadata": big(16_385) })).await.refused(422, "metadata_too_large");
    assert_eq!(refused["field"], "metadata");
    for (state, why) in [(json!([]), "a list"), (json!("x"), "a text"), (json!(7), "a number")] {
        assert_eq!(agent.post("/v1/sessions", json!({ "state": state })).await.refused(422, "invalid_object")["field"], "state", "{why}");
        assert_eq!(patch(&agent, &id, json!({ "state": state })).await.refused(422, "invalid_object")["field"], "state", "{why}");
    }
    for raw in [r#"{"half":"\ud800"}"#, r#"{"half":[1e999]}"#, r#"{"state":{"a":"\udc00"}}"#] {
        let ask = agent.ask(reqwest::Method::PATCH, &format!("/v1/sessions/{id}")).raw(raw);
        assert_eq!(ask.await.refused(422, "invalid_object")["field"], if raw.contains("half") { "half" } else { "state" });
    }
    for name in [json!("x".repeat(201)), json!("a\u{0}b"), json!(7)] {
        assert_eq!(patch(&agent, &id, json!({ "name": name })).await.refused(422, "invalid_string")["field"], "name");
    }

    let second = create(&agent, json!({})).await;
    let refused = agent.post("/v1/sessions", json!({})).await.refused(409, "quota_exceeded");
    assert_eq!((&refused["limit"], &refused["value"]), (&json!("sessions_per_key"), &json!(2)));
    assert!(!refused["suggestion"].as_str().unwrap().is_empty());
    agent.delete(&format!("/v1/sessions/{second}")).await.ok(200);
    create(&agent, json!({})).await;
    create(&fleet.agent("another").await, json!({})).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_repeated_write_is_answered_as_before_and_done_once() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    let fields = json!({ "name": "flow", "state": { "n": 1.50 }, "metadata": { "z": [] } });
    let first = agent.on(0).post("/v1/sessions", fields.clone()).once("make").await.has_status(201);
    let again = agent.on(1).post("/v1/sessions", fields).once("make").await.has_status(201);
    assert!(!first.is_replay() && again.is_replay());
    assert_eq!(again.text, first.text);
    agent.post("/v1/sessions", json!({})).once("make").await.refused(422, "idempotency_key_reused");
    assert_eq!(agent.get("/v1/sessions").await.ok(200)["data"].as_array().map(Vec::len), Some(1));

    let id = first.body["id"].as_str().unwrap();
    let first = patch(&agent.on(0), id, json!({ "a": 1 })).once("change").await.has_status(200);
    let again = patch(&agent.on(1), id, json!({ "a": 1 })).once("change").await.has_status(200);
    assert!(!first.is_replay() && again.is_replay());
    assert_eq!(again.text, first.text);
    patch(&agent, id, json!({ "a": 2 })).once("change").await.refused(422, "idempotency_key_reused");

    let delete = |replica: usize| agent.on(replica).delete(&format!("/v1/sessions/{id}")).once("end");
    let (first, again) = (delete(0).await.has_status(200), delete(1).await.has_status(200));
    assert!(!first.is_replay() && again.is_replay());
    fleet.finish().await;
}
