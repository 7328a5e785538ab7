//! `POST /v1/actors/{identifier}/aliases`, `DELETE /v1/actors/{identifier}/aliases/{alias}`, and what an alias of an actor does.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

fn alias(agent: &Agent, actor: &str, alias: &str) -> Ask {
    agent.post(&format!("/v1/actors/{actor}/aliases"), json!({ "alias": alias }))
}

async fn actor(agent: &Agent, name: &str) -> String {
    agent.post("/v1/actors", json!({ "name": name })).await.ok(201)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn an_alias_is_global_unique_and_given_by_the_owner() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (id, theirs) = (actor(&owner, "mine").await, actor(&other, "theirs").await);
    let made = owner.get(&format!("/v1/actors/{id}")).await.ok(200);
    let named = alias(&owner, &id, " the researcher ").await.ok(201);
    assert_eq!((&named["id"], &named["aliases"], &named["created_at"]), (&json!(id), &json!(["the researcher"]), &made["created_at"]));
    assert!(named["updated_at"].as_str() > made["updated_at"].as_str(), "{named}");
    assert_eq!(alias(&owner, "the%20researcher", "the researcher").await.ok(201), named, "again changes nothing");
    assert_eq!(alias(&owner, "mine", "second").await.ok(201)["aliases"], json!(["the researcher", "second"]), "by name");
    for replica in 0..2 {
        assert_eq!(other.on(replica).get("/v1/actors/the%20researcher").await.ok(200)["id"], id);
    }
    assert_eq!(alias(&other, &theirs, "second").await.refused(409, "alias_conflict")["field"], "alias");
    for word in [id.as_str(), "second"] {
        alias(&other, word, "captured").await.refused(403, "actor_forbidden");
    }
    other.get("/v1/actors/captured").await.refused(404, "actor_not_found");
    alias(&owner, "nobody", "x").await.refused(404, "actor_not_found");
    let last = if id.ends_with('x') { 'y' } else { 'x' };
    alias(&owner, &format!("{}{last}", &id[..29]), "x").await.refused(404, "actor_not_found");
    alias(&owner, "act_x", "x").await.refused(404, "actor_not_found");
    // The same word may be a channel's alias: they are asked for in other places.
    let channel = other.channel("claimable").await;
    other.post(&format!("/v1/channels/{channel}/aliases"), json!({ "alias": "second" })).await.ok(201);

    let long = "x".repeat(201);
    for bad in ["ch_abcdefghij2345672345", "msg_x", "act_x", "bck_x", "a\u{0}", "a\u{200b}b", long.as_str()] {
        assert_eq!(alias(&owner, &id, bad).await.refused(422, "invalid_alias")["field"], "alias", "{bad:?}");
    }
    alias(&owner, &id, " ").await.refused(422, "invalid_string");
    owner.post(&format!("/v1/actors/{id}/aliases"), json!({})).await.refused(422, "missing_field");
    owner.post(&format!("/v1/actors/{id}/aliases"), json!({ "alias": [1] })).await.refused(422, "invalid_string");
    fleet.finish().await;
}

#[tokio::test]
async fn an_alias_is_taken_off_by_the_owner_and_is_free_again() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (id, theirs) = (actor(&owner, "mine").await, actor(&other, "theirs").await);
    let channel = owner.channel("broadcast").await;
    for word in ["one", "two words", "three"] {
        alias(&owner, &id, word).await.ok(201);
    }
    let path = |word: &str| format!("/v1/actors/{id}/aliases/{word}");
    for replica in 0..2 {
        // Known there, to the owner and to others.
        owner.on(replica).post_to(&channel, json!({ "content": "x", "actor": "two words", "mentions": ["two words"] })).await.ok(201);
    }
    other.delete(&path("one")).await.refused(403, "actor_forbidden");
    owner.delete(&path("four")).await.refused(404, "alias_not_found");
    owner.delete("/v1/actors/nobody/aliases/one").await.refused(404, "actor_not_found");
    // Of another actor it is none of this one's.
    other.delete(&format!("/v1/actors/{theirs}/aliases/one")).await.refused(404, "alias_not_found");
    // By itself too, and a retry is answered though it leads nowhere by then.
    let first = owner.on(0).delete("/v1/actors/two%20words/aliases/two%20words").once("off").await;
    assert_eq!(first.ok(200), json!({ "status": "removed" }));
    assert!(owner.on(1).delete("/v1/actors/two%20words/aliases/two%20words").once("off").await.has_status(200).is_replay());
    assert_eq!(owner.get(&format!("/v1/actors/{id}")).await.ok(200)["aliases"], json!(["one", "three"]));
    eventually("it stands for nobody on any replica", Duration::from_secs(15), || async {
        let post = |replica| owner.on(replica).post_to(&channel, json!({ "content": "x", "actor": "two words" }));
        post(0).await.status == 404 && post(1).await.status == 404
    })
    .await;
    let mentioned = owner.post_to(&channel, json!({ "content": "x", "mentions": ["two words"] })).await.ok(201);
    assert_eq!(mentioned["message"]["mentions"], json!([]));
    other.get("/v1/actors/two%20words").await.refused(404, "actor_not_found");
    alias(&other, &theirs, "two words").await.ok(201);
    owner.delete(&path("two%20words")).await.refused(404, "alias_not_found");
    assert_eq!(owner.get("/v1/actors/two%20words").await.ok(200)["id"], theirs, "it is theirs now");
    owner.get("/v1/actors/one").await.ok(200);

    // A replica that died between the two steps left an alias on the list that leads nowhere.
    fleet.redis().run::<i64>(&["DEL", &format!("{}{{actor-alias:one}}:target", fleet.prefix())]);
    owner.delete(&path("one")).await.ok(200);
    assert_eq!(owner.get(&format!("/v1/actors/{id}")).await.ok(200)["aliases"], json!(["three"]));
    fleet.finish().await;
}

#[tokio::test]
async fn an_actor_has_a_bounded_number_of_aliases_and_can_be_asked_again_for_each() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = actor(&owner, "mine").await;
    for i in 0..20 {
        alias(&owner, &id, &format!("alias-{i}")).once(&format!("k{i}")).await.ok(201);
    }
    let full = alias(&owner, &id, "one-too-many").await.refused(409, "quota_exceeded");
    assert_eq!((&full["limit"], &full["value"]), (&json!("aliases_per_actor"), &json!(20)));
    owner.get("/v1/actors/one-too-many").await.refused(404, "actor_not_found");
    alias(&owner, &id, "alias-19").await.ok(201);
    assert!(alias(&owner, &id, "alias-19").once("k19").await.has_status(201).is_replay());
    assert_eq!(owner.get("/v1/actors/alias-7").await.ok(200)["aliases"].as_array().unwrap().len(), 20);
    // A retry goes where its first try went, whatever its word stands for by then.
    let other_actor = actor(&owner, "another").await;
    let first = alias(&owner, "alias-3", "alias-3").once("retried").await.ok(201);
    owner.delete(&format!("/v1/actors/{id}/aliases/alias-3")).await.ok(200);
    alias(&owner, &other_actor, "alias-3").await.ok(201);
    let again = alias(&owner, "alias-3", "alias-3").once("retried").await.has_status(201);
    assert!(again.is_replay() && again.body["id"] == first["id"], "{}", again.text);
    fleet.finish().await;
}

/// Who acts under a word, in every way that there is.
async fn acts_as(agent: &Agent, channel: &str, word: &str) -> Vec<Value> {
    let message = agent.post_message(channel, "a task").await;
    let named = json!({ "content": "x", "actor": word, "channel": channel });
    vec![
        agent.on(0).post_to(channel, named.clone()).await.ok(201)["message"]["actor"].clone(),
        agent.on(1).post("/v1/tasks/post", named.clone()).await.ok(201)["message"]["actor"].clone(),
        agent.on(0).post(&format!("/v1/messages/{message}/claim"), named.clone()).await.ok(200)["message"]["claimed_by"].clone(),
        agent.on(1).post(&format!("/v1/messages/{message}/release"), named.clone()).await.ok(200)["message"]["actor"].clone(),
        agent.on(0).post("/v1/tasks/claim", named).await.ok(200)["claimed"]["claimed_by"].clone(),
    ]
}

#[tokio::test]
async fn a_key_acts_under_its_own_aliases_and_not_under_those_of_others() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let id = actor(&owner, "mine").await;
    alias(&owner, &id, "nick").await.ok(201);
    let channel = owner.channel("claimable").await;
    let mut shown = acts_as(&owner, &channel, "nick").await;
    shown.remove(3); // who posted what is released
    assert!(shown.iter().all(|by| *by == json!({ "id": id, "name": "mine" })), "{shown:?}");

    let message = owner.post_message(&channel, "a task").await;
    for replica in 0..2 {
        let act = json!({ "actor": "nick", "content": "x", "channel": channel });
        let other = other.on(replica);
        let asks = [
            other.post_to(&channel, act.clone()),
            other.post("/v1/tasks/post", act.clone()),
            other.post("/v1/tasks/claim", act.clone()),
            other.post(&format!("/v1/messages/{message}/claim"), act.clone()),
            other.post(&format!("/v1/messages/{message}/ack"), act),
        ];
        for ask in asks {
            assert_eq!(ask.await.refused(403, "actor_forbidden")["field"], "actor");
        }
    }
    other.get("/v1/actors/nick").await.ok(200);
    // Its own name wins, from when it has one: nobody's alias can take that away.
    let own = actor(&other, "nick").await;
    for replica in 0..2 {
        let posted = other.on(replica).post_to(&channel, json!({ "content": "x", "actor": "nick" })).await.ok(201);
        assert_eq!(posted["message"]["actor"], json!({ "id": own, "name": "nick" }));
        assert_eq!(other.on(replica).get("/v1/actors/nick").await.ok(200)["id"], own);
        assert_eq!(owner.on(replica).get("/v1/actors/nick").await.ok(200)["id"], id, "to others it is the alias");
    }
    // And an alias that comes later captures no name that is there.
    actor(&owner, "worker").await;
    let before = owner.get("/v1/actors/worker").await.ok(200)["id"].clone();
    alias(&other, &own, "worker").await.ok(201);
    assert_eq!(owner.post_to(&channel, json!({ "content": "x", "actor": "worker" })).await.ok(201)["message"]["actor"]["id"], before);
    // A long alias is no actor name, and still stands for its actor.
    let long = "l".repeat(150);
    alias(&owner, &id, &long).await.ok(201);
    assert_eq!(owner.post_to(&channel, json!({ "content": "x", "actor": long })).await.ok(201)["message"]["actor"]["id"], id);
    let unknown = json!({ "content": "x", "channel": channel, "actor": "u".repeat(150) });
    owner.post_to(&channel, unknown.clone()).await.refused(404, "actor_not_found");
    assert_eq!(owner.post("/v1/tasks/claim", unknown).await.refused(422, "invalid_actor_name")["field"], "actor");
    fleet.finish().await;
}

#[tokio::test]
async fn aliases_of_a_revoked_key_are_free_again() {
    let fleet = Fleet::start(2).await;
    let (gone, heir) = (fleet.agent("gone").await, fleet.agent("heir").await);
    let (id, theirs) = (actor(&gone, "mine").await, actor(&heir, "theirs").await);
    for word in ["left", "right"] {
        alias(&gone, &id, word).await.ok(201);
    }
    gone.delete("/v1/keys/me").await.ok(200);
    heir.get(&format!("/v1/actors/{id}")).await.refused(404, "actor_not_found");
    heir.get("/v1/actors/left").await.refused(404, "actor_not_found");
    alias(&heir, &theirs, "left").await.ok(201);
    let target = format!("{}{{actor-alias:right}}:target", fleet.prefix());
    eventually("what nobody takes over is gone too", Duration::from_secs(15), || async {
        fleet.redis().run::<i64>(&["EXISTS", &target]) == 0
    })
    .await;
    // A replica that died while it revoked a key left an alias behind.
    fleet.redis().run::<()>(&["SET", &target, &id]);
    heir.get("/v1/actors/right").await.refused(404, "actor_not_found");
    alias(&heir, &theirs, "right").await.ok(201);
    assert_eq!(heir.get(&format!("/v1/actors/{theirs}")).await.ok(200)["aliases"], json!(["left", "right"]));
    fleet.finish().await;
}
