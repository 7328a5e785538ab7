//! `mentions` of a message: who is, who is left out, and where they are shown.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

/// An actor of a key, as messages show it, with an alias of the same name.
async fn known(agent: &Agent, name: &str) -> Value {
    let id = agent.post("/v1/actors", json!({ "name": name })).await.ok(201)["id"].clone();
    agent.post(&format!("/v1/actors/{name}/aliases"), json!({ "alias": format!("{name} alias") })).await.ok(201);
    json!({ "id": id, "name": name })
}

async fn mention(agent: &Agent, channel: &str, words: Value) -> Value {
    agent.post_to(channel, json!({ "content": "x", "mentions": words })).await.ok(201)["message"]["mentions"].clone()
}

#[tokio::test]
async fn mentioned_actors_are_shown_wherever_the_message_is() {
    let fleet = Fleet::start(2).await;
    let (owner, other) = (fleet.agent("owner").await, fleet.agent("other").await);
    let (mine, theirs) = (known(&owner, "mine").await, known(&other, "theirs").await);
    let channel = owner.channel("claimable").await;
    let both = json!([theirs, mine]);
    let words = json!([theirs["id"], "mine alias", " theirs alias ", mine["id"], theirs["id"]]);
    let body = json!({ "content": "look", "mentions": words, "metadata": { "a": 1 } });
    let posted = owner.on(0).post_to(&channel, body.clone()).once("p").await.ok(201)["message"].clone();
    assert_eq!(posted["mentions"], both, "each once, in the order of their first naming");
    let again = owner.on(1).post_to(&channel, body).once("p").await.has_status(201);
    assert!(again.is_replay() && again.body["message"] == posted, "{}", again.text);

    let id = posted["id"].as_str().unwrap();
    assert_eq!(other.on(1).list(&channel, "").await.ok(200)["data"][0]["mentions"], both);
    let subscribed = other.on(0).post("/v1/tasks/subscribe", json!({ "channel": channel })).await.ok(200);
    assert_eq!(subscribed["data"][0]["mentions"], both);
    assert_eq!(other.claim_next(&channel, json!({})).await.ok(200)["claimed"]["mentions"], both);
    assert_eq!(other.release(id).await.ok(200)["message"]["mentions"], both);
    assert_eq!(other.claim(id).await.ok(200)["message"]["mentions"], both);
    assert_eq!(other.list(&channel, "status=claimed").await.ok(200)["data"][0]["mentions"], both);
    assert_eq!(other.ack(id).await.ok(200)["message"]["mentions"], both);

    for verb in ["post", "post-with-result"] {
        let fields = json!({ "channel": channel, "content": "x", "mentions": ["mine alias"] });
        let posted = owner.post(&format!("/v1/tasks/{verb}"), fields).await.ok(201);
        assert_eq!(posted["message"]["mentions"], json!([mine]), "{verb}");
    }
    let news = owner.channel("broadcast").await;
    let fields = json!({ "channel": news, "content": "x", "mentions": ["mine alias"] });
    assert_eq!(owner.post("/v1/tasks/broadcast", fields).await.ok(201)["message"]["mentions"], json!([mine]));
    // The name of an actor stays in the message when its key is gone.
    other.delete("/v1/keys/me").await.ok(200);
    assert_eq!(owner.list(&channel, "").await.ok(200)["data"][0]["mentions"], both);
    eventually("there is nobody to tell on any replica", Duration::from_secs(15), || async {
        let words = json!([theirs["id"], "theirs alias"]);
        mention(&owner.on(0), &channel, words.clone()).await == json!([]) && mention(&owner.on(1), &channel, words).await == json!([])
    })
    .await;
    fleet.finish().await;
}

#[tokio::test]
async fn names_and_words_that_stand_for_nobody_are_left_out_and_other_forms_are_refused() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let mine = known(&owner, "mine").await;
    let channel = owner.channel("claimable").await;
    let none = [
        json!(["mine"]),
        json!([owner.label]),
        json!(["nobody", "", "  ", "act_x", "act_aaaaaaaaaaaaaaaabbbbbbbbbb", "ch_x", "a\u{1f}b", "a\u{200b}", "x".repeat(5000)]),
        json!([owner.key_id, channel]),
        json!([]),
        json!(null),
    ];
    for words in none {
        assert_eq!(mention(&owner, &channel, words.clone()).await, json!([]), "{words}");
    }
    assert_eq!(mention(&owner, &channel, json!(["nobody", "mine alias", "mine"])).await, json!([mine]));
    let most: Vec<Value> = (0..49).map(|i| json!(format!("nobody-{i}"))).chain([json!("mine alias")]).collect();
    assert_eq!(mention(&owner, &channel, json!(most)).await, json!([mine]), "fifty");
    let too_many: Vec<String> = (0..51).map(|i| format!("nobody-{i}")).collect();
    for bad in [json!("mine alias"), json!({}), json!([1]), json!([["a"]]), json!([null]), json!(true), json!(too_many)] {
        let refused = owner.post_to(&channel, json!({ "content": "x", "mentions": bad })).await.refused(422, "invalid_mentions");
        assert_eq!(refused["field"], "mentions", "{bad}");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn who_may_not_read_a_restricted_channel_is_left_out_without_a_word() {
    let fleet = Fleet::start(2).await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let (a, b, c) = (known(&owner, "a").await, known(&member, "b").await, known(&stranger, "c").await);
    let channel = owner.restricted("claimable").await;
    let words = json!(["c alias", c["id"], "b alias", "a alias"]);
    assert_eq!(mention(&owner, &channel, words.clone()).await, json!([a]));
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.ok(201);
    assert_eq!(mention(&owner.on(1), &channel, words.clone()).await, json!([b, a]));
    assert_eq!(mention(&member.on(0), &channel, words.clone()).await, json!([b, a]), "a member mentions too");
    stranger.post_to(&channel, json!({ "content": "x", "mentions": ["a alias"] })).await.refused(403, "channel_access_denied");
    owner.delete(&format!("/v1/channels/{channel}/members/{}", member.key_id)).await.ok(200);
    for replica in 0..2 {
        assert_eq!(mention(&owner.on(replica), &channel, words.clone()).await, json!([a]), "who was put out is not told any more");
    }
    // What was said stays as it was said.
    let page = owner.list(&channel, "").await.ok(200);
    assert_eq!(page["data"][1]["mentions"], json!([b, a]));
    fleet.finish().await;
}
