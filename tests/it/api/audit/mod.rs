//! `GET /v1/security/audit` and `GET /v1/admin/audit`

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::process::unique;

const TOKEN: &str = "operator-token-7";

async fn with_operator() -> Fleet {
    Fleet::builder().env("BACKCHANNEL_ADMIN_TOKEN", TOKEN).start().await
}

fn as_operator(ask: Ask) -> Ask {
    ask.header("X-Admin-Token", TOKEN)
}

async fn mine(agent: &Agent, query: &str) -> Vec<Value> {
    let audit = agent.get(&format!("/v1/security/audit{query}")).await.ok(200);
    let data = audit["data"].as_array().unwrap().clone();
    assert_eq!(audit["count"], data.len());
    data
}

async fn all(fleet: &Fleet, query: &str) -> Value {
    as_operator(fleet.client().get(&format!("/v1/admin/audit{query}"))).await.ok(200)
}

fn types(events: &[Value]) -> Vec<&str> {
    events.iter().map(|event| event["event_type"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_mint_is_exactly_one_event_of_its_key_and_of_nobody_else() {
    let fleet = with_operator().await;
    let (agent, other) = (fleet.agent("agent").await, fleet.agent("other").await);
    for replica in 0..2 {
        let events = mine(&agent.on(replica), "").await;
        assert_eq!(types(&events), ["key.issue"]);
        let event = &events[0];
        assert_eq!((&event["subject_key_id"], &event["actor_key_id"]), (&json!(agent.key_id), &Value::Null));
        assert_eq!((&event["remote_addr"], &event["detail"]), (&json!("127.0.0.1"), &json!({ "agent_label": agent.label })));
        assert!(event["id"].as_str().unwrap().starts_with("evt_"));
        event["created_at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    }
    // A refused mint is none.
    fleet.client().post("/v1/keys", json!({ "agent_label": agent.label })).await.refused(409, "label_in_use");
    assert_eq!(mine(&agent, "").await.len(), 1);
    let everything = all(&fleet, "").await;
    let of = |key: &str| everything["data"].as_array().unwrap().iter().filter(|event| event["subject_key_id"] == key).count();
    assert_eq!((of(&agent.key_id), of(&other.key_id), &everything["count"]), (1, 1, &json!(2)));
    fleet.finish().await;
}

#[tokio::test]
async fn neither_audit_ever_holds_a_secret() {
    let fleet = with_operator().await;
    let agent = fleet.agent("agent").await;
    let issued = as_operator(fleet.client().post("/v1/admin/keys", json!({ "agent_label": unique() }))).await.ok(201);
    let everything = all(&fleet, "?limit=500").await.to_string() + &serde_json::to_string(&mine(&agent, "").await).unwrap();
    for key in [agent.key.as_str(), issued["key"].as_str().unwrap()] {
        assert!(!everything.contains(key.split_once('.').unwrap().1), "{everything}");
    }
    assert!(!everything.contains(TOKEN));
    fleet.finish().await;
}

#[tokio::test]
async fn every_event_is_told_with_who_did_it_newest_first() {
    let fleet = with_operator().await;
    let client = fleet.client();
    let agent = fleet.agent("agent").await;
    let alias = format!("alias-{}", unique());
    let channel = agent.channel_with(json!({ "name": "jobs", "mode": "claimable" })).await;
    agent.post("/v1/channels/jobs/aliases", json!({ "alias": alias })).await.ok(201);
    as_operator(client.post(&format!("/v1/admin/channels/{alias}/pause"), json!({}))).await.ok(200);
    as_operator(client.post(&format!("/v1/admin/channels/{channel}/resume"), json!({}))).await.ok(200);
    as_operator(client.post("/v1/admin/minting", json!({ "enabled": false }))).await.ok(200);
    let issued = as_operator(client.post("/v1/admin/keys", json!({ "agent_label": unique() }))).await.ok(201);
    as_operator(client.delete(&format!("/v1/admin/channels/{channel}"))).await.ok(204);

    let events = mine(&agent, "").await;
    assert_eq!(types(&events), ["channel.delete.admin", "channel.resume", "channel.pause", "key.issue"]);
    for event in &events[..3] {
        assert_eq!((&event["subject_key_id"], &event["actor_key_id"]), (&json!(agent.key_id), &Value::Null));
        assert_eq!(event["detail"], json!({ "channel_id": channel, "channel_name": "jobs" }));
    }
    assert_eq!(mine(&agent, "?limit=2").await, events[..2]);
    let issued_agent = client.with_key(issued["key"].as_str().unwrap());
    let own = issued_agent.get("/v1/security/audit").await.ok(200);
    assert_eq!((&own["count"], &own["data"][0]["event_type"]), (&json!(1), &json!("key.issue.admin")));

    as_operator(client.delete(&format!("/v1/admin/keys/{}", issued["key_id"].as_str().unwrap()))).await.ok(200);
    agent.delete("/v1/keys/me").await.ok(200);
    let everything = all(&fleet, "").await;
    let events = everything["data"].as_array().unwrap();
    let expected = [
        "key.revoke",
        "key.revoke.admin",
        "channel.delete.admin",
        "key.issue.admin",
        "minting.toggle",
        "channel.resume",
        "channel.pause",
        "key.issue",
    ];
    assert_eq!(types(events), expected);
    assert_eq!((&events[0]["actor_key_id"], &events[1]["actor_key_id"]), (&json!(agent.key_id), &Value::Null));
    assert_eq!((&events[4]["subject_key_id"], &events[4]["detail"]), (&Value::Null, &json!({ "enabled": false })));

    // Pages hold the same, each event once.
    let (mut cursor, mut paged) = (String::new(), Vec::new());
    for _ in 0..3 {
        let page = all(&fleet, &format!("?limit=3&cursor={cursor}")).await;
        paged.extend(page["data"].as_array().unwrap().clone());
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!((&paged, cursor.as_str()), (events, ""));
    fleet.finish().await;
}

#[tokio::test]
async fn limits_and_cursors_of_audits_are_checked_and_strangers_read_nothing() {
    let fleet = with_operator().await;
    let agent = fleet.agent("agent").await;
    for limit in ["0", "501", "-1", "x", "", "1.5"] {
        let refused = agent.get(&format!("/v1/security/audit?limit={limit}")).await.refused(422, "invalid_limit");
        assert_eq!((&refused["field"], &refused["max"]), (&json!("limit"), &json!(500)), "{limit}");
        as_operator(fleet.client().get(&format!("/v1/admin/audit?limit={limit}"))).await.refused(422, "invalid_limit");
    }
    mine(&agent, "?limit=500").await;
    as_operator(fleet.client().get("/v1/admin/audit?cursor=x")).await.refused(422, "invalid_cursor");
    fleet.client().get("/v1/security/audit").await.refused(401, "unauthorized");
    agent.get("/v1/admin/audit").await.refused(401, "admin_unauthorized");
    fleet.finish().await;
}
