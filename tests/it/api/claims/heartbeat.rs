//! `POST /v1/leases/{token}/heartbeat`: the holder is alive.

use serde_json::json;

use super::{expire, text, unclaimed};
use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_heartbeat_moves_the_end_of_the_lease_later_or_earlier() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let leased = worker.on(0).claim_with_lease(&message, 60).await.ok(200);
    let token = text(&leased["lease_token"]);

    let longer = worker.on(1).heartbeat(&token, 600).await.ok(200);
    assert_eq!((&longer["lease_token"], &longer["attempt"]), (&json!(token), &json!(1)));
    assert_eq!((&longer["expires_at"], &longer["message"]["id"]), (&longer["lease_expires_at"], &json!(message)));
    assert_eq!(longer["message"]["lease_expires_at"], longer["lease_expires_at"]);
    assert!(text(&longer["lease_expires_at"]) > text(&leased["lease_expires_at"]));
    // 300 seconds unless said; from now on, so this is earlier than before.
    let default = worker.post(&format!("/v1/leases/{token}/heartbeat"), json!({})).await.ok(200);
    assert!(text(&default["lease_expires_at"]) < text(&longer["lease_expires_at"]));
    for bad in [json!(0), json!(3601), json!("60"), json!(0.5)] {
        let path = format!("/v1/leases/{token}/heartbeat");
        assert_eq!(
            worker.post(&path, json!({ "lease_seconds": bad })).await.refused(422, "invalid_lease_seconds")["field"],
            "lease_seconds"
        );
    }
    late.claim(&message).await.refused(409, "already_claimed");

    worker.heartbeat(&token, 1).await.ok(200);
    unclaimed(&late, &channel, 1).await;
    worker.heartbeat(&token, 60).await.refused(410, "lease_expired");
    assert_eq!(late.claim_with_lease(&message, 60).await.ok(200)["attempt"], 2);
    fleet.finish().await;
}

#[tokio::test]
async fn a_lease_that_is_not_the_callers_running_one_is_over() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let first = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    late.heartbeat(&first, 60).await.refused(410, "lease_expired"); // another key, with the right token

    let (head, secret) = first.split_at(first.len() - 26);
    let guessed = format!("{head}{}", secret.chars().rev().collect::<String>());
    let nowhere = format!("lease_aaaaaaaaaaaaaaaaaaaa1760000000123456_{secret}");
    let longer = format!("{first}a");
    for garbage in [guessed.as_str(), &nowhere, &longer, head, "lease_", "nonsense", "%00", "lease_%2e%2e", &message] {
        worker.heartbeat(garbage, 60).await.refused(410, "lease_expired");
    }
    worker.heartbeat(&first, 60).await.ok(200);

    worker.release(&message).await.ok(200);
    worker.heartbeat(&first, 60).await.refused(410, "lease_expired");
    let second = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    assert_ne!(first, second, "each claim has a token of its own");
    worker.heartbeat(&first, 60).await.refused(410, "lease_expired");
    worker.heartbeat(&second, 60).await.ok(200);
    worker.ack(&message).await.ok(200);
    worker.heartbeat(&second, 60).await.refused(410, "lease_expired");

    // The message dies before its lease.
    let brief = poster.channel_with(json!({ "mode": "claimable", "ttl_seconds": 600 })).await;
    let message = poster.post_message(&brief, "a task").await;
    let token = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    expire(&fleet, &worker, &brief).await;
    worker.heartbeat(&token, 60).await.refused(410, "message_expired");
    // The channel goes, and with it all that was held.
    let message = poster.post_message(&channel, "a task").await;
    let token = text(&worker.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    poster.delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    worker.heartbeat(&token, 60).await.refused(410, "lease_expired");
    fleet.finish().await;
}

#[tokio::test]
async fn a_removed_member_keeps_nothing_alive() {
    let fleet = Fleet::start(2).await;
    let (owner, member) = (fleet.agent("owner").await, fleet.agent("member").await);
    let channel = owner.restricted("claimable").await;
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.has_status(201);
    let message = owner.post_message(&channel, "a task").await;
    let token = text(&member.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    member.heartbeat(&token, 60).await.ok(200);
    owner.on(0).delete(&format!("/v1/channels/{channel}/members/{}", member.key_id)).await.has_status(200);
    for refused in [member.on(1).heartbeat(&token, 60), member.on(1).ack(&message), member.on(1).release(&message)] {
        refused.await.refused(403, "channel_access_denied");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn nobody_holds_a_message_longer_than_twelve_hours() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let leased = worker.claim_with_lease(&message, 3600).await.ok(200);
    let token = text(&leased["lease_token"]);

    // As if it had been taken 11:59:50 hours before: only the record's last number knows when the holding began.
    let key = format!("{}{{{channel}}}:claims", fleet.prefix());
    let number = &message[message.len() - 16..];
    let record: String = fleet.redis().run(&["HGET", &key, number]);
    let mut parts: Vec<String> = record.split('\u{1f}').map(str::to_owned).collect();
    assert_eq!(parts[7], parts[8], "claimed at, held since: {parts:?}");
    let since: u64 = parts[8].parse().unwrap();
    parts[8] = (since - (12 * 3600 - 10) * 1_000_000).to_string();
    let _: i64 = fleet.redis().run(&["HSET", &key, number, &parts.join("\u{1f}")]);

    let last = worker.heartbeat(&token, 3600).await.ok(200);
    assert!(text(&last["lease_expires_at"]) < text(&leased["lease_expires_at"]), "cut to what is left of twelve hours: {last}");
    unclaimed(&late, &channel, 1).await;
    worker.heartbeat(&token, 60).await.refused(410, "lease_expired");
    late.claim(&message).await.ok(200);
    fleet.finish().await;
}
