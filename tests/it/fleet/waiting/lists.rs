//! Readers who wait: what happens on one replica wakes all who wait on any.

use serde_json::{Value, json};

use super::{answer, contents, held, waiters};
use crate::support::client::Agent;
use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_post_at_one_replica_wakes_every_reader_at_each() {
    let fleet = Fleet::start(2).await;
    let (poster, reader) = (fleet.agent("poster").await, fleet.agent("reader").await);
    let channel = poster.channel("broadcast").await;
    poster.post_message(&channel, "old").await;
    let cursor = reader.list(&channel, "").await.ok(200)["next_cursor"].as_str().unwrap().to_owned();

    for from in 0..2 {
        let readers: Vec<_> = (0..40).map(|n| held(reader.on(n % 2).list(&channel, &format!("cursor={cursor}&wait=25&limit=2")))).collect();
        waiters(&fleet, &[20, 20]).await;
        let posted = poster.on(from).post_message(&channel, "new").await;
        for reader in readers {
            let page = answer(reader).await.ok(200);
            assert_eq!((&page["data"][0]["id"], page["data"].as_array().map(Vec::len)), (&json!(posted), Some(1)));
            assert_eq!((&page["next_cursor"], &page["limit"]), (&page["data"][0]["created_at"], &json!(2)));
        }
        poster.delete(&format!("/v1/messages/{posted}")).await.has_status(200);
    }
    fleet.finish().await;
}

/// A short message comes with the wake-up, a long one is read: nobody can tell.
#[tokio::test]
async fn who_was_woken_is_shown_what_a_list_shows() {
    let fleet = Fleet::start(2).await;
    let (poster, reader) = (fleet.agent("poster").await, fleet.agent("reader").await);
    let channel = poster.channel("claimable").await;
    let odd = "\u{0} \u{7f} / \\ \" \u{2028} ü 🦀 </script> %d";
    let bodies = [
        json!({ "content": "plain" }),
        json!({ "content": odd, "metadata": { odd: [1.0, 12345678901234567890_u64, null, { "a": odd }] } }),
        json!({ "content": "by an actor", "actor": poster.label, "mentions": [reader.label, poster.label] }),
        json!({ "content": "by a label", "actor_label": odd.trim_start_matches('\u{0}') }),
        json!({ "content": "x".repeat(4000), "metadata": { "a": "b" } }),
        json!({ "content": "x".repeat(9000) }),
    ];
    let mut cursor = String::from("0");
    for (n, body) in bodies.into_iter().enumerate() {
        let waiting = held(reader.on(1).list(&channel, &format!("wait=25&limit=7&cursor={cursor}")));
        waiters(&fleet, &[0, 1]).await;
        poster.on(0).post_to(&channel, body.clone()).await.ok(201);
        let page = answer(waiting).await.ok(200);
        let listed = reader.on(n % 2).list(&channel, &format!("limit=7&cursor={cursor}")).await.ok(200);
        assert_eq!(page, listed, "{body}");
        assert_eq!(page["data"][0]["content"], body["content"]);
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
    }
    // With a filter it is read as well.
    let waiting = held(reader.on(1).list(&channel, &format!("wait=25&status=unclaimed&cursor={cursor}")));
    waiters(&fleet, &[0, 1]).await;
    poster.on(0).post_message(&channel, "one more").await;
    assert_eq!(contents(&answer(waiting).await.ok(200)), ["one more"]);
    fleet.finish().await;
}

/// Who is woken by the last of several messages is not given that one alone.
#[tokio::test]
async fn a_reader_misses_nothing_when_messages_come_faster_than_it_is_woken() {
    let fleet = Fleet::start(2).await;
    let (poster, reader) = (fleet.agent("poster").await, fleet.agent("reader").await);
    let channel = poster.channel("broadcast").await;
    let (mut cursor, mut seen) = (String::from("0"), Vec::new());
    let posting = {
        let (poster, channel) = (poster.clone(), channel.clone());
        tokio::spawn(async move {
            for n in 0..150 {
                let four = (0..4).map(|m| poster.on(m % 2).post_to(&channel, json!({ "content": format!("{n}.{m}") })).into_future());
                for posted in futures::future::join_all(four).await {
                    posted.ok(201);
                }
            }
        })
    };
    while seen.len() < 600 {
        let page = reader.on(1).list(&channel, &format!("wait=25&cursor={cursor}")).await.ok(200);
        seen.extend(contents(&page).into_iter().map(str::to_owned));
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
    }
    posting.await.unwrap();
    let listed = history_of(&reader, &channel).await;
    assert_eq!(seen, listed);
    fleet.finish().await;
}

/// Everything in the channel, page by page.
async fn history_of(reader: &Agent, channel: &str) -> Vec<String> {
    let (mut cursor, mut all) = (String::from("0"), Vec::new());
    loop {
        let page = reader.list(channel, &format!("limit=100&cursor={cursor}")).await.ok(200);
        if page["data"].as_array().unwrap().is_empty() {
            return all;
        }
        all.extend(contents(&page).into_iter().map(str::to_owned));
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
    }
}

#[tokio::test]
async fn who_waits_for_unclaimed_messages_learns_of_releases_and_of_leases_that_end() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let unclaimed = |replica: usize| held(poster.on(replica).list(&channel, "status=unclaimed&wait=25"));

    worker.claim(&message).await.ok(200);
    let (here, there) = (unclaimed(0), unclaimed(1));
    waiters(&fleet, &[1, 1]).await;
    worker.on(0).release(&message).await.ok(200);
    for reader in [here, there] {
        let page = answer(reader).await.ok(200);
        assert_eq!((contents(&page), &page["data"][0]["state"]), (vec!["a task"], &json!("open")));
    }

    // The lease runs while they wait, and nobody calls when it ends; later it is made shorter on the other replica.
    let token = worker.claim_with_lease(&message, 2).await.ok(200)["lease_token"].clone();
    let readers = [unclaimed(0), unclaimed(1)];
    for reader in readers {
        assert_eq!(contents(&answer(reader).await.ok(200)), ["a task"]);
    }
    worker.heartbeat(token.as_str().unwrap(), 60).await.refused(410, "lease_expired");
    let token = worker.claim_with_lease(&message, 3600).await.ok(200)["lease_token"].clone();
    let reader = unclaimed(1);
    waiters(&fleet, &[0, 1]).await;
    worker.on(0).heartbeat(token.as_str().unwrap(), 1).await.ok(200);
    assert_eq!(contents(&answer(reader).await.ok(200)), ["a task"]);
    fleet.finish().await;
}

#[tokio::test]
async fn who_waits_where_nothing_can_come_any_more_is_told_so() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50").start().await;
    let (owner, member) = (fleet.agent("owner").await, fleet.agent("member").await);
    let channel = owner.restricted("claimable").await;
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.has_status(201);
    let all_kinds = |replica: usize| {
        let member = member.on(replica);
        let subscribe = member.post("/v1/tasks/subscribe", json!({ "channel": channel, "wait": 25 }));
        [member.list(&channel, "wait=25"), member.claim_next(&channel, json!({ "wait": 25 })), subscribe].map(held)
    };

    let waiting: Vec<_> = (0..2).flat_map(all_kinds).collect();
    let owners = held(owner.on(1).list(&channel, "wait=50"));
    waiters(&fleet, &[3, 4]).await;
    owner.on(0).delete(&format!("/v1/channels/{channel}/members/{}", member.key_id)).await.has_status(200);
    for waiter in waiting {
        answer(waiter).await.refused(403, "channel_access_denied");
    }
    waiters(&fleet, &[0, 1]).await; // whose right it still is waits on

    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.has_status(201);
    let waiting: Vec<_> = (0..2).flat_map(all_kinds).chain([owners]).collect();
    waiters(&fleet, &[3, 4]).await;
    owner.on(0).delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    for waiter in waiting {
        let reply = answer(waiter).await;
        assert_eq!(reply.refused(404, "channel_not_found")["error"], json!("channel_not_found"));
    }
    let gone = member.claim_next(&channel, json!({ "wait": 25 })).await.refused(404, "channel_not_found");
    assert_eq!(gone.get("claimed"), None::<&Value>);
    fleet.finish().await;
}
