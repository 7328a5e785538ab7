//! A channel's schema, changed on one replica while the other posts.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::client::Ask;
use crate::support::count::Count;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;

/// Takes metadata of this version only.
fn version(n: usize) -> Value {
    json!({ "required": ["version"], "properties": { "version": { "const": n } } })
}

#[tokio::test]
async fn no_message_that_breaks_the_newest_schema_gets_in() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel_with(json!({ "mode": "broadcast", "metadata_schema": version(0) })).await;
    let over = Arc::new(AtomicBool::new(false));
    let posters = (0..4).map(|n| {
        let (owner, id, over) = (owner.on(n % 2), id.clone(), over.clone());
        tokio::spawn(async move {
            let mut round = n;
            while !over.load(Relaxed) {
                round += 1;
                let body = json!({ "content": "x", "metadata": { "version": round % 20 } });
                let reply = owner.post_to(&id, body).await;
                assert!(matches!(reply.body["error"].as_str(), None | Some("metadata_validation_failed" | "overloaded")), "{reply:?}");
            }
        })
    });
    let posters: Vec<_> = posters.collect();
    for n in 1..20 {
        let marker = json!({ "content": "changed", "metadata": { "version": n } });
        owner.on(n % 2).patch(&format!("/v1/channels/{id}"), json!({ "metadata_schema": version(n) })).await.ok(200);
        owner.post_to(&id, marker).await.ok(201);
    }
    over.store(true, Relaxed);
    for poster in posters {
        poster.await.expect("no poster met anything else");
    }
    // In the order of the log the versions only rise, as the schemas did: each message fits the schema of its moment.
    let (mut cursor, mut last, mut markers) = ("0".to_owned(), 0, 0);
    loop {
        let page = owner.list(&id, &format!("limit=100&cursor={cursor}")).await.ok(200);
        let messages = page["data"].as_array().unwrap();
        if messages.is_empty() {
            break;
        }
        for message in messages {
            let version = message["metadata"]["version"].as_u64().unwrap();
            assert!(version >= last, "{version} after {last}");
            last = version;
            markers += usize::from(message["content"] == "changed");
        }
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!((markers, last), (19, 19));
    fleet.finish().await;
}

#[tokio::test]
async fn a_schema_costs_a_second_trip_only_where_a_replica_does_not_know_it() {
    let redis = RedisServer::start_private(&[]);
    // With a limit each request asks for its key, at no other time; nothing else runs scripts.
    let builder = Fleet::builder().env("BACKCHANNEL_RATE_LIMIT", "1000000").env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "3600");
    let fleet = builder.redis(&redis).start().await;
    let owner = fleet.agent("owner").await;
    let (plain, strict) =
        (owner.channel("broadcast").await, owner.channel_with(json!({ "mode": "broadcast", "metadata_schema": version(1) })).await);
    let post = |replica: usize, id: &str| owner.on(replica).post_to(id, json!({ "content": "x", "metadata": { "version": 1 } }));
    for replica in 0..2 {
        post(replica, &plain).await.ok(201);
    }
    let trips = async |ask: Ask| {
        let count = Count::start(&redis);
        ask.await.ok(201);
        count.scripts() - 1
    };
    assert_eq!(trips(post(0, &plain)).await, 1, "without a schema nothing more");
    assert_eq!(trips(post(0, &strict)).await, 2, "it has not seen it");
    assert_eq!(trips(post(0, &strict)).await, 1);
    assert_eq!(trips(post(1, &strict)).await, 2);
    owner.on(0).patch(&format!("/v1/channels/{strict}"), json!({ "metadata_schema": { "maxProperties": 3 } })).await.ok(200);
    assert_eq!(trips(post(1, &strict)).await, 2, "it has changed");
    assert_eq!(trips(post(1, &strict)).await, 1);
    fleet.finish().await;
}

#[tokio::test]
async fn limits_hold_when_they_are_raced_for_on_two_replicas() {
    let limits = [("MAX_CHANNELS_PER_KEY", "3"), ("MAX_ACTORS_PER_KEY", "3"), ("MAX_LEASES_PER_CHANNEL", "3"), ("RATE_LIMIT", "0")];
    let builder = limits.iter().fold(Fleet::builder(), |builder, (name, value)| builder.env(&format!("BACKCHANNEL_{name}"), value));
    let fleet = builder.start().await;
    let owner = fleet.agent("owner").await;
    let id = owner.channel("claimable").await;
    for _ in 0..10 {
        owner.post_message(&id, "task").await;
    }
    let race = async |limit: &str, value: u64, granted: usize, ask: &dyn Fn(usize) -> Ask| {
        let replies = join_all((0..10).map(|n| ask(n).on(n % 2).into_future())).await;
        let (got, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status < 300);
        assert_eq!(got.len(), granted, "{limit}");
        for reply in refused {
            let refusal = reply.refused(409, "quota_exceeded");
            assert_eq!((&refusal["limit"], &refusal["value"]), (&json!(limit), &json!(value)));
            assert!(refusal["suggestion"].as_str().unwrap().contains("/v1/account/usage"));
        }
    };
    race("leases_per_channel", 3, 3, &|_| owner.claim_next(&id, json!({ "lease_seconds": 60 }))).await;
    race("channels_per_key", 3, 2, &|n| owner.post("/v1/channels", json!({ "name": format!("c{n}"), "mode": "broadcast" }))).await;
    // The key's own actor is one of them.
    race("actors_per_key", 3, 2, &|n| owner.post("/v1/actors", json!({ "name": format!("a{n}") }))).await;
    fleet.finish().await;
}
