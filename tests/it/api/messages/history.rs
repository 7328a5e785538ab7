//! `GET /v1/channels/{identifier}/history`

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

#[tokio::test]
async fn the_history_is_paged_from_the_newest_to_the_oldest() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel_with(json!({ "mode": "broadcast", "ttl_seconds": 1 })).await;
    let path = format!("/v1/channels/{id}/history");
    assert_eq!(agent.get(&path).await.ok(200), json!({ "data": [], "limit": 50, "next_cursor": null }));
    let mut posted = Vec::new();
    for i in 0..12 {
        posted.push(agent.post_message(&id, &i.to_string()).await);
    }
    posted.reverse();
    eventually("all have expired", Duration::from_secs(20), || async {
        agent.get(&path).await.ok(200)["data"].as_array().unwrap().len() == 12
    })
    .await;
    // What comes meanwhile does not disturb who pages back.
    let (mut seen, mut cursor) = (Vec::new(), Value::Null);
    loop {
        let query = cursor.as_str().map(|c| format!("&cursor={c}")).unwrap_or_default();
        let page = agent.get(&format!("{path}?limit=5{query}")).await.ok(200);
        assert_eq!(page["limit"], 5);
        seen.extend(page["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()));
        cursor = page["next_cursor"].clone();
        agent.post_message(&id, "new").await;
        if cursor.is_null() {
            break;
        }
    }
    assert_eq!(seen, posted);

    for (query, code, field) in
        [("cursor=nonsense", "invalid_cursor", "cursor"), ("limit=0", "invalid_limit", "limit"), ("limit=101", "invalid_limit", "limit")]
    {
        assert_eq!(agent.get(&format!("{path}?{query}")).await.refused(422, code)["field"], field);
    }
    agent.get("/v1/channels/nowhere/history").await.refused(404, "channel_not_found");
    let restricted = agent.restricted("broadcast").await;
    let stranger = fleet.agent("stranger").await;
    stranger.get(&format!("/v1/channels/{restricted}/history")).await.refused(403, "channel_access_denied");
    fleet.finish().await;
}
