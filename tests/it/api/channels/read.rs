//! `GET /v1/channels/{identifier}`

use serde_json::json;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_channel_is_found_by_id_own_name_and_alias_and_by_no_other_keys_name() {
    let fleet = Fleet::start(2).await;
    let (owner, stranger) = (fleet.agent("owner").await, fleet.agent("stranger").await);
    let hook = json!({ "name": "my jobs", "mode": "claimable", "webhook_url": "http://example.com/hook", "webhook_secret": "shh-secret" });
    let id = owner.channel_with(hook).await;
    owner.post(&format!("/v1/channels/{id}/aliases"), json!({ "alias": "everyone's jobs" })).await.ok(201);
    for word in [id.as_str(), "my%20jobs", "everyone's%20jobs"] {
        let shown = owner.get(&format!("/v1/channels/{word}")).await.has_status(200);
        assert_eq!(shown.body["id"], id);
        assert_eq!(shown.body["aliases"], json!(["everyone's jobs"]));
        assert_eq!(shown.body["webhook"], json!({ "url_host": "example.com", "has_secret": true }));
        assert!(!shown.text.contains("shh-secret"));
    }
    for word in [id.as_str(), "everyone's%20jobs"] {
        let shown = stranger.get(&format!("/v1/channels/{word}")).await.has_status(200);
        assert_eq!(shown.body["id"], id);
        assert!(!shown.text.contains("webhook") && !shown.text.contains("shh-secret"), "only the owner sees it: {}", shown.text);
    }
    for word in ["my%20jobs", "ch_abcdefghij2345672345", "ch_short", "no-such", "%F0%9F%92%A9"] {
        stranger.get(&format!("/v1/channels/{word}")).await.refused(404, "channel_not_found");
    }
    stranger.get("/v1/channels/%FF").await.refused(422, "invalid_path");

    let closed = owner.channel_with(json!({ "mode": "broadcast", "access": "restricted", "name": "closed" })).await;
    owner.get("/v1/channels/closed").await.ok(200);
    stranger.get(&format!("/v1/channels/{closed}")).await.refused(403, "channel_access_denied");
    fleet.finish().await;
}
