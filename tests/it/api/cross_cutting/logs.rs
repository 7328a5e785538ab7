//! Logs say what happened and to whom, never what was said or what opens a door.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

const CONTENT: &str = "quokka-content-7319";
const METADATA: &str = "quokka-metadata-7319";
const IDEMPOTENCY: &str = "quokka-idempotency-7319";
const ADMIN: &str = "quokka-admin-7319";
const HEADER: &str = "quokka-header-7319";

#[tokio::test]
async fn neither_secrets_nor_content_are_ever_logged() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_ADMIN_TOKEN", ADMIN).env("BACKCHANNEL_LOG_LEVEL", "trace").start().await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel_with(json!({
        "name": "quokka-channel-7319", "mode": "claimable", "webhook_url": "https://hooks.example/quokka-path-7319",
        "webhook_secret": "quokka-webhook-7319", "description": CONTENT,
    }));
    let channel = channel.await;
    let hook = json!({ "url": "https://hooks.example/quokka-actor-path-7319", "secret": "quokka-actor-secret-7319" });
    poster.post(&format!("/v1/actors/{}/webhook", poster.label), hook).await.ok(200);
    poster
        .post(&format!("/v1/actors/{}/webhook", poster.label), json!({ "url": "ftp://quokka-7319" }))
        .await
        .refused(422, "invalid_webhook_url");
    let mut tokens = Vec::new();
    for i in 0..4 {
        let post = json!({ "content": CONTENT, "metadata": { "k": METADATA }, "actor_label": CONTENT, "mentions": [CONTENT] });
        let posted = poster.on(i % 2).post_to(&channel, post).once(&format!("{IDEMPOTENCY}-{i}")).await.ok(201);
        let claimed = worker.on(i % 2).claim_next(&channel, json!({ "lease_seconds": 60, "wait": 5 })).once(IDEMPOTENCY).await.ok(200);
        assert_eq!(claimed["claimed"]["channel_id"], channel.as_str());
        let id = posted["message"]["id"].as_str().unwrap();
        let token = claimed["lease_token"].as_str().unwrap().to_owned();
        worker.on(i % 2).heartbeat(&token, 60).await.ok(200);
        worker.post(&format!("/v1/messages/{id}/ack"), json!({ "lease_token": token })).await;
        tokens.push(token);
    }
    // What is refused or broken is logged with more words: none of them the caller's.
    poster.on(0).post_to(&channel, json!({ "content": CONTENT.repeat(1000) })).await.refused(422, "content_too_large");
    poster.on(0).post_to(&channel, json!({ "content": [CONTENT] })).await.refused(422, "invalid_string");
    poster
        .ask(reqwest::Method::POST, &format!("/v1/channels/{channel}/messages"))
        .raw(format!("{{{CONTENT}"))
        .await
        .refused(400, "invalid_json");
    poster.post_to(&channel, json!({ "content": "x", "actor": CONTENT })).await.refused(404, "actor_not_found");
    poster.get(&format!("/v1/channels/{CONTENT}?cursor={CONTENT}")).await.refused(404, "channel_not_found");
    poster.get(&format!("/nowhere/{CONTENT}?key={}", poster.key)).await.refused(404, "not_found");
    let wrong = format!("{}x", poster.key);
    fleet.client().with_key(&wrong).get("/v1/keys/me").header("X-Other", HEADER).await.refused(401, "unauthorized");
    fleet.client().get("/v1/keys/me").header("Authorization", &format!("Bearer {}", poster.key)).await.ok(200);
    fleet.client().post("/v1/admin/minting", json!({ "enabled": true })).header("X-Admin-Token", ADMIN).await.ok(200);
    // While Redis is away, and while it refuses, causes are logged.
    let _: () = redis.run(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = poster.post_to(&channel, json!({ "content": CONTENT })).once(IDEMPOTENCY).await;
    assert_eq!(full.status, 503, "{}", full.text);
    redis.kill9();
    for replica in 0..2 {
        poster.on(replica).post_to(&channel, json!({ "content": CONTENT })).once(IDEMPOTENCY).await.has_status(503);
        worker.on(replica).heartbeat(&tokens[0], 60).await.has_status(503);
    }
    let logged = |replica: usize| fleet.log(replica).contains("\"status\":503");
    eventually("the last line is written", Duration::from_secs(15), || async { logged(0) && logged(1) }).await;

    let log = format!("{}{}", fleet.log(0), fleet.log(1));
    let secret = |key: &str| key.split_once('.').unwrap().1.to_owned();
    let mut private = vec![secret(&poster.key), secret(&worker.key), "quokka".to_owned()];
    private.extend(tokens.iter().map(|token| token.rsplit_once('_').unwrap().1.to_owned()));
    for word in private {
        let line = log.lines().find(|line| line.contains(&word));
        assert_eq!(line, None, "{word:?} was logged");
    }
    tells_who_asked_what(&log, &poster.key_id);
    fleet.abandon(); // its Redis is gone
}

fn tells_who_asked_what(log: &str, key_id: &str) {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let posts: Vec<Value> = lines.filter(|line| line["operation"] == "createMessage" && line["status"] == 201).collect();
    assert_eq!(posts.len(), 4, "one line a request");
    for line in posts {
        assert_eq!((&line["key.id"], &line["route"]), (&json!(key_id), &json!("/v1/channels/{identifier}/messages")), "{line}");
        assert!(line["request.id"].as_str().is_some_and(|id| id.starts_with("req_")) && line["duration_ms"].is_number(), "{line}");
    }
}
