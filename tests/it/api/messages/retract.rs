//! `DELETE /v1/messages/{message_id}`

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::keyspace::{self, set_of_channel};

#[tokio::test]
async fn the_poster_and_the_owner_take_a_message_back_while_nobody_holds_it() {
    let fleet = Fleet::start(2).await;
    let (owner, poster, other) = (fleet.agent("owner").await, fleet.agent("poster").await, fleet.agent("other").await);
    let id = owner.channel("claimable").await;
    let retract = |agent: &crate::support::client::Agent, message: &str| agent.delete(&format!("/v1/messages/{message}"));
    let body = json!({ "content": "plutonium-content", "metadata": { "m": "plutonium-meta" }, "actor_label": "plutonium-label" });
    let secret = poster.post_to(&id, body.clone()).once("plutonium").await.ok(201)["message"]["id"].as_str().unwrap().to_owned();
    let by_owner = poster.post_message(&id, "the owner may too").await;
    let held = poster.post_message(&id, "held").await;
    let done = poster.post_message(&id, "done").await;
    let released = poster.post_message(&id, "released").await;
    for message in [&held, &done, &released] {
        other.claim(message).await.ok(200);
    }
    other.ack(&done).await.ok(200);
    other.release(&released).await.ok(200);

    retract(&other, &secret).await.refused(403, "forbidden");
    for agent in [&poster, &owner] {
        retract(agent, &held).await.refused(409, "message_claimed");
        retract(agent, &done).await.refused(409, "message_claimed");
    }
    assert_eq!(retract(&poster.on(0), &secret).await.ok(200), json!({ "status": "retracted" }));
    retract(&owner, &by_owner).await.ok(200);
    retract(&poster, &released).await.ok(200);

    let there = poster.on(1);
    for ask in [retract(&there, &secret), there.claim(&secret), there.ack(&secret), there.release(&secret)] {
        ask.await.refused(404, "message_not_found");
    }
    for query in ["", "status=unclaimed", "status=claimed"] {
        let page = there.list(&id, query).await.ok(200);
        assert!(page["data"].as_array().unwrap().iter().all(|m| m["id"] == held || m["id"] == done), "{query}: {page}");
    }
    assert_eq!(there.claim_next(&id, json!({})).await.ok(200)["claimed"], Value::Null);
    let all = keyspace::dump(fleet.redis(), &format!("{}*", fleet.prefix()));
    assert!(!all.contains("plutonium"), "it is nowhere any more:\n{all}");
    // A retry of the post is told what the first try was told, and brings nothing back.
    let replay = poster.post_to(&id, body).once("plutonium").await.has_status(201);
    assert!(replay.is_replay() && replay.body["message"]["id"] == *secret);
    assert!(!keyspace::dump(fleet.redis(), &format!("{}*", fleet.prefix())).contains("plutonium"));

    // Once all has expired, it is in no history either.
    set_of_channel(fleet.redis(), &format!("{}{{{id}}}:meta", fleet.prefix()), "ttl", "0");
    let history = there.get(&format!("/v1/channels/{id}/history")).await.ok(200);
    let shown: Vec<_> = history["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap()).collect();
    assert_eq!(shown, [done.as_str(), held.as_str()]);
    for nonsense in ["msg_x", "nonsense", "msg_abcdefghij23456723451760000000123456"] {
        retract(&poster, nonsense).await.refused(404, "message_not_found");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_claim_and_a_retraction_that_race_are_not_both_granted() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let id = poster.channel("claimable").await;
    for i in 0..24 {
        let message = poster.post_message(&id, "wanted by two").await;
        let claim = worker.claim(&message).on(i % 2).into_future();
        let retract = poster.delete(&format!("/v1/messages/{message}")).on((i + 1) % 2).into_future();
        let replies = join_all(if i % 4 < 2 { [claim, retract] } else { [retract, claim] }).await;
        let granted = replies.iter().filter(|r| r.status == 200).count();
        assert_eq!(granted, 1, "{} / {}", replies[0].text, replies[1].text);
        let refused = replies.iter().find(|r| r.status != 200).unwrap();
        assert!(refused.body["error"] == "message_not_found" || refused.body["error"] == "message_claimed", "{}", refused.text);
    }
    fleet.finish().await;
}
