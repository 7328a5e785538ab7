//! A reply is lost after Redis did what it was asked: at most one effect, and a true answer.

use serde_json::json;

use super::ledger::{Outcome, patient_fleet, times, whole_again};
use crate::support::client::Agent;
use crate::support::cut::{Cut, Part};
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;

async fn behind_a_cut() -> (Cut, Fleet, Agent) {
    let redis = RedisServer::start_private(&[]);
    let cut = Cut::before(&redis);
    // A replica asks again only within a quarter of it, however busy this machine is.
    let fleet =
        patient_fleet(&redis, 1).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "20000").env("BACKCHANNEL_REDIS_URL", &cut.url()).start().await;
    let agent = fleet.agent("agent").await;
    (cut, fleet, agent)
}

#[tokio::test]
async fn a_post_whose_reply_was_lost_is_there_once_and_its_poster_is_told_the_truth() {
    let (cut, fleet, agent) = behind_a_cut().await;
    let channel = agent.channel("claimable").await;
    agent.post_message(&channel, "before").await;
    let post = |content: &str| agent.post_to(&channel, json!({ "content": content }));

    // Without a key nobody may send it again.
    cut.lose(Part::Reply, "unheard", 1);
    post("unheard").await.refused(503, "outcome_unknown");
    assert_eq!((cut.lost(), times(&agent, &channel, "unheard").await), (1, 1));
    cut.lose(Part::Request, "unseen", 1);
    post("unseen").await.refused(503, "outcome_unknown");
    assert_eq!((cut.lost(), times(&agent, &channel, "unseen").await), (2, 0));

    // With one the replica asks again itself.
    cut.lose(Part::Reply, "asked again", 1);
    let first = post("asked again").once("key-1").await.ok(201);
    let again = post("asked again").once("key-1").await;
    assert!(again.is_replay());
    assert_eq!(again.ok(201)["message"]["id"], first["message"]["id"]);
    assert_eq!((cut.lost(), times(&agent, &channel, "asked again").await), (3, 1));

    // As often as that helps: then its client does, and still it is one.
    cut.lose(Part::Reply, "lost twice", 2);
    post("lost twice").once("key-2").await.refused(503, "storage_unavailable");
    post("lost twice").once("key-2").await.ok(201);
    assert_eq!((cut.lost(), times(&agent, &channel, "lost twice").await), (5, 1));

    // tasks/post has the same promise, also when it makes its channel on the way.
    cut.lose(Part::Reply, "by name", 1);
    let task = json!({ "channel": "made-on-the-way", "content": "by name" });
    agent.post("/v1/tasks/post", task.clone()).await.refused(503, "outcome_unknown");
    let other = json!({ "channel": "made-on-the-way", "content": "the next" });
    let made = agent.post("/v1/tasks/post", other).await.ok(201)["channel"].as_str().expect("an id").to_owned();
    assert_eq!(times(&agent, &made, "by name").await, 1);

    whole_again(&fleet, &agent, None).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_claim_ack_or_heartbeat_whose_reply_was_lost_is_asked_again_and_happens_once() {
    let (cut, fleet, agent) = behind_a_cut().await;
    let other = fleet.agent("other").await;
    let channel = agent.channel("claimable").await;
    let message = agent.post_message(&channel, "a task").await;

    cut.lose(Part::Reply, &channel, 1);
    let claim = agent.claim_with_lease(&message, 300).await.ok(200);
    assert_eq!((cut.lost(), &claim["status"], &claim["attempt"]), (1, &json!("claimed"), &json!(1)));
    let token = claim["lease_token"].as_str().expect("a token");
    other.claim(&message).await.refused(409, "already_claimed");

    cut.lose(Part::Reply, &channel, 1);
    let longer = agent.heartbeat(token, 600).await.ok(200);
    assert_eq!((cut.lost(), &longer["lease_token"], &longer["attempt"]), (2, &claim["lease_token"], &json!(1)));

    cut.lose(Part::Reply, &channel, 1);
    let ack = agent.post(&format!("/v1/messages/{message}/ack"), json!({ "lease_token": token })).await.ok(200);
    assert_eq!(cut.lost(), 3);
    assert_eq!(ack["message"]["acknowledged_by"].as_array().map(Vec::len), Some(1), "{ack}");

    // A plain claim that was lost each time is its claimer's when it asks again.
    let message = agent.post_message(&channel, "another").await;
    cut.lose(Part::Reply, &channel, 2);
    let lost = agent.claim(&message).await.refused(503, "storage_unavailable");
    let words = lost["message"].as_str().expect("an error has a message");
    assert!(!words.contains("nothing was changed"), "it was claimed, and is told: {words}");
    agent.claim(&message).await.ok(200);
    other.claim(&message).await.refused(409, "already_claimed");

    // Redis has the script by then. Where it has not, it does nothing at first; and an answer to the replica's own PING, if it came just then, would be
    // lost in place of that of the release.
    agent.release(&message).await.ok(200);
    agent.claim(&message).await.ok(200);
    // A release may not be sent twice: between the two somebody else may have taken it.
    cut.lose(Part::Reply, &channel, 1);
    agent.release(&message).await.refused(503, "outcome_unknown");
    other.claim(&message).await.ok(200);
    agent.release(&message).await.refused(403, "forbidden");

    whole_again(&fleet, &agent, None).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_claim_of_the_next_message_whose_reply_was_lost_takes_one_and_its_lease_gives_it_back() {
    let (cut, fleet, agent) = behind_a_cut().await;
    let other = fleet.agent("other").await;
    let channel = agent.channel("claimable").await;
    // Redis has the script by then: see above.
    assert!(agent.claim_next(&channel, json!({ "lease_seconds": 8 })).await.ok(200)["claimed"].is_null());
    let (first, second) = (agent.post_message(&channel, "first").await, agent.post_message(&channel, "second").await);

    cut.lose(Part::Reply, &channel, 1);
    // It must not end before the next claim, and is waited for.
    agent.claim_next(&channel, json!({ "lease_seconds": 8 })).await.refused(503, "outcome_unknown");
    assert_eq!(cut.lost(), 1);
    let next = other.claim_next(&channel, json!({ "lease_seconds": 300 })).await.ok(200);
    assert_eq!(next["claimed"]["id"], *second, "it took one message, not two");
    let back = other.claim_next(&channel, json!({ "lease_seconds": 300, "wait": 40 })).await.ok(200);
    assert_eq!((&back["claimed"]["id"], &back["attempt"]), (&json!(first), &json!(2)), "its lease ended");

    // With an Idempotency-Key the replica asks again, and gets the same one.
    let third = agent.post_message(&channel, "third").await;
    agent.post_message(&channel, "fourth").await;
    cut.lose(Part::Reply, &channel, 1);
    let got = agent.claim_next(&channel, json!({ "lease_seconds": 300 })).once("key-3").await;
    assert_eq!((cut.lost(), &got.ok(200)["claimed"]["id"]), (2, &json!(third)));
    let again = agent.claim_next(&channel, json!({ "lease_seconds": 300 })).once("key-3").await;
    assert!(again.is_replay());
    assert_eq!(again.ok(200)["claimed"]["id"], *third);

    assert!(Outcome::of(agent.list(&channel, "status=unclaimed")).await.is_done());
    whole_again(&fleet, &agent, None).await;
    fleet.finish().await;
}
