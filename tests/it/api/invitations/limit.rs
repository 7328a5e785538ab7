//! How often a client address may look up an invitation.

use futures::future::join_all;
use serde_json::json;

use crate::support::client::Client;
use crate::support::fleet::Fleet;
use crate::support::reply::Reply;

async fn look_up(client: &Client, address: &str, invitation: &str) -> Reply {
    client.get(&format!("/v1/channel-invitations/{invitation}")).header("X-Forwarded-For", address).await
}

#[tokio::test]
async fn look_ups_are_limited_by_address_over_all_replicas_before_anyone_asks_who_it_is() {
    let fleet =
        Fleet::builder().env("BACKCHANNEL_INVITATION_LOOKUP_LIMIT", "10").env("BACKCHANNEL_TRUSTED_PROXIES", "127.0.0.1/32").start().await;
    let guess = "inv_abcdefghijklmnop2345672345";
    let replies = join_all((0..30).map(|i| {
        let client = fleet.client_on(i % 2);
        async move { look_up(&client, "198.51.100.1", guess).await }
    }))
    .await;
    let (counted, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(|reply| reply.status == 401);
    assert_eq!((counted.len(), refused.len()), (10, 20), "exactly the limit, whichever replica is asked");
    for reply in refused {
        let retry_after = reply.seconds("retry-after");
        assert!(retry_after.is_some_and(|s| (1..=60).contains(&s)), "{retry_after:?}");
        reply.refused(429, "rate_limit_exceeded");
    }
    // A key does not help: the address has no look-up left, and its request is not counted to the key.
    let agent = fleet.client().mint("late").await;
    let owner = fleet.agent("owner").await;
    let channel = owner.restricted("claimable").await;
    let made = owner.post(&format!("/v1/channels/{channel}/invitations"), json!({})).await.ok(201);
    let made = made["id"].as_str().unwrap();
    let keyed = fleet.client().with_key(&agent.key);
    look_up(&keyed, "198.51.100.1", made).await.refused(429, "rate_limit_exceeded");
    look_up(&keyed, "198.51.100.2", made).await.ok(200);
    // An IPv6 client owns its whole /64.
    for i in 0..10 {
        look_up(&keyed, &format!("2001:db8:1:2::{i}"), guess).await.refused(404, "invitation_not_found");
    }
    look_up(&keyed, "2001:db8:1:2:ffff::1", guess).await.refused(429, "rate_limit_exceeded");
    look_up(&keyed, "2001:db8:1:3::1", guess).await.refused(404, "invitation_not_found");
    fleet.finish().await;
}
