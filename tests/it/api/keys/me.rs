//! `GET` and `DELETE /v1/keys/me`, and how a key is presented.

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::process::unique;

#[tokio::test]
async fn a_key_describes_itself_by_either_header_and_whatever_is_no_key_is_refused() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("me").await;
    let me = agent.get("/v1/keys/me").await.ok(200);
    let created = me["created_at"].as_str().unwrap();
    assert!(created.len() == 27 && created.ends_with('Z') && &created[19..20] == ".", "six digits, UTC: {created}");
    let expected = json!({
        "key_id": agent.key_id, "owner_id": agent.label, "agent_label": agent.label, "plan": "free", "active": true, "scopes": null,
        "rate_limit": 0, "rate_limit_window_seconds": 60, "created_at": created,
    });
    assert_eq!(me, expected);
    let client = fleet.client();
    for bearer in [format!("Bearer {}", agent.key), format!("bearer {}", agent.key), format!("BEARER  {}", agent.key)] {
        assert_eq!(client.get("/v1/keys/me").header("Authorization", &bearer).await.ok(200)["key_id"], agent.key_id);
    }

    client.get("/v1/keys/me").await.refused(401, "unauthorized");
    for wrong in not_a_key(&agent.key, &fleet.agent("other").await.key) {
        let by_header = client.with_key(&wrong).get("/v1/keys/me").await.refused(401, "unauthorized");
        assert!(!by_header.to_string().contains(&agent.key[31..]), "the secret is never echoed");
        let bearer = client.get("/v1/keys/me").header("Authorization", &format!("Bearer {wrong}"));
        bearer.await.refused(401, "unauthorized");
    }
    for header in [agent.key.clone(), format!("Basic {}", agent.key), format!("Bearer{}", agent.key), "Bearer".into(), "Bearer ".into()] {
        client.get("/v1/keys/me").header("Authorization", &header).await.refused(401, "unauthorized");
    }
    // Not text at all.
    let http = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().unwrap();
    for name in ["X-API-Key", "Authorization"] {
        let value = reqwest::header::HeaderValue::from_bytes(b"Bearer \xff\xfe").unwrap();
        let reply = http.get(format!("{}/v1/keys/me", fleet.url(0))).header(name, value).send().await.unwrap();
        assert_eq!(reply.status().as_u16(), 401);
    }
    fleet.finish().await;
}

/// A key with anything wrong with it.
fn not_a_key(key: &str, other: &str) -> Vec<String> {
    let (id, secret) = key.split_once('.').unwrap();
    let (other_id, other_secret) = other.split_once('.').unwrap();
    let last = if key.ends_with('a') { 'b' } else { 'a' };
    vec![
        String::new(),
        "x".into(),
        ".".into(),
        id.into(),
        format!("{id}."),
        format!(".{secret}"),
        secret.into(),
        format!("{id}.{other_secret}"),
        format!("{other_id}.{secret}"),
        format!("{}{last}", &key[..key.len() - 1]),
        key[..key.len() - 1].into(),
        format!("{key}a"),
        format!("{id}.{secret}.{secret}"),
        key.to_uppercase(),
        key.replacen("bck_", "act_", 1),
        key.replacen("bck_", "", 1),
        format!("{}.{secret}", &id[..id.len() - 1]),
        format!("bck_{}.{secret}", "a".repeat(26)),
        format!("{id}.{}", "a".repeat(10_000)),
        "é".repeat(40),
        format!("{key},{key}"),
    ]
}

#[tokio::test]
async fn a_revoked_key_is_refused_everywhere_and_its_label_is_free() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("leaving").await;
    agent.on(1).get("/v1/keys/me").await.ok(200);
    // A body says nothing here, not even a bad one.
    let revoked = agent.on(0).delete("/v1/keys/me").raw("{").await.ok(200);
    assert_eq!(revoked, json!({ "key_id": agent.key_id, "revoked": true }));
    agent.on(0).get("/v1/keys/me").await.refused(401, "unauthorized");
    agent.on(0).delete("/v1/keys/me").await.refused(401, "unauthorized");
    agent.on(0).put("/v1/keys/me/scopes", json!({ "scopes": [] })).await.refused(401, "unauthorized");
    let again: Value = fleet.client().post("/v1/keys", json!({ "agent_label": agent.label })).await.ok(201);
    assert_ne!(again["key_id"], agent.key_id);
    // The new key of the label does not bring the old one back, and the old one cannot end the new one.
    agent.delete("/v1/keys/me").await.refused(401, "unauthorized");
    fleet.client().with_key(again["key"].as_str().unwrap()).get("/v1/keys/me").await.ok(200);
    let taken = fleet.client().post("/v1/keys", json!({ "agent_label": agent.label })).await;
    taken.refused(409, "label_in_use");
    fleet.client().post("/v1/keys", json!({ "agent_label": unique() })).await.ok(201);
    fleet.finish().await;
}
