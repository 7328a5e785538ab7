//! A holder that was silent for too long is told so, whatever it tries, and disturbs nobody.

use serde_json::json;

use super::{text, unclaimed};
use crate::support::fleet::Fleet;

#[tokio::test]
async fn a_zombie_holder_can_do_nothing_and_the_new_holder_does_not_notice_it() {
    let fleet = Fleet::start(2).await;
    let (poster, zombie, worker) = (fleet.agent("poster").await, fleet.agent("zombie").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let path = |verb: &str| format!("/v1/messages/{message}/{verb}");
    let stale = text(&zombie.claim_with_lease(&message, 1).await.ok(200)["lease_token"]);
    unclaimed(&worker, &channel, 1).await;

    // Ended, not yet taken: it is over all the same.
    for verb in ["ack", "release"] {
        let refusal = zombie.post(&path(verb), json!({ "lease_token": stale })).await.refused(409, "lease_lost");
        assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(1), &json!("open")));
        zombie.post(&path(verb), json!({})).await.refused(409, "not_claimed");
    }
    zombie.heartbeat(&stale, 60).await.refused(410, "lease_expired");

    let taken = worker.claim_next(&channel, json!({ "lease_seconds": 600 })).await.ok(200);
    let current = text(&taken["lease_token"]);
    let before = worker.list(&channel, "").await.ok(200);
    for replica in 0..2 {
        let zombie = zombie.on(replica);
        for verb in ["ack", "release"] {
            let refusal = zombie.post(&path(verb), json!({ "lease_token": stale })).await.refused(409, "lease_lost");
            assert_eq!((&refusal["attempt"], &refusal["state"]), (&json!(2), &json!("claimed")));
            let words = format!("{} {}", text(&refusal["message"]), text(&refusal["suggestion"])).to_lowercase();
            assert!(words.contains("stop") && words.contains("report nothing"), "it says what to do: {words}");
        }
        zombie.ack(&message).await.refused(409, "already_claimed");
        zombie.release(&message).await.refused(403, "forbidden");
        zombie.heartbeat(&stale, 60).await.refused(410, "lease_expired");
        zombie.heartbeat(&current, 60).await.refused(410, "lease_expired"); // also if the token leaked to it
        zombie.post(&path("ack"), json!({ "lease_token": current })).await.refused(409, "lease_lost");
        zombie.post(&path("release"), json!({ "lease_token": current })).await.refused(409, "lease_lost");
    }
    assert_eq!(worker.list(&channel, "").await.ok(200), before, "nothing was changed");
    worker.heartbeat(&current, 60).await.ok(200);
    assert_eq!(worker.post(&path("ack"), json!({ "lease_token": current })).await.ok(200)["status"], "acknowledged");
    assert_eq!(zombie.post(&path("ack"), json!({ "lease_token": stale })).await.refused(409, "lease_lost")["state"], "done");
    fleet.finish().await;
}

#[tokio::test]
async fn two_processes_of_one_actor_are_told_apart_by_their_tokens() {
    let fleet = Fleet::start(2).await;
    let (poster, actor) = (fleet.agent("poster").await, fleet.agent("actor").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let path = |verb: &str| format!("/v1/messages/{message}/{verb}");
    let stale = text(&actor.claim_with_lease(&message, 1).await.ok(200)["lease_token"]);
    unclaimed(&actor, &channel, 1).await;
    let current = text(&actor.claim_with_lease(&message, 60).await.ok(200)["lease_token"]);
    actor.heartbeat(&stale, 60).await.refused(410, "lease_expired");
    for verb in ["ack", "release"] {
        actor.post(&path(verb), json!({ "lease_token": stale })).await.refused(409, "lease_lost");
    }
    actor.post(&path("ack"), json!({ "lease_token": current })).await.ok(200);
    // Also once it is done: the zombie must not take the other's ack for its own.
    assert_eq!(actor.post(&path("ack"), json!({ "lease_token": stale })).await.refused(409, "lease_lost")["state"], "done");
    fleet.finish().await;
}
