//! `POST /v1/channels`: defaults, fields, refusals.

use serde_json::{Value, json};

use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_channel_has_the_defaults_of_the_protocol() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let made = owner.post("/v1/channels", json!({ "name": "  jobs  ", "mode": "claimable" })).await.ok(201);
    assert!(made["id"].as_str().unwrap().starts_with("ch_"), "{made}");
    for (field, expected) in [
        ("name", json!("jobs")),
        ("mode", json!("claimable")),
        ("access", json!("open")),
        ("discoverable", json!(true)),
        ("description", json!("")),
        ("owner_id", json!(owner.label)),
        ("created_by_key_id", json!(owner.key_id)),
        ("metadata_schema", json!({})),
        ("pinned_message", Value::Null),
        ("ttl_seconds", json!(86_400)),
        ("retention_days", json!(7)),
        ("max_messages", Value::Null),
        ("max_writes_per_minute", Value::Null),
        ("paused", json!(false)),
        ("aliases", json!([])),
        ("related_channels", json!([])),
        ("created", json!(true)),
    ] {
        assert_eq!(made.get(field), Some(&expected), "{field} of {made}");
    }
    assert_eq!(made["created_at"], made["updated_at"]);
    let created_at = made["created_at"].as_str().unwrap();
    assert!(created_at.len() == 27 && created_at.ends_with('Z'), "six digits, UTC: {created_at}");

    let restricted = json!({ "name": "secret", "mode": "broadcast", "access": "restricted" });
    assert_eq!(owner.post("/v1/channels", restricted).await.ok(201)["discoverable"], false);
    let shown = json!({ "name": "shown", "mode": "broadcast", "access": "restricted", "discoverable": true });
    assert_eq!(owner.post("/v1/channels", shown).await.ok(201)["discoverable"], true);
    fleet.finish().await;
}

#[tokio::test]
async fn every_field_is_kept_as_it_was_sent_and_names_may_be_any_text_that_shows() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let other = owner.channel("broadcast").await;
    let sent = json!({
        "name": "<script>任务 é</script>", "mode": "broadcast", "access": "restricted", "discoverable": true,
        "description": "what is done here", "metadata_schema": { "severity": "string" }, "pinned_message": "read me",
        "ttl_seconds": 300, "retention_days": 365, "max_messages": 1_000_000, "max_writes_per_minute": 1, "paused": true,
        "webhook_url": "https://hooks.example.com/x", "webhook_secret": "s3cr3t-of-the-hook", "related_channels": [other],
    });
    let made = owner.on(0).post("/v1/channels", sent.clone()).await.has_status(201);
    let reread = owner.on(1).get(&format!("/v1/channels/{}", made.body["id"].as_str().unwrap())).await.has_status(200);
    for reply in [&made, &reread] {
        for field in sent.as_object().unwrap().keys().filter(|f| !f.starts_with("webhook") && *f != "related_channels") {
            assert_eq!(reply.body[field], sent[field], "{field}");
        }
        assert_eq!(reply.body["related_channels"][0]["id"], other);
        assert_eq!(reply.body["related_channels"][0]["mode"], "broadcast");
        assert_eq!(reply.body["webhook"], json!({ "url_host": "hooks.example.com", "has_secret": true }));
        assert!(!reply.text.contains("s3cr3t") && !reply.text.contains("/x\""), "neither secret nor URL: {}", reply.text);
    }
    assert_eq!(reread.body.get("created"), None);

    for name in ["x".repeat(200), "é".repeat(200), "a b/c?d#e".to_owned(), "{ch_x}".to_owned()] {
        let made = owner.post("/v1/channels", json!({ "name": name, "mode": "broadcast" })).await.ok(201);
        assert_eq!(made["name"], name);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn each_wrong_field_is_refused_with_its_own_code_and_named() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let long = "x".repeat(201);
    let wrong = [
        ("name", json!(null), "missing_field"),
        ("name", json!(" \t "), "invalid_string"),
        ("name", json!(7), "invalid_string"),
        ("name", json!(long), "invalid_channel_name"),
        ("name", json!("a\u{0}b"), "invalid_channel_name"),
        ("name", json!("a\nb"), "invalid_channel_name"),
        ("name", json!("soft\u{ad}hyphen"), "invalid_channel_name"),
        ("name", json!("\u{61c}x"), "invalid_channel_name"),
        ("name", json!("zero\u{200b}width"), "invalid_channel_name"),
        ("name", json!("\u{202e}txet"), "invalid_channel_name"),
        ("name", json!("a\u{2064}b"), "invalid_channel_name"),
        ("name", json!("a\u{2069}b"), "invalid_channel_name"),
        ("name", json!("a\u{feff}b"), "invalid_channel_name"),
        ("name", json!("ch_abcdefghij2345672345"), "invalid_channel_name"),
        ("mode", json!("exclusive"), "invalid_mode"),
        ("mode", json!(1), "invalid_mode"),
        ("access", json!("private"), "invalid_access"),
        ("access", json!(false), "invalid_access"),
        ("discoverable", json!("yes"), "invalid_discoverable"),
        ("description", json!([]), "invalid_string"),
        ("description", json!("x".repeat(10_001)), "invalid_string"),
        ("metadata_schema", json!("text"), "invalid_metadata_schema"),
        ("metadata_schema", json!([]), "invalid_metadata_schema"),
        ("metadata_schema", json!({ "x": "y".repeat(16_384) }), "invalid_metadata_schema"),
        ("pinned_message", json!({}), "invalid_string"),
        ("ttl_seconds", json!(0), "invalid_ttl_seconds"),
        ("ttl_seconds", json!(2_592_001), "invalid_ttl_seconds"),
        ("ttl_seconds", json!(300.5), "invalid_ttl_seconds"),
        ("ttl_seconds", json!("300"), "invalid_ttl_seconds"),
        ("retention_days", json!(0), "invalid_retention_days"),
        ("retention_days", json!(366), "invalid_retention_days"),
        ("max_messages", json!(0), "invalid_max_messages"),
        ("max_messages", json!(1_000_001), "invalid_max_messages"),
        ("max_messages", json!(true), "invalid_max_messages"),
        ("max_writes_per_minute", json!(0), "invalid_max_writes_per_minute"),
        ("max_writes_per_minute", json!(-1), "invalid_max_writes_per_minute"),
        ("paused", json!("no"), "invalid_field"),
        ("related_channels", json!("x"), "invalid_related_channels"),
        ("related_channels", json!([1]), "invalid_related_channels"),
        ("related_channels", json!(["no-such-channel"]), "invalid_related_channels"),
        ("webhook_url", json!("ftp://example.com"), "invalid_webhook_url"),
        ("webhook_url", json!("https://user:pw@example.com"), "invalid_webhook_url"),
        ("webhook_url", json!("nonsense"), "invalid_webhook_url"),
        ("webhook_secret", json!(5), "invalid_string"),
        ("webhook_secret", json!("s".repeat(513)), "invalid_string"),
        ("webhook_url", json!(format!("https://example.com/{}", "x".repeat(2048))), "invalid_webhook_url"),
    ];
    for (field, value, code) in wrong {
        let mut body = json!({ "name": "fine", "mode": "claimable" });
        body[field] = value.clone();
        let refusal = owner.post("/v1/channels", body).await.refused(422, code);
        assert_eq!(refusal["field"], field, "{value} → {refusal}");
    }
    let missing = owner.post("/v1/channels", json!({ "name": "fine" })).await.refused(422, "missing_field");
    assert_eq!(missing["field"], "mode");
    let range = owner.post("/v1/channels", json!({ "name": "fine", "mode": "claimable", "ttl_seconds": 0 })).await;
    assert_eq!(range.body["max"], 2_592_000, "the range is told: {}", range.text);
    // Nothing that was refused has taken the name; unknown fields are no mistake here.
    let made = owner.post("/v1/channels", json!({ "name": "fine", "mode": "claimable", "colour": "red" })).await.ok(201);
    assert_eq!(made["created"], true);
    fleet.finish().await;
}
