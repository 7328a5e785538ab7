//! `POST /v1/channels/{identifier}/messages`: what is kept, and what is refused.

use serde_json::{Value, json};

use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_message_is_answered_whole_and_read_back_the_same() {
    let fleet = Fleet::start(2).await;
    let (owner, poster) = (fleet.agent("owner").await, fleet.agent("poster").await);
    let id = owner.channel_with(json!({ "mode": "claimable", "ttl_seconds": 600, "name": "jobs" })).await;
    let posted = poster.on(0).post_to(&id, json!({ "content": " \n do it \t", "metadata": { "n": 1 }, "colour": "red" })).await.ok(201);
    let message = &posted["message"];
    for (field, expected) in [
        ("channel_id", json!(id)),
        ("content", json!("do it")),
        ("metadata", json!({ "n": 1 })),
        ("actor_label", Value::Null),
        ("claimed_by", Value::Null),
        ("claimed_by_key_id", Value::Null),
        ("claimed_at", Value::Null),
        ("mentions", json!([])),
        ("acknowledged_by", json!([])),
        ("active", json!(true)),
        ("posted_by_key_id", json!(poster.key_id)),
        ("state", json!("open")),
        ("attempt", json!(0)),
        ("lease_expires_at", Value::Null),
    ] {
        assert_eq!(message.get(field), Some(&expected), "{field} of {message}");
    }
    assert_eq!(message["actor"]["name"], poster.label, "the key's own actor");
    assert_eq!(posted["next_cursor"], message["created_at"]);
    let micros = |field: &str| {
        let time: jiff::Timestamp = message[field].as_str().unwrap().parse().unwrap();
        time.as_microsecond()
    };
    assert_eq!(micros("expires_at") - micros("created_at"), 600_000_000);
    assert_eq!(message["created_at"].as_str().unwrap().len(), 27);
    assert!(message["id"].as_str().unwrap().starts_with("msg_"));
    assert_eq!(owner.on(1).list(&id, "").await.ok(200)["data"], json!([message]));
    // By own name for the owner, not for others.
    owner.post_to("jobs", json!({ "content": "x" })).await.ok(201);
    poster.post_to("jobs", json!({ "content": "x" })).await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn who_it_is_from_is_an_actor_of_the_key_or_free_text() {
    let fleet = Fleet::start(1).await;
    let (poster, other) = (fleet.agent("poster").await, fleet.agent("other").await);
    let id = poster.channel("broadcast").await;
    let worker = poster.post("/v1/actors", json!({ "name": "worker 1" })).await.ok(201)["id"].clone();
    let theirs = other.post("/v1/actors", json!({ "name": "worker 1" })).await.ok(201)["id"].clone();
    for (body, actor, label) in [
        (json!({}), json!(poster.label), Value::Null),
        (json!({ "actor": "worker 1" }), json!("worker 1"), Value::Null),
        (json!({ "actor": worker }), json!("worker 1"), Value::Null),
        (json!({ "actor": poster.label }), json!(poster.label), Value::Null),
        (json!({ "actor": "", "actor_label": " \u{1f}free <text> " }), Value::Null, json!("\u{1f}free <text>")),
        (json!({ "actor_label": "me" }), Value::Null, json!("me")),
        (json!({ "actor": "worker 1", "actor_label": "me" }), json!("worker 1"), json!("me")),
        (json!({ "actor": null, "actor_label": "" }), json!(poster.label), Value::Null),
    ] {
        let mut fields = body;
        fields["content"] = "x".into();
        let message = poster.post_to(&id, fields).await.ok(201)["message"].clone();
        let name = if message["actor"].is_null() { Value::Null } else { message["actor"]["name"].clone() };
        assert_eq!((name, message["actor_label"].clone()), (actor, label), "{message}");
        assert_eq!(message["posted_by_key_id"], poster.key_id, "whatever name is shown");
    }
    let page = poster.list(&id, "").await.ok(200)["data"].clone();
    assert_eq!(page[4]["actor_label"], "\u{1f}free <text>");
    assert_eq!(page[1]["actor"], json!({ "id": worker, "name": "worker 1" }));
    for (actor, status, code) in [
        (theirs, 403, "actor_forbidden"),
        (json!("nobody"), 404, "actor_not_found"),
        (json!(other.label), 404, "actor_not_found"),
        (json!("act_nonsense"), 404, "actor_not_found"),
        (json!("a\u{0}"), 422, "invalid_actor_name"),
        (json!("a\u{200b}"), 422, "invalid_actor_name"),
        (json!(5), 422, "invalid_string"),
    ] {
        let refusal = poster.post_to(&id, json!({ "content": "x", "actor": actor })).await.refused(status, code);
        assert_eq!(refusal["field"], "actor", "{actor}");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn each_wrong_field_is_refused_and_nothing_is_posted() {
    let fleet = Fleet::start(1).await;
    let poster = fleet.agent("poster").await;
    let id = poster.channel("claimable").await;
    let fifty_one: Vec<_> = (0..51).map(|_| "act_x").collect();
    for (field, value, code) in [
        ("content", Value::Null, "missing_field"),
        ("content", json!(" \n\t "), "invalid_string"),
        ("content", json!(["x"]), "invalid_string"),
        ("metadata", json!([]), "invalid_object"),
        ("metadata", json!("{}"), "invalid_object"),
        ("metadata", json!(0), "invalid_object"),
        ("actor_label", json!(1), "invalid_string"),
        ("actor_label", json!("x".repeat(257)), "invalid_string"),
        ("mentions", json!("act_x"), "invalid_mentions"),
        ("mentions", json!({}), "invalid_mentions"),
        ("mentions", json!([1]), "invalid_mentions"),
        ("mentions", json!(fifty_one), "invalid_mentions"),
    ] {
        let mut body = json!({ "content": "x" });
        body[field] = value;
        assert_eq!(poster.post_to(&id, body).await.refused(422, code)["field"], field);
    }
    let path = format!("/v1/channels/{id}/messages");
    let raw = |body: &[u8]| poster.ask(reqwest::Method::POST, &path).raw(body.to_vec());
    raw(b"").await.refused(422, "missing_field");
    raw(b"{\"content\":").await.refused(400, "invalid_json");
    raw(b"{\"content\":\"\xff\"}").await.refused(400, "invalid_json");
    raw(b"[\"content\"]").await.refused(422, "invalid_json_shape");
    raw(b"{\"content\":\"\\ud800\"}").await.refused(422, "invalid_string");
    raw(b"{\"content\":\"x\",\"metadata\":{\"a\":\"\\ud800\"}}").await.refused(422, "invalid_object");
    let deep = format!("{{\"content\":\"x\",\"metadata\":{}1{}}}", "{\"a\":".repeat(70), "}".repeat(70));
    raw(deep.as_bytes()).await.refused(400, "invalid_json");
    poster.post_to("ch_abcdefghij2345672345", json!({ "content": "x" })).await.refused(404, "channel_not_found");
    poster.post_to("nowhere", json!({ "content": "x" })).await.refused(404, "channel_not_found");
    assert_eq!(poster.list(&id, "").await.ok(200)["data"], json!([]));
    fleet.finish().await;
}

#[tokio::test]
async fn metadata_and_content_come_back_exactly_as_they_were_sent() {
    let fleet = Fleet::start(2).await;
    let poster = fleet.agent("poster").await;
    let id = poster.channel("claimable").await;
    let path = format!("/v1/channels/{id}/messages");
    let exact = [
        r#"{"big":12345678901234567890123456789,"id":9007199254740993,"one":1.0,"small":1e-400,"neg":-0}"#,
        r#"{"list":[],"object":{},"nested":[[],{},[{}]],"null":null}"#,
        r#"{"z":1,"a":2,"z ":3,"":4}"#,
        r#"{"unicode":"Ünïcödé 任务 🎉","escaped":"\u00e9\n\"\\\/","key 🎉":"\u0000"}"#,
    ];
    for metadata in exact {
        let posted = poster.ask(reqwest::Method::POST, &path).raw(format!(r#"{{"content":"x","metadata":{metadata}}}"#)).await;
        assert!(posted.has_status(201).text.contains(&format!(r#""metadata":{metadata}"#)), "{metadata}");
    }
    let listed = poster.list(&id, "").await.has_status(200).text;
    let claimed = poster.claim_next(&id, json!({ "max": 10 })).await.has_status(200).text;
    for metadata in exact {
        assert!(listed.contains(metadata) && claimed.contains(metadata), "{metadata}\n{listed}\n{claimed}");
    }
    for empty in ["{}", "{ }", "null"] {
        let posted = poster.ask(reqwest::Method::POST, &path).raw(format!(r#"{{"content":"x","metadata":{empty}}}"#)).await;
        assert_eq!(posted.ok(201)["message"]["metadata"], json!({}), "{empty}");
    }
    for content in ["Ünïcödé 任务 🎉", "<script>alert(1)</script>", "a\u{0}b\u{1f}c\"\\", "line\r\nline", "'; DROP TABLE --"] {
        let posted = poster.post_to(&id, json!({ "content": content })).await.ok(201)["message"].clone();
        let cursor = poster.list(&id, "limit=100").await.ok(200)["data"].as_array().unwrap().last().unwrap().clone();
        assert_eq!((&posted["content"], &cursor["content"]), (&json!(content), &json!(content)));
    }
    fleet.finish().await;
}
