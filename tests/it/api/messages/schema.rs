//! `metadata_schema`: what it refuses, at every way to post.

use serde_json::{Value, json};

use crate::support::fleet::Fleet;

fn severity() -> Value {
    json!({ "type": "object", "required": ["severity"], "properties": { "severity": { "enum": ["low", "high"] }, "note": { "maxLength": 3 } } })
}

#[tokio::test]
async fn metadata_that_breaks_the_schema_is_refused_with_all_that_is_wrong_whichever_way_it_comes() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let id = owner.channel_with(json!({ "name": "alerts", "mode": "claimable", "metadata_schema": severity() })).await;
    assert_eq!(owner.get("/v1/channels/alerts").await.ok(200)["metadata_schema"], severity());
    let wrong = json!({ "severity": "urgent", "note": "long" });
    let expected = json!([
        { "field": "metadata.note", "issue": "maxLength 3" },
        { "field": "metadata.severity", "issue": "value must be one of [\"low\",\"high\"]" },
    ]);
    for replica in [0, 1, 0] {
        for path in [
            format!("/v1/channels/{id}/messages"),
            "/v1/tasks/post".into(),
            "/v1/tasks/broadcast".into(),
            "/v1/tasks/post-with-result".into(),
        ] {
            let mut body = json!({ "content": "x", "metadata": wrong });
            if path.starts_with("/v1/tasks") {
                body["channel"] = json!(id);
            }
            let refused = other.on(replica).post(&path, body.clone()).await.refused(422, "metadata_validation_failed");
            let mut violations = refused["violations"].as_array().unwrap().clone();
            violations.sort_by_key(|v| v["field"].as_str().unwrap().to_owned());
            assert_eq!((json!(violations), &refused["field"]), (expected.clone(), &json!("metadata")), "{path}");
            body["metadata"] = json!({ "severity": "low", "more": [1] });
            let posted = other.on(replica).post(&path, body).await.ok(201);
            assert_eq!(posted["message"]["metadata"], json!({ "severity": "low", "more": [1] }));
        }
    }
    let missing = other.post_to(&id, json!({ "content": "x" })).await.refused(422, "metadata_validation_failed");
    assert_eq!(missing["violations"], json!([{ "field": "metadata.severity", "issue": "required field missing" }]), "no metadata is {{}}");
    assert_eq!(owner.list(&id, "limit=100").await.ok(200)["data"].as_array().unwrap().len(), 12, "nothing that breaks it got in");
    fleet.finish().await;
}

#[tokio::test]
async fn a_result_is_checked_by_the_schema_of_its_channel_with_the_tasks_id_in_it() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let id = owner.channel("claimable").await;
    let task = owner.post("/v1/tasks/post-with-result", json!({ "channel": id, "content": "t" })).await.ok(201);
    let (url, results) = (task["result_url"].as_str().unwrap(), task["result_channel"].as_str().unwrap());
    worker.on(0).post(url, json!({ "content": "before" })).await.ok(201);
    let results = worker.get(url).await.ok(200)["result"]["channel_id"].as_str().map_or(results.to_owned(), str::to_owned);
    let schema = json!({ "additionalProperties": false, "properties": { "task_id": { "const": task["message"]["id"] }, "score": { "minimum": 0 } } });
    owner.patch(&format!("/v1/channels/{results}"), json!({ "metadata_schema": schema })).await.ok(200);
    let refused = worker.post(url, json!({ "content": "r", "metadata": { "score": -1 } })).await.refused(422, "metadata_validation_failed");
    assert_eq!(refused["violations"], json!([{ "field": "metadata.score", "issue": "minimum 0" }]));
    worker.on(1).post(url, json!({ "content": "r", "metadata": { "score": 1 } })).await.ok(201);
    fleet.finish().await;
}

#[tokio::test]
async fn who_may_not_post_learns_nothing_of_the_schema_and_a_retry_is_answered_as_before() {
    let fleet = Fleet::start(2).await;
    let (owner, stranger) = (fleet.agent("owner").await, fleet.agent("stranger").await);
    let id = owner.channel_with(json!({ "mode": "broadcast", "access": "restricted" })).await;
    let path = format!("/v1/channels/{id}");
    let fine = json!({ "content": "x", "metadata": { "severity": 1 } });
    let first = owner.post_to(&id, fine.clone()).once("k").await.ok(201);
    owner.patch(&path, json!({ "metadata_schema": severity() })).await.ok(200);
    for replica in 0..2 {
        owner.on(replica).post_to(&id, fine.clone()).await.refused(422, "metadata_validation_failed");
        // Now this replica knows the schema; whoever asks it is told first of all whether he may.
        stranger.on(replica).post_to(&id, fine.clone()).await.refused(403, "channel_access_denied");
        let again = owner.on(replica).post_to(&id, fine.clone()).once("k").await;
        assert!(again.is_replay());
        assert_eq!(again.ok(201), first, "what was posted before the schema came stays posted");
        owner.on(replica).post("/v1/tasks/post", json!({ "channel": id, "content": "x" })).await.refused(409, "channel_not_claimable");
    }
    owner.patch(&path, json!({ "paused": true })).await.ok(200);
    owner.post_to(&id, fine.clone()).await.refused(503, "channel_paused");
    owner.delete(&path).await.ok(204);
    owner.post_to(&id, fine).await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn a_schema_that_cannot_be_used_is_refused_when_it_is_set_and_the_loose_form_rejects_nothing() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    let path = format!("/v1/channels/{id}");
    for (schema, word) in [
        (json!([]), "JSON object"),
        (json!({ "type": "strnig" }), "strnig"),
        (json!({ "properties": { "a": { "pattern": "(a)\\1" } } }), "pattern"),
        (json!({ "$ref": "http://169.254.169.254/latest" }), "leaves the schema"),
        (json!({ "description": "x".repeat(17_000) }), "16384"),
        (json!({ "allOf": [{ "items": { "$ref": "#" } }, { "contains": { "$ref": "#" } }] }), "at most 500"),
    ] {
        let refused = owner.patch(&path, json!({ "metadata_schema": schema })).await.refused(422, "invalid_metadata_schema");
        assert_eq!(refused["field"], "metadata_schema");
        assert!(refused["message"].as_str().unwrap().contains(word), "{refused}");
        let made = json!({ "name": "never", "mode": "claimable", "metadata_schema": schema });
        owner.post("/v1/channels", made).await.refused(422, "invalid_metadata_schema");
    }
    owner.get("/v1/channels/never").await.refused(404, "channel_not_found");
    assert_eq!(owner.get(&path).await.ok(200)["metadata_schema"], json!({}));
    let anything = json!({ "content": "x", "metadata": { "severity": 3 } });
    for loose in [json!({ "severity": "string" }), json!({ "severity": "one of low, high" }), Value::Null] {
        owner.patch(&path, json!({ "metadata_schema": severity() })).await.ok(200);
        owner.post_to(&id, anything.clone()).await.refused(422, "metadata_validation_failed");
        let kept = owner.on(1).patch(&path, json!({ "metadata_schema": loose })).await.ok(200);
        assert_eq!(kept["metadata_schema"], if loose.is_null() { json!({}) } else { loose });
        owner.on(0).post_to(&id, anything.clone()).await.ok(201);
    }
    fleet.finish().await;
}
