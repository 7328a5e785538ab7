//! Idle channels: what is deleted, what is left of it, and what is kept.

use serde_json::{Value, json};

use super::{SOON, fleet};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::keyspace::set_of_channel;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// Lets the channel look as if it had been made, and changed last, so many days ago.
fn make_old(fleet: &Fleet, channel: &str, days: i64) {
    let at = (jiff::Timestamp::now().as_microsecond() - days * 86_400_000_000).to_string();
    for field in ["created", "updated"] {
        set_of_channel(fleet.redis(), &format!("{}{{{channel}}}:meta", fleet.prefix()), field, &at);
    }
}

async fn is_there(agent: &Agent, channel: &str) -> bool {
    agent.get(&format!("/v1/channels/{channel}")).await.status == 200
}

#[tokio::test]
async fn a_channel_that_is_idle_is_deleted_with_its_names_and_its_owner_is_told() {
    let redis = RedisServer::start_private(&[]);
    let fleet = fleet(&redis).env("BACKCHANNEL_SANDBOX", "true").env("BACKCHANNEL_SANDBOX_TTL_SECONDS", "1").start().await;
    let (owner, leaver) = (fleet.agent("owner").await, fleet.agent("leaver").await);
    let named = |name: &str, more: Value| {
        let (owner, mut fields) = (owner.clone(), json!({ "mode": "claimable", "name": name, "discoverable": true }));
        fields.as_object_mut().expect("fields").extend(more.as_object().cloned().unwrap_or_default());
        async move { owner.channel_with(fields).await }
    };
    let idle = named("idle", json!({ "webhook_url": "https://hooks.example.com/x" })).await;
    owner.post(&format!("/v1/channels/{idle}/aliases"), json!({ "alias": "idle-alias" })).await.ok(201);
    let orphan = leaver.channel_with(json!({ "mode": "broadcast", "name": "orphan" })).await;
    let (posted, changed, young) = (named("posted", json!({})).await, named("changed", json!({})).await, named("young", json!({})).await);
    owner.post_message(&posted, "its history lasts a week").await;
    leaver.delete("/v1/keys/me").await.ok(200);
    let sandbox = owner.get("/v1/channels/sandbox").await.ok(200)["id"].as_str().expect("an id").to_owned();
    for channel in [&idle, &orphan, &posted, &changed, &sandbox] {
        make_old(&fleet, channel, 4);
    }
    make_old(&fleet, &young, 2);
    owner.patch("/v1/channels/changed", json!({ "description": "still wanted" })).await.ok(200);

    let worker = Worker::start(&fleet, &[("BACKCHANNEL_CHANNEL_IDLE_DAYS", "3"), ("BACKCHANNEL_SANDBOX", "false")]).await;
    eventually("the idle ones are gone", SOON, || async { worker.metric("backchannel_channels_expired_total").await == 2.0 }).await;
    let passes = super::passes(&worker).await;
    eventually("a pass more", SOON, || async { super::passes(&worker).await > passes + 1.0 }).await;
    assert_eq!(worker.metric("backchannel_channels_expired_total").await, 2.0);
    for (channel, kept) in [(&idle, false), (&orphan, false), (&posted, true), (&changed, true), (&young, true), (&sandbox, true)] {
        assert_eq!(is_there(&owner, channel).await, kept, "{channel}");
    }
    owner.get("/v1/channels/idle").await.refused(404, "channel_not_found");
    owner.get("/v1/channels/idle-alias").await.refused(404, "channel_not_found");
    let listed = owner.get("/v1/channels?limit=100").await.ok(200).to_string();
    assert!(!listed.contains(&idle) && listed.contains(&young), "{listed}");
    assert_eq!(fleet.redis().run::<Vec<String>>(&["KEYS", &format!("*{{{idle}}}*")]), [format!("{}{{{idle}}}:gone", fleet.prefix())]);

    let audit = owner.get("/v1/security/audit").await.ok(200);
    let event = &audit["data"][0];
    assert_eq!(event["event_type"], "channel.expire");
    assert_eq!((&event["actor_key_id"], &event["remote_addr"]), (&Value::Null, &Value::Null), "nobody asked for it");
    assert_eq!(event["detail"], json!({ "channel_id": idle, "channel_name": "idle", "idle_days": 3 }));
    let again = owner.channel_with(json!({ "mode": "broadcast", "name": "idle" })).await;
    assert_ne!(again, idle, "its name is free");
    owner.post(&format!("/v1/channels/{again}/aliases"), json!({ "alias": "idle-alias" })).await.ok(201);
    fleet.finish().await;
}
