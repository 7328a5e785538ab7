//! The limit per key, exact over the fleet; the flood shield of one replica.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use serde_json::json;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_key_has_exactly_its_limit_over_all_replicas() {
    let fleet = Fleet::builder().env("BACKCHANNEL_RATE_LIMIT", "20").env("BACKCHANNEL_RATE_LIMIT_WINDOW", "600").start().await;
    let (agent, other) = (fleet.agent("busy").await, fleet.agent("other").await);
    // Who does not know the secret uses nothing up.
    let (id, _) = agent.key.split_once('.').unwrap();
    for i in 0..30 {
        let guess = fleet.client_on(i % 2).with_key(&format!("{id}.{}", "a".repeat(40)));
        let refused = guess.get("/v1/keys/me").await;
        assert_eq!((refused.seconds("x-ratelimit-limit"), refused.header("x-ratelimit-remaining")), (Some(20), None));
        refused.refused(401, "unauthorized");
    }
    let replies = join_all((0..60).map(|i| {
        let agent = agent.on(i % 2);
        async move { agent.get("/v1/keys/me").await }
    }))
    .await;
    let (passed, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert_eq!((passed.len(), refused.len()), (20, 40), "exactly the limit passes");
    let left: BTreeSet<u64> = passed.iter().map(|reply| reply.seconds("x-ratelimit-remaining").unwrap()).collect();
    assert_eq!(left, (0..20).collect(), "each pass counts one down");
    for reply in passed.iter().chain(&refused) {
        assert_eq!((reply.seconds("x-ratelimit-limit"), reply.seconds("x-ratelimit-window")), (Some(20), Some(600)));
    }
    for reply in refused {
        assert_eq!(reply.seconds("x-ratelimit-remaining"), Some(0));
        let retry_after = reply.seconds("retry-after");
        let body = reply.refused(429, "rate_limit_exceeded");
        assert_eq!(body["retry_after"].as_u64(), retry_after);
        assert!((1..=600).contains(&retry_after.unwrap()), "{body}");
    }

    // A refused request has not acted, and the limit is the key's own.
    agent.post("/v1/channels", json!({ "name": "x", "mode": "claimable" })).await.refused(429, "rate_limit_exceeded");
    let me = other.get("/v1/keys/me").await.ok(200);
    assert_eq!((&me["rate_limit"], &me["rate_limit_window_seconds"]), (&json!(20), &json!(600)));
    fleet.finish().await;
}

#[tokio::test]
async fn what_retry_after_says_is_true_and_what_was_refused_was_not_done() {
    let fleet = Fleet::builder().env("BACKCHANNEL_RATE_LIMIT", "1").env("BACKCHANNEL_RATE_LIMIT_WINDOW", "3").start().await;
    let agent = fleet.agent("busy").await;
    let mut names = Vec::new();
    // On a slow machine a window may be over before the second try.
    let refused = loop {
        names.push(format!("x{}", names.len()));
        let reply = agent.post("/v1/channels", json!({ "name": names.last(), "mode": "claimable" })).await;
        if reply.status != 201 {
            break reply;
        }
    };
    let wait = refused.seconds("retry-after").unwrap();
    refused.refused(429, "rate_limit_exceeded");
    assert!((1..=3).contains(&wait), "{wait}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    agent.get(&format!("/v1/channels/{}", names.last().unwrap())).await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn without_a_limit_nothing_is_counted() {
    let fleet = Fleet::start(1).await;
    let agent = fleet.agent("busy").await;
    let replies = join_all((0..150).map(|_| agent.get("/v1/keys/me").into_future())).await;
    for reply in replies {
        assert_eq!((reply.seconds("x-ratelimit-limit"), reply.header("x-ratelimit-remaining")), (Some(0), None));
        reply.ok(200);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn the_flood_shield_sheds_one_address_and_lets_others_in() {
    let fleet =
        Fleet::builder().replicas(1).env("BACKCHANNEL_FLOOD_LIMIT", "10").env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1").start().await;
    let from = |address: &'static str| fleet.client().get("/health").header("X-Forwarded-For", address);
    // Twenty at once and ten a second: all of them would pass in 22 seconds only.
    let replies = join_all((0..240).map(|_| from("198.51.100.1").into_future())).await;
    let (passed, shed): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 200);
    assert!(passed.len() >= 20, "twice the limit at once: {}", passed.len());
    assert!(!shed.is_empty(), "240 requests at once of one address");
    let wait = shed[0].seconds("retry-after").unwrap();
    for reply in shed {
        reply.refused(429, "rate_limit_exceeded");
    }
    from("198.51.100.2").await.ok(200);
    tokio::time::sleep(Duration::from_secs(wait)).await;
    from("198.51.100.1").await.ok(200);
    fleet.finish().await;
}
