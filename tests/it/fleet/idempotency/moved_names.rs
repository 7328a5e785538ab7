//! A retry goes to the channel of its first try, whatever the name stands for by then.

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

/// Posts with `ask` under a name, gives the name to another channel, repeats the post: it must be a replay of the first.
async fn moved(agent: &Agent, first: &str, name: &str, mode: &str, ask: impl Fn() -> Ask) {
    let posted = ask().on(0).await.ok(201);
    assert_eq!(posted["message"]["channel_id"], first);
    agent.patch(&format!("/v1/channels/{first}"), json!({ "name": format!("{name} moved") })).await.ok(200);
    let second = agent.channel_with(json!({ "mode": mode, "name": name })).await;
    let again = ask().on(1).await.has_status(201);
    assert!(again.is_replay() && again.body == posted, "{}", again.text);
    assert_eq!(agent.list(&second, "").await.ok(200)["data"], json!([]));
    assert_eq!(agent.list(first, "").await.ok(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_post_by_name_is_repeated_in_the_channel_that_had_the_name() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    for (i, access) in ["open", "restricted"].into_iter().enumerate() {
        let make = |name: &str| agent.channel_with(json!({ "mode": "claimable", "name": name, "access": access }));
        let name = format!("posts-{i}");
        moved(&agent, &make(&name).await, &name, "claimable", || agent.post_to(&name, json!({ "content": "x" })).once("k")).await;
        let name = format!("tasks-{i}");
        let task = json!({ "channel": name, "content": "x" });
        moved(&agent, &make(&name).await, &name, "claimable", || agent.post("/v1/tasks/post", task.clone()).once(&name)).await;
        let name = format!("broadcasts-{i}");
        let task = json!({ "channel": name, "content": "x" });
        moved(&agent, &make(&name).await, &name, "broadcast", || agent.post("/v1/tasks/broadcast", task.clone()).once(&name)).await;
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_task_by_alias_is_repeated_in_the_channel_that_had_the_alias() {
    let fleet = Fleet::start(2).await;
    let (agent, owner) = (fleet.agent("agent").await, fleet.agent("owner").await);
    let first = owner.channel("claimable").await;
    owner.post(&format!("/v1/channels/{first}/aliases"), json!({ "alias": "shared" })).await.ok(201);
    owner.post(&format!("/v1/channels/{first}/members"), json!({ "key_id": agent.key_id })).await.ok(201);
    let task = || agent.post("/v1/tasks/post", json!({ "channel": "shared", "content": "x" })).once("k");
    let posted = task().on(0).await.ok(201);
    assert_eq!(posted["channel"], first);
    // The alias is nobody's any more, and the caller has a channel of that name.
    fleet.redis().run::<i64>(&["DEL", &format!("{}{{alias:shared}}:target", fleet.prefix())]);
    let own = agent.channel_with(json!({ "mode": "claimable", "name": "shared" })).await;
    let again = task().on(1).await.has_status(201);
    assert!(again.is_replay() && again.body == posted, "{}", again.text);
    assert_eq!(agent.list(&own, "").await.ok(200)["data"], json!([]));
    assert_eq!(agent.claim_next(&own, json!({})).await.ok(200)["claimed"], Value::Null);
    fleet.finish().await;
}
