//! `POST /v1/keys`: what comes, what labels may be, how many a client address may mint.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::client::Client;
use crate::support::fleet::Fleet;
use crate::support::process::unique;
use crate::support::reply::Reply;

async fn mint(client: &Client, label: &str) -> Reply {
    client.post("/v1/keys", json!({ "agent_label": label })).await
}

#[tokio::test]
async fn a_key_is_issued_with_a_label_that_no_active_key_has() {
    let fleet = Fleet::start(2).await;
    let label = format!("  Übersetzer <b> {}  ", unique());
    let issued = mint(&fleet.client_on(0), &label).await.ok(201);
    let (key, key_id) = (issued["key"].as_str().unwrap(), issued["key_id"].as_str().unwrap());
    let (id, secret) = key.split_once('.').unwrap();
    assert_eq!(id, key_id, "bck_<id>.<secret>");
    assert!(key_id.starts_with("bck_"), "{key_id}");
    assert!(secret.len() >= 32 && secret.bytes().all(|b| b.is_ascii_alphanumeric()), "160 random bits in base32: {secret}");
    let fixed = json!({
        "expires_at": null, "agent_label": label.trim(), "owner_id": label.trim(), "rate_limit": 0, "rate_limit_window_seconds": 60,
    });
    for (name, value) in fixed.as_object().unwrap() {
        assert_eq!(&issued[name], value, "{name}");
    }
    let again = mint(&fleet.client_on(1), label.trim()).await.refused(409, "label_in_use");
    assert_eq!(again["field"], "agent_label");

    // Only its SHA-256 is stored.
    let all = crate::support::keyspace::dump(fleet.redis(), &format!("{}*", fleet.prefix()));
    assert!(all.contains(key_id) && !all.contains(secret), "{all}");

    refuses_labels(&fleet).await;
    one_of_many_racing_mints_wins(&fleet).await;
    fleet.finish().await;
}

async fn refuses_labels(fleet: &Fleet) {
    let bad: &[(Value, &str)] = &[
        (json!({}), "missing_field"),
        (json!({ "agent_label": null }), "missing_field"),
        (json!({ "agent_label": "" }), "missing_field"),
        (json!({ "agent_label": " \t\n " }), "missing_field"),
        (json!({ "agent_label": 7 }), "invalid_string"),
        (json!({ "agent_label": ["a"] }), "invalid_string"),
        (json!({ "agent_label": { "a": 1 } }), "invalid_string"),
        (json!({ "agent_label": "x".repeat(129) }), "invalid_string"),
        (json!({ "agent_label": "nul\u{0}byte" }), "invalid_string"),
        (json!({ "agent_label": "two\nlines" }), "invalid_string"),
        (json!({ "agent_label": "zero\u{200B}width" }), "invalid_string"),
        (json!({ "agent_label": "\u{202E}backwards" }), "invalid_string"),
    ];
    for (body, code) in bad {
        let refused = fleet.client().post("/v1/keys", body.clone()).await.refused(422, code);
        assert_eq!(refused["field"], "agent_label", "{body}");
    }
    fleet.client().ask(reqwest::Method::POST, "/v1/keys").await.refused(422, "missing_field");
    // Characters count, not bytes.
    let longest = format!("{}{}", "é".repeat(100), unique());
    let longest = format!("{longest}{}", "é".repeat(128 - longest.chars().count()));
    mint(&fleet.client(), &longest).await.ok(201);
}

async fn one_of_many_racing_mints_wins(fleet: &Fleet) {
    let label = format!("wanted-{}", unique());
    let replies = join_all((0..24).map(|i| {
        let client = fleet.client_on(i % 2);
        let label = label.clone();
        async move { mint(&client, &label).await }
    }))
    .await;
    let (winners, losers): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!(winners.len(), 1, "one key a label");
    losers.into_iter().for_each(|reply| drop(reply.refused(409, "label_in_use")));
    let key = winners[0].body["key"].as_str().unwrap();
    fleet.client_on(0).with_key(key).get("/v1/keys/me").await.ok(200);
    fleet.client_on(1).with_key(key).get("/v1/keys/me").await.ok(200);
}

#[tokio::test]
async fn who_mints_a_revoked_label_again_inherits_nothing() {
    let fleet = Fleet::start(2).await;
    let old = fleet.agent("agent").await;
    let (friend, stranger) = (fleet.agent("friend").await, fleet.agent("stranger").await);
    let name = format!("jobs-{}", unique());
    let channel = old.channel_with(json!({ "name": name, "mode": "claimable", "access": "restricted" })).await;
    let shared = friend.restricted("claimable").await;
    friend.post(&format!("/v1/channels/{shared}/members"), json!({ "key_id": old.key_id })).await.ok(201);
    let helper = old.post("/v1/actors", json!({ "name": "helper" })).await.ok(201)["id"].as_str().unwrap().to_owned();
    let own_actor = old.get(&format!("/v1/actors/{}", old.label)).await.ok(200)["id"].as_str().unwrap().to_owned();
    let message = old.post_message(&channel, "a task").await;
    old.on(0).delete("/v1/keys/me").await.ok(200);

    let issued = mint(&fleet.client_on(1), &old.label).await.ok(201);
    assert_ne!(issued["key_id"], old.key_id.as_str());
    let new = fleet.client().with_key(issued["key"].as_str().unwrap());
    // Rights: its channel is no longer its own, nor is the one it was a member of.
    for (channel, method) in [(&channel, "GET"), (&channel, "DELETE"), (&shared, "GET")] {
        let ask = new.ask(method.parse().unwrap(), &format!("/v1/channels/{channel}"));
        let refused = ask.await;
        assert!(matches!(refused.body["error"].as_str(), Some("channel_access_denied" | "forbidden")), "{method} {refused:?}");
    }
    for channel in [&channel, &shared] {
        new.get(&format!("/v1/channels/{channel}/messages")).await.refused(403, "channel_access_denied");
        new.post(&format!("/v1/channels/{channel}/messages"), json!({ "content": "x" })).await.refused(403, "channel_access_denied");
    }
    new.post(&format!("/v1/messages/{message}/claim"), json!({})).await.refused(403, "channel_access_denied");
    new.delete(&format!("/v1/messages/{message}")).await.refused(403, "channel_access_denied");
    // Names: the old name leads nowhere, and making it makes another channel.
    new.get(&format!("/v1/channels/{name}")).await.refused(404, "channel_not_found");
    let made = new.post("/v1/channels", json!({ "name": name, "mode": "claimable", "access": "restricted" })).await.ok(201);
    assert_ne!(made["id"], channel.as_str());
    // Actors: the old ones are gone, its own is another, and a name of the old key is free.
    for actor in [&helper, &own_actor] {
        new.get(&format!("/v1/actors/{actor}")).await.refused(404, "actor_not_found");
        let foreign =
            new.post(&format!("/v1/channels/{}/messages", made["id"].as_str().unwrap()), json!({ "content": "x", "actor": actor }));
        foreign.await.refused(404, "actor_not_found");
    }
    new.get("/v1/actors/helper").await.refused(404, "actor_not_found");
    let mine = new.get(&format!("/v1/actors/{}", old.label)).await.ok(200);
    assert_eq!((&mine["created_by_key_id"], mine["id"] == own_actor.as_str()), (&issued["key_id"], false));
    assert_eq!(new.post("/v1/actors", json!({ "name": "helper" })).await.has_status(201).body["created_by_key_id"], issued["key_id"]);
    // What was shared with others lives on, under the old key's id.
    stranger.get(&format!("/v1/channels/{channel}/messages")).await.refused(403, "channel_access_denied");
    fleet.finish().await;
}

#[tokio::test]
async fn the_mint_limit_is_exact_over_replicas_and_counts_before_the_body_is_read() {
    let fleet = Fleet::builder()
        .env("BACKCHANNEL_KEY_MINT_LIMIT", "7")
        .env("BACKCHANNEL_KEY_MINT_WINDOW", "600")
        .env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1/32,10.0.0.0/8")
        .env("BACKCHANNEL_REQUEST_READ_TIMEOUT_SECONDS", "60")
        .start()
        .await;
    let from = |address: &'static str, replica: usize| {
        let client = fleet.client_on(replica);
        async move { client.post("/v1/keys", json!({ "agent_label": unique() })).header("X-Forwarded-For", address).await }
    };
    // The rightmost hop that is not a trusted proxy counts; what stands left of it is anybody's invention.
    let forged = ["198.51.100.1", "1.1.1.1, 198.51.100.1", "2.2.2.2, 198.51.100.1, 10.1.1.1", "10.0.0.1, 198.51.100.1:4711"];
    let replies = join_all((0..24).map(|i| from(forged[i % 4], i % 2))).await;
    let (passed, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 201);
    assert_eq!(passed.len(), 7, "exactly the limit passes, whichever replicas are asked");
    for reply in refused {
        let retry_after = reply.seconds("retry-after");
        let body = reply.refused(429, "rate_limit_exceeded");
        assert_eq!(body["retry_after"].as_u64(), retry_after);
        assert!((1..=600).contains(&retry_after.unwrap()), "{body}");
    }
    from("198.51.100.2", 0).await.ok(201);

    // Bad bodies count too, also one that never comes: the refusal does not wait for it.
    for i in 0..7 {
        let bad = fleet.client_on(i % 2).ask(reqwest::Method::POST, "/v1/keys").raw("nonsense");
        bad.header("X-Forwarded-For", "198.51.100.3").await.refused(400, "invalid_json");
    }
    let head = "POST /v1/keys HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 198.51.100.3\r\nContent-Length: 1000\r\n\r\n";
    let mut tcp = TcpStream::connect(fleet.url(0).trim_start_matches("http://")).await.unwrap();
    tcp.write_all(head.as_bytes()).await.unwrap();
    let mut start = [0u8; 12];
    tokio::time::timeout(Duration::from_secs(20), tcp.read_exact(&mut start)).await.expect("refused without a body").unwrap();
    assert_eq!(&start, b"HTTP/1.1 429");
    fleet.finish().await;
}

#[tokio::test]
async fn what_retry_after_says_of_the_mint_limit_is_true() {
    let fleet = Fleet::builder().env("BACKCHANNEL_KEY_MINT_LIMIT", "1").env("BACKCHANNEL_KEY_MINT_WINDOW", "3").start().await;
    let mut replica = 0;
    // On a slow machine a window may be over before the second try.
    let refused = loop {
        let reply = mint(&fleet.client_on(replica), &unique()).await;
        if reply.status != 201 {
            break reply;
        }
        replica = 1 - replica;
    };
    let wait = refused.seconds("retry-after").unwrap();
    refused.refused(429, "rate_limit_exceeded");
    assert!((1..=3).contains(&wait), "{wait}");
    tokio::time::sleep(Duration::from_secs(wait)).await;
    mint(&fleet.client_on(1 - replica), &unique()).await.ok(201);
    fleet.finish().await;
}

#[tokio::test]
async fn a_stranger_cannot_mint_as_somebody_else() {
    let fleet = Fleet::builder().env("BACKCHANNEL_KEY_MINT_LIMIT", "3").env("BACKCHANNEL_TRUSTED_PROXIES", "10.0.0.0/8").start().await;
    for i in 0..6 {
        let ask = fleet.client_on(i % 2).post("/v1/keys", json!({ "agent_label": unique() }));
        let reply = ask.header("X-Forwarded-For", &format!("203.0.113.{i}")).await;
        if i < 3 { drop(reply.ok(201)) } else { drop(reply.refused(429, "rate_limit_exceeded")) }
    }
    fleet.finish().await;
}
