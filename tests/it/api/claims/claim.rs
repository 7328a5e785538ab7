//! `POST /v1/messages/{id}/claim`: the first to ask gets it, until its ack or its expiry.

use serde_json::json;

use super::{NO_MESSAGE, expire};
use crate::support::fleet::Fleet;

#[tokio::test]
async fn the_first_to_ask_gets_it_and_everybody_else_is_told_who_has_it() {
    let fleet = Fleet::start(2).await;
    let (poster, worker, late) = (fleet.agent("poster").await, fleet.agent("worker").await, fleet.agent("late").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let path = format!("/v1/messages/{message}/claim");

    let claimed = worker.on(0).claim(&message).await.ok(200);
    assert_eq!(claimed["status"], "claimed");
    let seen = &claimed["message"];
    assert_eq!((seen["id"].as_str(), seen["content"].as_str()), (Some(message.as_str()), Some("a task")));
    assert_eq!((&seen["state"], &seen["attempt"]), (&json!("claimed"), &json!(1)));
    assert_eq!(seen["claimed_by"]["name"], json!(worker.label), "the default is the key's own actor");
    assert_eq!(seen["claimed_by_key_id"], json!(worker.key_id));
    assert!(seen["claimed_at"].is_string() && seen["lease_expires_at"].is_null(), "a plain claim has no lease: {seen}");
    assert!(claimed.get("lease_token").is_none());

    // Asked again on the other replica: the same claim, nothing is written.
    let again = worker.on(1).claim(&message).await.ok(200);
    assert_eq!((&again["status"], &again["message"]), (&json!("already_claimed"), seen));
    let by_id = json!({ "actor": seen["claimed_by"]["id"] });
    assert_eq!(worker.post(&path, by_id).await.ok(200)["status"], "already_claimed");

    let refusal = late.on(1).claim(&message).await.refused(409, "already_claimed");
    assert_eq!(refusal["claimed_by"], json!(worker.label));
    // An actor of the same key is another one too, and a lease is not what the holder has.
    worker.post(&path, json!({ "actor": "a-second-process" })).await.refused(409, "already_claimed");
    worker.claim_with_lease(&message, 30).await.refused(409, "already_claimed");

    worker.ack(&message).await.ok(200);
    let after = worker.on(0).claim(&message).await.ok(200);
    assert_eq!((&after["status"], &after["message"]["state"]), (&json!("already_acknowledged"), &json!("done")));
    assert_eq!(worker.claim_with_lease(&message, 30).await.ok(200)["status"], "already_acknowledged");
    late.claim(&message).await.refused(409, "already_claimed");
    fleet.finish().await;
}

#[tokio::test]
async fn a_message_that_cannot_be_claimed_says_why() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);

    let broadcast = poster.channel("broadcast").await;
    let news = poster.post_message(&broadcast, "news").await;
    worker.claim(&news).await.refused(409, "channel_not_claimable");
    worker.claim_with_lease(&news, 30).await.refused(409, "channel_not_claimable");
    worker.release(&news).await.refused(409, "channel_not_claimable");

    let restricted = poster.restricted("claimable").await;
    let secret = poster.post_message(&restricted, "for members").await;
    worker.claim(&secret).await.refused(403, "channel_access_denied");
    worker.claim_with_lease(&secret, 30).await.refused(403, "channel_access_denied");
    poster.claim(&secret).await.ok(200);

    let channel = poster.channel("claimable").await;
    let neighbour = poster.post_message(&channel, "neighbour").await;
    let last = if neighbour.ends_with('9') { '8' } else { '9' };
    let never = format!("{}{last}", &neighbour[..neighbour.len() - 1]);
    for id in [NO_MESSAGE, &never, "msg_", "nonsense", "msg_%00", "ch_aaaaaaaaaaaaaaaaaaaa", "m%C3%A9ssage"] {
        for verb in ["claim", "claim-with-lease", "release", "ack"] {
            worker.post(&format!("/v1/messages/{id}/{verb}"), json!({})).await.refused(404, "message_not_found");
        }
    }

    let brief = poster.channel_with(json!({ "mode": "claimable", "ttl_seconds": 600 })).await;
    let (held, free) = (poster.post_message(&brief, "held").await, poster.post_message(&brief, "free").await);
    worker.claim(&held).await.ok(200);
    expire(&fleet, &worker, &brief).await;
    for verb in ["claim", "claim-with-lease", "release", "ack"] {
        for id in [&held, &free] {
            worker.post(&format!("/v1/messages/{id}/{verb}"), json!({})).await.refused(410, "message_expired");
        }
    }
    assert!(worker.claim_next(&brief, json!({})).await.ok(200)["claimed"].is_null(), "what has expired is not handed out");

    poster.delete(&format!("/v1/channels/{channel}")).await.has_status(204);
    worker.claim(&neighbour).await.refused(404, "message_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn the_actor_is_the_keys_own_unless_it_names_another_of_its_own() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let claim = |message: String, actor: serde_json::Value| {
        let worker = worker.clone();
        async move { worker.post(&format!("/v1/messages/{message}/claim"), json!({ "actor": actor })).await }
    };

    // An empty optional string counts as not given.
    for nothing in [json!(null), json!(""), json!("  "), json!(worker.label)] {
        let message = poster.post_message(&channel, "a task").await;
        assert_eq!(claim(message, nothing).await.ok(200)["message"]["claimed_by"]["name"], json!(worker.label));
    }
    // A plain name that is unknown becomes an actor of the caller, once.
    let first = claim(poster.post_message(&channel, "a task").await, json!(" helper ")).await.ok(200);
    let second = claim(poster.post_message(&channel, "a task").await, json!("helper")).await.ok(200);
    let helper = &first["message"]["claimed_by"];
    assert_eq!((helper, &helper["name"]), (&second["message"]["claimed_by"], &json!("helper")));
    let actor = worker.get(&format!("/v1/actors/{}", helper["id"].as_str().unwrap())).await.ok(200);
    assert_eq!(actor["created_by_key_id"], json!(worker.key_id));
    // The same plain name of another key is another actor.
    let message = poster.post_message(&channel, "a task").await;
    let other = poster.post(&format!("/v1/messages/{message}/claim"), json!({ "actor": "helper" })).await.ok(200);
    assert_ne!(other["message"]["claimed_by"]["id"], helper["id"]);

    let message = poster.post_message(&channel, "a task").await;
    let foreign = other["message"]["claimed_by"]["id"].clone();
    claim(message.clone(), foreign).await.refused(403, "actor_forbidden");
    claim(message.clone(), json!("act_aaaaaaaaaaaaaaaaaaaaaaaaaa")).await.refused(404, "actor_not_found");
    for (bad, code) in [(json!(7), "invalid_string"), (json!(["w"]), "invalid_string"), (json!("a\u{0}b"), "invalid_actor_name")] {
        assert_eq!(claim(message.clone(), bad).await.refused(422, code)["field"], "actor");
    }
    claim(message.clone(), json!("x".repeat(129))).await.refused(422, "invalid_actor_name");
    // Nothing of this took the message.
    assert_eq!(worker.claim(&message).await.ok(200)["status"], "claimed");
    fleet.finish().await;
}
