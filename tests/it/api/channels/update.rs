//! `PATCH /v1/channels/{identifier}`: who may change what, and what a change does.

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::keyspace::set_of_channel;

fn change(agent: &Agent, channel: &str, fields: Value) -> crate::support::client::Ask {
    agent.patch(&format!("/v1/channels/{channel}"), fields)
}

#[tokio::test]
async fn the_owner_changes_all_members_three_fields_and_strangers_none() {
    let fleet = Fleet::start(2).await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let id = owner.channel("claimable").await;
    let friend = owner.channel("broadcast").await;
    owner.post(&format!("/v1/channels/{id}/members"), json!({ "key_id": member.key_id })).await.ok(201);

    let all = json!({
        "discoverable": false, "description": "d", "metadata_schema": { "a": "string" }, "pinned_message": "p",
        "related_channels": [friend], "retention_days": 30, "max_messages": 10, "max_writes_per_minute": 20,
        "access": "restricted", "mode": "broadcast", "webhook_url": "https://example.com/a", "webhook_secret": "s3cr3t",
    });
    let before = owner.get(&format!("/v1/channels/{id}")).await.ok(200);
    let changed = change(&owner.on(0), &id, all.clone()).await.has_status(200);
    assert!(!changed.text.contains("s3cr3t"));
    let reread = owner.on(1).get(&format!("/v1/channels/{id}")).await.ok(200);
    assert_eq!(changed.body, reread);
    for field in all.as_object().unwrap().keys().filter(|f| !f.starts_with("webhook") && *f != "related_channels") {
        assert_eq!(reread[field], all[field], "{field}");
    }
    assert_eq!(reread["related_channels"][0]["id"], friend);
    assert_eq!(reread["webhook"]["has_secret"], true);
    assert!(reread["updated_at"].as_str() > before["updated_at"].as_str());
    assert_eq!(reread["created_at"], before["created_at"]);

    let cleared = json!({
        "description": null, "metadata_schema": null, "pinned_message": null, "related_channels": null, "max_messages": null,
        "max_writes_per_minute": null, "webhook_url": null, "webhook_secret": null,
    });
    let cleared = change(&owner, &id, cleared).await.ok(200);
    for (field, empty) in [
        ("description", json!("")),
        ("metadata_schema", json!({})),
        ("pinned_message", Value::Null),
        ("related_channels", json!([])),
        ("max_messages", Value::Null),
        ("max_writes_per_minute", Value::Null),
    ] {
        assert_eq!(cleared[field], empty, "a null clears {field}");
    }
    assert_eq!(cleared.get("webhook"), None);
    assert_eq!(change(&owner, &id, json!({})).await.ok(200)["retention_days"], 30, "nothing sent, nothing changed");

    let theirs = change(&member, &id, json!({ "description": "m", "pinned_message": "m", "related_channels": [] })).await.ok(200);
    assert_eq!((&theirs["description"], &theirs["pinned_message"]), (&json!("m"), &json!("m")));
    for only_owner in [
        json!({ "name": "x" }),
        json!({ "mode": "claimable" }),
        json!({ "access": "open" }),
        json!({ "discoverable": true }),
        json!({ "metadata_schema": {} }),
        json!({ "retention_days": 1 }),
        json!({ "max_messages": 1 }),
        json!({ "max_writes_per_minute": 1 }),
        json!({ "paused": true }),
        json!({ "webhook_url": null }),
        json!({ "webhook_secret": null }),
        json!({ "description": "with another", "paused": true }),
    ] {
        change(&member, &id, only_owner).await.refused(403, "forbidden");
    }
    change(&stranger, &id, json!({ "description": "s" })).await.refused(403, "channel_access_denied");
    change(&owner, &id, json!({ "access": "open" })).await.ok(200);
    for fields in [json!({ "description": "s" }), json!({ "name": "s" }), json!({})] {
        change(&stranger, &id, fields).await.refused(403, "forbidden");
    }
    assert_eq!(owner.get(&format!("/v1/channels/{id}")).await.ok(200)["description"], "m");
    fleet.finish().await;
}

#[tokio::test]
async fn what_cannot_be_changed_is_listed_and_wrong_values_are_named() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    let refusal =
        change(&owner, &id, json!({ "ttl_seconds": 600, "colour": "red", "description": "x" })).await.refused(422, "invalid_fields");
    assert_eq!(refusal["fields"], json!(["colour", "ttl_seconds"]));
    for (field, value, code) in [
        ("name", json!("a\u{0}"), "invalid_channel_name"),
        ("name", json!(""), "invalid_string"),
        ("name", json!("ch_abcdefghij2345672345"), "invalid_channel_name"),
        ("mode", json!("x"), "invalid_mode"),
        ("access", json!("x"), "invalid_access"),
        ("discoverable", json!(1), "invalid_discoverable"),
        ("description", json!(1), "invalid_string"),
        ("metadata_schema", json!(1), "invalid_metadata_schema"),
        ("pinned_message", json!(1), "invalid_string"),
        ("related_channels", json!(["nowhere"]), "invalid_related_channels"),
        ("retention_days", json!(366), "invalid_retention_days"),
        ("max_messages", json!(0), "invalid_max_messages"),
        ("max_writes_per_minute", json!("1"), "invalid_max_writes_per_minute"),
        ("paused", json!("true"), "invalid_field"),
        ("webhook_url", json!("javascript:alert(1)"), "invalid_webhook_url"),
        ("webhook_secret", json!([]), "invalid_string"),
    ] {
        let mut body = json!({ "description": "must not be written" });
        body[field] = value;
        assert_eq!(change(&owner, &id, body).await.refused(422, code)["field"], field);
    }
    assert_eq!(owner.get(&format!("/v1/channels/{id}")).await.ok(200)["description"], "");
    change(&owner, "ch_abcdefghij2345672345", json!({ "description": "x" })).await.refused(404, "channel_not_found");
    change(&owner, "nowhere", json!({ "name": "x" })).await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn the_mode_changes_only_while_there_are_no_live_messages() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel_with(json!({ "mode": "claimable", "ttl_seconds": 600 })).await;
    let message = owner.post_message(&id, "live").await;
    change(&owner, &id, json!({ "mode": "claimable" })).await.ok(200);
    let both = json!({ "mode": "broadcast", "description": "not half" });
    change(&owner, &id, both).await.refused(409, "channel_not_empty");
    assert_eq!(owner.get(&format!("/v1/channels/{id}")).await.ok(200)["description"], "");
    // Only now: a short life could be over before the refusal above.
    set_of_channel(fleet.redis(), &format!("{}{{{id}}}:meta", fleet.prefix()), "ttl", "1");
    crate::support::wait::eventually("the message expires", std::time::Duration::from_secs(20), || async {
        change(&owner, &id, json!({ "mode": "broadcast" })).await.status == 200
    })
    .await;
    owner.claim(&message).await.refused(409, "channel_not_claimable");
    fleet.finish().await;
}

#[tokio::test]
async fn a_paused_channel_takes_no_posts_and_everything_else_works() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    let (first, second) = (owner.post_message(&id, "before").await, owner.post_message(&id, "before too").await);
    change(&owner.on(0), &id, json!({ "paused": true })).await.ok(200);
    for ask in [owner.post_to(&id, json!({ "content": "x" })), owner.post("/v1/tasks/post", json!({ "channel": id, "content": "x" }))] {
        let reply = ask.on(1).await;
        assert_eq!(reply.header("retry-after"), Some("30"));
        assert_eq!(reply.refused(503, "channel_paused")["retry_after"], 30);
    }
    assert_eq!(owner.list(&id, "").await.ok(200)["data"].as_array().unwrap().len(), 2);
    owner.claim(&first).await.ok(200);
    owner.ack(&first).await.ok(200);
    assert_eq!(owner.claim_next(&id, json!({})).await.ok(200)["claimed"]["id"], second);
    owner.release(&second).await.ok(200);
    owner.delete(&format!("/v1/messages/{second}")).await.ok(200);
    change(&owner, &id, json!({ "paused": false })).await.ok(200);
    owner.post_message(&id, "goes on").await;
    fleet.finish().await;
}

#[tokio::test]
async fn retention_moves_the_end_of_all_that_a_channel_holds() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel_with(json!({ "mode": "claimable", "ttl_seconds": 3600, "retention_days": 10 })).await;
    let message = owner.post_message(&id, "one").await;
    owner.post_message(&id, "two").await;
    owner.claim_with_lease(&message, 60).await.ok(200);
    let names = ["log", "open", "claims", "leases"];
    let days_left = || {
        names.map(|name| {
            let ms: i64 = fleet.redis().run(&["PTTL", &format!("{}{{{id}}}:{name}", fleet.prefix())]);
            ms as f64 / 86_400_000.0
        })
    };
    let about = |days: f64| days_left().iter().all(|left| *left >= days && *left < days * 1.05 + 0.1);
    assert!(about(10.0 + 1.0 / 24.0), "{:?}", days_left());
    change(&owner, &id, json!({ "retention_days": 100 })).await.ok(200);
    assert!(about(100.0 + 1.0 / 24.0), "{:?}", days_left());
    change(&owner, &id, json!({ "retention_days": 1 })).await.ok(200);
    assert!(about(1.0 + 1.0 / 24.0), "{:?}", days_left());
    fleet.finish().await;
}
