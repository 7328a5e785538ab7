//! What expires: 410 while it is in the history, then 404.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::keyspace::set_of_channel;
use crate::support::wait::eventually;

#[tokio::test]
async fn an_expired_message_is_refused_shown_in_the_history_and_gone_after_retention() {
    let fleet = Fleet::start(2).await;
    let (agent, other) = (fleet.agent("agent").await, fleet.agent("other").await);
    let id = agent.channel_with(json!({ "mode": "claimable", "ttl_seconds": 600 })).await;
    let history = || agent.get(&format!("/v1/channels/{id}/history"));
    let done = agent.post_message(&id, "done in time").await;
    agent.claim(&done).await.ok(200);
    agent.ack(&done).await.ok(200);
    let held = agent.post_message(&id, "held").await;
    let lease = agent.claim_with_lease(&held, 300).await.ok(200)["lease_token"].as_str().unwrap().to_owned();
    let open = agent.post_to(&id, json!({ "content": "nobody came", "metadata": { "n": 1.0 } })).await.ok(201)["message"].clone();
    let open_id = open["id"].as_str().unwrap();
    assert_eq!(agent.list(&id, &format!("expiring_before={}", "2100-01-01T00:00:00Z")).await.status, 200);

    // Only now: a short life could be over before a busy machine has done all that.
    let meta = format!("{}{{{id}}}:meta", fleet.prefix());
    set_of_channel(fleet.redis(), &meta, "ttl", "1");
    eventually("all have expired", Duration::from_secs(20), || async { history().await.ok(200)["data"].as_array().unwrap().len() == 3 })
        .await;
    let page = history().await.ok(200);
    let entries = page["data"].as_array().unwrap();
    assert_eq!(entries.iter().map(|m| m["id"].as_str().unwrap()).collect::<Vec<_>>(), [open_id, &held, &done], "newest first");
    assert_eq!(page["next_cursor"], Value::Null);
    for entry in entries {
        assert_eq!(entry["active"], false);
        assert_eq!(entry["archived_at"], entry["expires_at"]);
    }
    assert_eq!((&entries[0]["state"], &entries[1]["state"], &entries[2]["state"]), (&json!("expired"), &json!("expired"), &json!("done")));
    assert_eq!((&entries[0]["content"], &entries[0]["created_at"]), (&open["content"], &open["created_at"]));
    for query in ["", "status=unclaimed", "status=claimed"] {
        assert_eq!(agent.list(&id, query).await.ok(200)["data"], json!([]), "{query}");
    }
    assert_eq!(agent.claim_next(&id, json!({})).await.ok(200)["claimed"], Value::Null);
    let uses = || {
        vec![
            agent.claim(open_id),
            agent.claim_with_lease(open_id, 60),
            other.claim(open_id),
            agent.ack(&held),
            agent.release(&held),
            agent.delete(&format!("/v1/messages/{open_id}")),
        ]
    };
    for ask in uses() {
        ask.await.refused(410, "message_expired");
    }
    assert!(agent.heartbeat(&lease, 60).await.status == 410);

    // Retention is counted in days; the record holds it in seconds.
    set_of_channel(fleet.redis(), &meta, "retention", "1");
    eventually("they are past their retention", Duration::from_secs(20), || async { history().await.ok(200)["data"] == json!([]) }).await;
    for ask in uses() {
        ask.await.refused(404, "message_not_found");
    }
    // Later posts sweep out what is gone; the channel goes on.
    for i in 0..200 {
        agent.post_message(&id, &i.to_string()).await;
    }
    eventually("what is gone takes no room", Duration::from_secs(20), || async {
        agent.post_message(&id, "x").await;
        let oldest: Vec<(String, Vec<String>)> = fleet.redis().run(&["XRANGE", &meta.replace(":meta", ":log"), "-", "+", "COUNT", "1"]);
        let number = |id: &str| id[id.len() - 16..].parse::<u64>().unwrap();
        oldest[0].0.strip_suffix("-0").unwrap().parse::<u64>().unwrap() > number(open_id)
    })
    .await;
    fleet.finish().await;
}
