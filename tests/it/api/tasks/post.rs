//! `POST /v1/tasks/post`: hand a task over, in a channel that is made if need be.

use serde_json::json;

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::process::unique;

fn post(agent: &Agent, channel: &str, content: &str) -> Ask {
    agent.post("/v1/tasks/post", json!({ "channel": channel, "content": content }))
}

#[tokio::test]
async fn a_new_name_makes_a_claimable_channel_and_every_other_word_finds_one() {
    let fleet = Fleet::start(2).await;
    let (owner, member) = (fleet.agent("owner").await, fleet.agent("member").await);

    let posted = post(&owner.on(0), " deploy-jobs ", " first ").await.ok(201);
    let id = posted["channel"].as_str().unwrap().to_owned();
    assert_eq!((&posted["message"]["channel_id"], &posted["message"]["content"]), (&json!(id), &json!("first")));
    assert_eq!(posted["next_cursor"], posted["message"]["created_at"]);
    assert_eq!(posted["message"]["actor"]["name"], json!(owner.label), "the key's own actor unless said");
    let channel = owner.on(1).get(&format!("/v1/channels/{id}")).await.ok(200);
    assert_eq!((&channel["name"], &channel["mode"], &channel["access"]), (&json!("deploy-jobs"), &json!("claimable"), &json!("open")));

    // The same name on the other replica, the id, an alias: the same channel, for its owner.
    let alias = format!("jobs-{}", unique());
    owner.post(&format!("/v1/channels/{id}/aliases"), json!({ "alias": alias })).await.has_status(201);
    for word in ["deploy-jobs", &id, &alias] {
        assert_eq!(post(&owner.on(1), word, "more").await.ok(201)["channel"], json!(id), "{word}");
    }
    // A stranger finds an open channel by its id; the name is its own affair.
    assert_eq!(post(&member, &id, "from outside").await.ok(201)["channel"], json!(id));
    assert_ne!(post(&member, "deploy-jobs", "mine").await.ok(201)["channel"], json!(id));

    // All fields of a message, and its rules.
    let full = json!({ "channel": id, "content": "c", "actor": owner.label, "actor_label": "l", "metadata": {"n": 1.0}, "mentions": [] });
    let message = owner.post("/v1/tasks/post", full).await.ok(201)["message"].clone();
    assert_eq!(
        (&message["actor"]["name"], &message["actor_label"], &message["metadata"]),
        (&json!(owner.label), &json!("l"), &json!({"n": 1.0}))
    );
    assert_eq!(owner.list(&id, "").await.ok(200)["data"].as_array().map(Vec::len), Some(6));
    fleet.finish().await;
}

#[tokio::test]
async fn the_alias_of_a_stranger_captures_no_tasks() {
    let fleet = Fleet::start(2).await;
    let (victim, stranger) = (fleet.agent("victim").await, fleet.agent("stranger").await);
    let trap = stranger.channel("claimable").await;
    let word = format!("payments-{}", unique());
    stranger.post(&format!("/v1/channels/{trap}/aliases"), json!({ "alias": word })).await.has_status(201);

    let posted = post(&victim, &word, "secret").await.ok(201);
    assert_ne!(posted["channel"], json!(trap));
    assert_eq!(stranger.list(&trap, "").await.ok(200)["data"], json!([]));
    let own = victim.get(&format!("/v1/channels/{}", posted["channel"].as_str().unwrap())).await.ok(200);
    assert_eq!(own["name"], json!(word), "a channel of its own was made under that name");

    // A member's tasks do go where the alias says.
    let (team, word) = (stranger.restricted("claimable").await, format!("team-{}", unique()));
    stranger.post(&format!("/v1/channels/{team}/aliases"), json!({ "alias": word })).await.has_status(201);
    stranger.post(&format!("/v1/channels/{team}/members"), json!({ "key_id": victim.key_id })).await.has_status(201);
    assert_eq!(post(&victim, &word, "for the team").await.ok(201)["channel"], json!(team));
    fleet.finish().await;
}

#[tokio::test]
async fn what_cannot_be_posted_makes_no_channel() {
    let fleet = Fleet::start(2).await;
    let (owner, stranger) = (fleet.agent("owner").await, fleet.agent("stranger").await);
    let news = owner.channel_with(json!({ "name": "news", "mode": "broadcast" })).await;
    for word in ["news", &news] {
        post(&owner, word, "a task").await.refused(409, "channel_not_claimable");
    }
    let restricted = owner.restricted("claimable").await;
    post(&stranger, &restricted, "a task").await.refused(403, "channel_access_denied");
    post(&owner, "ch_aaaaaaaaaaaaaaaaaaaa", "a task").await.refused(404, "channel_not_found");

    let bodies = [
        (json!({ "content": "c" }), "missing_field", "channel"),
        (json!({ "channel": "jobs" }), "missing_field", "content"),
        (json!({ "channel": "  ", "content": "c" }), "invalid_string", "channel"),
        (json!({ "channel": "jobs", "content": " " }), "invalid_string", "content"),
        (json!({ "channel": 7, "content": "c" }), "invalid_string", "channel"),
        (json!({ "channel": "jobs", "content": {} }), "invalid_string", "content"),
        (json!({ "channel": "jobs", "content": "c", "metadata": [] }), "invalid_object", "metadata"),
        (json!({ "channel": "jobs", "content": "c", "mentions": "m" }), "invalid_mentions", "mentions"),
        (json!({ "channel": "jobs", "content": "x".repeat(10_001) }), "content_too_large", "content"),
        (json!({ "channel": "a\u{0}b", "content": "c" }), "invalid_channel_name", "channel"),
        (json!({ "channel": "a\u{202e}b", "content": "c" }), "invalid_channel_name", "channel"),
        (json!({ "channel": "x".repeat(201), "content": "c" }), "invalid_channel_name", "channel"),
        (json!({ "channel": "msg_aaaaaaaaaaaaaaaaaaaa1760000000123456", "content": "c" }), "invalid_channel_name", "channel"),
    ];
    for (body, code, field) in bodies {
        assert_eq!(owner.post("/v1/tasks/post", body).await.refused(422, code)["field"], field);
    }
    owner.get("/v1/channels/jobs").await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn posts_that_race_for_a_new_name_meet_in_one_channel() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let posts = (0..20).map(|n| {
        let owner = owner.on(n % 2);
        async move { post(&owner, "race", &format!("{n}")).await.ok(201)["channel"].as_str().unwrap().to_owned() }
    });
    let mut channels = futures::future::join_all(posts).await;
    channels.dedup();
    assert_eq!(channels.len(), 1, "{channels:?}");
    assert_eq!(owner.list(&channels[0], "").await.ok(200)["data"].as_array().map(Vec::len), Some(20));
    fleet.finish().await;
}
