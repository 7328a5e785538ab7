//! `POST /v1/tasks/broadcast`: a message to a channel that exists.

use serde_json::json;

use crate::support::fleet::Fleet;
use crate::support::process::unique;

#[tokio::test]
async fn it_posts_where_there_is_a_channel_and_makes_none() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let channel = owner.channel_with(json!({ "name": "news", "mode": "broadcast" })).await;
    let alias = format!("news-{}", unique());
    owner.post(&format!("/v1/channels/{channel}/aliases"), json!({ "alias": alias })).await.has_status(201);
    let broadcast =
        |agent: &crate::support::client::Agent, word: &str| agent.post("/v1/tasks/broadcast", json!({ "channel": word, "content": " n " }));

    let posted = broadcast(&owner, "news").await.ok(201);
    assert_eq!((&posted["message"]["content"], &posted["next_cursor"]), (&json!("n"), &posted["message"]["created_at"]));
    assert_eq!(posted["message"]["channel_id"], json!(channel));
    assert!(posted.get("channel").is_none());
    for (agent, word) in [(&owner, channel.as_str()), (&owner, &alias), (&other, &channel), (&other, &alias)] {
        assert_eq!(broadcast(agent, word).await.ok(201)["message"]["channel_id"], json!(channel), "{word}");
    }
    assert_eq!(owner.list(&channel, "").await.ok(200)["data"].as_array().map(Vec::len), Some(5));

    broadcast(&other, "news").await.refused(404, "channel_not_found");
    broadcast(&owner, "nowhere").await.refused(404, "channel_not_found");
    owner.get("/v1/channels/nowhere").await.refused(404, "channel_not_found");
    let restricted = owner.restricted("broadcast").await;
    broadcast(&other, &restricted).await.refused(403, "channel_access_denied");
    for (body, code, field) in [
        (json!({ "content": "c" }), "missing_field", "channel"),
        (json!({ "channel": "news" }), "missing_field", "content"),
        (json!({ "channel": "news", "content": 7 }), "invalid_string", "content"),
    ] {
        assert_eq!(owner.post("/v1/tasks/broadcast", body).await.refused(422, code)["field"], field);
    }
    fleet.finish().await;
}
