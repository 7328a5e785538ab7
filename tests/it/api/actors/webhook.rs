//! `POST`, `GET` and `DELETE /v1/actors/{identifier}/webhook`

use serde_json::{Value, json};

use crate::support::fleet::Fleet;

#[tokio::test]
async fn an_actors_webhook_is_set_shown_without_its_secret_and_deleted() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.post("/v1/actors", json!({ "name": "mine" })).await.ok(201)["id"].as_str().unwrap().to_owned();
    owner.post("/v1/actors/mine/aliases", json!({ "alias": "nick" })).await.ok(201);
    let path = |word: &str| format!("/v1/actors/{word}/webhook");
    owner.get(&path(&id)).await.refused(404, "webhook_not_found");
    owner.delete(&path(&id)).await.refused(404, "webhook_not_found");

    let hook = json!({ "url": " https://my-agent.example/hook?a=b ", "secret": "shh-s3cr3t" });
    let set = owner.on(0).post(&path("nick"), hook).await.has_status(200);
    let at = set.body["updated_at"].clone();
    let shown = json!({ "actor_id": id, "url": "https://my-agent.example/hook?a=b", "has_secret": true, "updated_at": at });
    assert_eq!(set.body, shown);
    for (replica, word) in [(0, id.as_str()), (1, "mine"), (1, "nick")] {
        let read = owner.on(replica).get(&path(word)).await;
        assert!(!read.text.contains("s3cr3t"), "{}", read.text);
        assert_eq!(read.ok(200), shown);
    }
    assert_eq!(owner.get("/v1/actors/nick").await.ok(200).get("webhook"), None, "an actor can be seen by anybody");

    // Set again it is another one, and has no secret unless that is sent again.
    for secret in [json!(null), json!(""), json!("  ")] {
        let set = owner.post(&path(&id), json!({ "url": "http://my-agent.example:8080/", "secret": secret })).await.ok(200);
        assert_eq!((&set["url"], &set["has_secret"]), (&json!("http://my-agent.example:8080/"), &json!(false)));
    }
    // A retry is told what the first try was told.
    let first = owner.on(0).post(&path("nick"), json!({ "url": "https://a.example/", "secret": "x" })).once("set").await.ok(200);
    owner.post(&path(&id), json!({ "url": "https://b.example/" })).await.ok(200);
    let again = owner.on(1).post(&path("nick"), json!({ "url": "https://a.example/", "secret": "x" })).once("set").await.has_status(200);
    assert!(again.is_replay() && again.body == first, "{}", again.text);
    assert_eq!(owner.get(&path(&id)).await.ok(200)["url"], "https://b.example/", "and changes nothing");
    owner.post(&path("nick"), json!({ "url": "https://c.example/" })).once("set").await.refused(422, "idempotency_key_reused");

    assert_eq!(owner.on(0).delete(&path("nick")).once("off").await.ok(200), json!({ "deleted": true }));
    assert!(owner.on(1).delete(&path("nick")).once("off").await.has_status(200).is_replay());
    owner.delete(&path(&id)).await.refused(404, "webhook_not_found");
    owner.get(&path(&id)).await.refused(404, "webhook_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn a_webhook_is_the_owners_alone_and_ends_with_its_key() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let id = owner.post("/v1/actors", json!({ "name": "mine" })).await.ok(201)["id"].as_str().unwrap().to_owned();
    owner.post("/v1/actors/mine/aliases", json!({ "alias": "nick" })).await.ok(201);
    let hook = json!({ "url": "https://my-agent.example/hook", "secret": "shh" });
    owner.post(&format!("/v1/actors/{id}/webhook"), hook.clone()).await.ok(200);
    for word in [id.as_str(), "nick"] {
        let path = format!("/v1/actors/{word}/webhook");
        other.post(&path, json!({ "url": "https://evil.example/" })).await.refused(403, "actor_forbidden");
        other.get(&path).await.refused(403, "actor_forbidden");
        other.delete(&path).await.refused(403, "actor_forbidden");
    }
    for word in ["nobody", "mine", "act_x", "act_aaaaaaaaaaaaaaaabbbbbbbbbb"] {
        let path = format!("/v1/actors/{word}/webhook");
        other.post(&path, hook.clone()).await.refused(404, "actor_not_found");
        other.get(&path).await.refused(404, "actor_not_found");
        other.delete(&path).await.refused(404, "actor_not_found");
    }
    owner.get(&format!("/v1/actors/{id}/webhook")).await.ok(200);
    owner.delete("/v1/keys/me").await.ok(200);
    let left = crate::support::keyspace::dump(fleet.redis(), &format!("{}*", fleet.prefix()));
    assert!(!left.contains("my-agent.example"), "{left}");
    fleet.finish().await;
}

#[tokio::test]
async fn what_is_no_webhook_is_refused() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let path = format!("/v1/actors/{}/webhook", owner.label);
    let url = |url: &str| json!({ "url": url });
    let long = format!("https://example.com/{}", "x".repeat(2048));
    let table: Vec<(Value, &str, &str)> = vec![
        (json!({}), "missing_field", "url"),
        (json!({ "url": null }), "missing_field", "url"),
        (json!({ "url": 5 }), "invalid_string", "url"),
        (url(" "), "invalid_string", "url"),
        (url("nonsense"), "invalid_webhook_url", "url"),
        (url("ftp://example.com/"), "invalid_webhook_url", "url"),
        (url("javascript:alert(1)"), "invalid_webhook_url", "url"),
        (url("file:///etc/passwd"), "invalid_webhook_url", "url"),
        (url("https://"), "invalid_webhook_url", "url"),
        (url("https://user:pw@example.com/"), "invalid_webhook_url", "url"),
        (url("https://a\u{1f}b.example/"), "invalid_webhook_url", "url"),
        (url(&long), "invalid_webhook_url", "url"),
        (json!({ "url": "https://example.com/", "secret": 5 }), "invalid_string", "secret"),
        (json!({ "url": "https://example.com/", "secret": "s".repeat(513) }), "invalid_string", "secret"),
    ];
    for (body, code, field) in table {
        assert_eq!(owner.post(&path, body.clone()).await.refused(422, code)["field"], field, "{body}");
    }
    owner.get(&path).await.refused(404, "webhook_not_found");
    owner.post(&path, json!({ "url": "https://example.com/", "secret": "s".repeat(512) })).await.ok(200);
    fleet.finish().await;
}
