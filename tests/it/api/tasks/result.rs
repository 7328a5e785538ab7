//! `POST /v1/tasks/post-with-result` and `/v1/tasks/{message_id}/result`, for older clients.

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::keyspace;
use crate::support::process::unique;

async fn post(agent: &Agent, channel: &str) -> Value {
    agent.post("/v1/tasks/post-with-result", json!({ "channel": channel, "content": "a task" })).await.ok(201)
}

#[tokio::test]
async fn a_result_comes_back_to_who_posted_the_task() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let reply =
        owner.on(0).post("/v1/tasks/post-with-result", json!({ "channel": "jobs", "content": "Summarise", "metadata": { "n": 1 } }));
    let reply = reply.await.has_status(201);
    assert!(reply.header("deprecation").is_some() && reply.header("sunset").is_some());
    let posted = reply.ok(201);
    let id = posted["message"]["id"].as_str().unwrap();
    assert_eq!(posted["message"]["channel_id"], posted["channel"]);
    let (name, url) = (format!("result-of-{id}"), format!("/v1/tasks/{id}/result"));
    assert_eq!((&posted["result_channel"], &posted["result_url"]), (&json!(name), &json!(url)));

    let early = owner.on(1).get(&url).await;
    let links: Vec<&str> = early.headers.get_all("link").iter().map(|link| link.to_str().unwrap()).collect();
    let receipt = format!("<{}/v1/messages/{id}>; rel=\"successor-version\"", fleet.url(1));
    assert!(links.contains(&receipt.as_str()), "{links:?} has no {receipt}");
    early.refused(404, "result_not_ready");
    worker.claim(id).await.ok(200);
    let body =
        json!({ "content": " done ", "actor_label": "worker-1", "metadata": { "big": 12345678901234567890u64, "task_id": "forged" } });
    let published = worker.on(1).post(&url, body).await.ok(201);
    assert_eq!(published["result_channel"], json!(name));
    let result = &published["message"];
    assert_eq!((&result["content"], &result["actor_label"]), (&json!("done"), &json!("worker-1")));
    assert_eq!(result["metadata"], json!({ "big": 12345678901234567890u64, "task_id": id }));
    assert_eq!(result["posted_by_key_id"], json!(worker.key_id));
    worker.post(&url, json!({ "content": "second thoughts" })).await.ok(201);
    for agent in [owner.on(0), worker.on(1), fleet.agent("reader of the open channel").await] {
        assert_eq!(agent.get(&url).await.ok(200), json!({ "task_id": id, "result": result }), "the first");
    }
    // The channel is there under its name, for who owns it and who published.
    let channel = owner.get(&format!("/v1/channels/{name}")).await.ok(200);
    assert_eq!((&channel["name"], &channel["mode"], &channel["access"]), (&json!(name), &json!("broadcast"), &json!("restricted")));
    assert_eq!(channel["created_by_key_id"], json!(owner.key_id));
    assert_eq!(worker.list(&name, "").await.ok(200)["data"].as_array().map(Vec::len), Some(2));
    fleet.agent("stranger").await.list(&name, "").await.refused(403, "channel_access_denied");
    fleet.finish().await;
}

#[tokio::test]
async fn who_cannot_read_the_task_neither_gives_nor_gets_its_result() {
    let fleet = Fleet::start(2).await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let channel = owner.restricted("claimable").await;
    owner.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": member.key_id })).await.ok(201);
    let posted = post(&owner, &channel).await;
    let url = posted["result_url"].as_str().unwrap();
    stranger.post(url, json!({ "content": "forged" })).await.refused(403, "channel_access_denied");
    stranger.get(url).await.refused(403, "channel_access_denied");
    member.post(url, json!({ "content": "ours" })).await.ok(201);
    stranger.get(url).await.refused(403, "channel_access_denied");
    let name = posted["result_channel"].as_str().unwrap();
    stranger.list(name, "").await.refused(403, "channel_access_denied");
    assert_eq!(owner.get(url).await.ok(200)["result"]["content"], "ours");

    for path in ["/v1/tasks/msg_x/result", "/v1/tasks/msg_aaaaaaaaaaaaaaaaaaaa1760000000123456/result"] {
        owner.get(path).await.refused(404, "message_not_found");
        owner.post(path, json!({ "content": "x" })).await.refused(404, "message_not_found");
    }
    for (body, code) in [(json!({}), "missing_field"), (json!({ "content": "x", "metadata": [] }), "invalid_object")] {
        member.post(url, body).await.refused(422, code);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn results_use_up_none_of_the_channels_of_a_key_and_end_by_themselves() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_CHANNELS_PER_KEY", "1").start().await;
    let owner = fleet.agent("owner").await;
    let channel = owner.channel("claimable").await;
    let worker = fleet.agent("worker").await;
    for _ in 0..5 {
        let posted = post(&owner, &channel).await;
        worker.post(posted["result_url"].as_str().unwrap(), json!({ "content": "r" })).await.ok(201);
    }
    let prefix = fleet.prefix();
    let mut conn = fleet.redis().conn();
    let metas = keyspace::keys(&mut conn, &format!("{prefix}{{ch_*}}:meta"));
    let ending = metas.iter().filter(|key| keyspace::expires(&mut conn, key)).count();
    assert_eq!((metas.len(), ending), (6, 5));
    // Nobody else gets a channel or an alias of such a name.
    let name = post(&owner, &channel).await["result_channel"].as_str().unwrap().to_owned();
    worker.post("/v1/channels", json!({ "name": name, "mode": "broadcast" })).await.refused(422, "invalid_channel_name");
    owner.post(&format!("/v1/channels/{channel}/aliases"), json!({ "alias": name })).await.refused(422, "invalid_alias");
    worker.post("/v1/tasks/post", json!({ "channel": name, "content": "x" })).await.refused(422, "invalid_channel_name");
    fleet.finish().await;
}

#[tokio::test]
async fn a_task_that_came_another_way_takes_a_result_too_and_retries_are_one() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let channel = owner.channel("claimable").await;
    let id = owner.post_message(&channel, "plain").await;
    let url = format!("/v1/tasks/{id}/result");
    owner.get(&url).await.refused(404, "result_not_ready");
    let publish = |replica: usize| worker.on(replica).post(&url, json!({ "content": "r" })).once("publish");
    let (first, again) = (publish(0).await.has_status(201), publish(1).await.has_status(201));
    assert!(!first.is_replay() && again.is_replay());
    assert_eq!(again.text, first.text);
    assert_eq!(owner.get(&url).await.ok(200)["result"], first.body["message"]);

    let name = unique();
    let ask =
        |replica: usize| owner.on(replica).post("/v1/tasks/post-with-result", json!({ "channel": name, "content": "t" })).once("post");
    let (first, again) = (ask(0).await.has_status(201), ask(1).await.has_status(201));
    assert!(!first.is_replay() && again.is_replay());
    assert_eq!(again.text, first.text);
    let news = owner.channel("broadcast").await;
    let refused = owner.post("/v1/tasks/post-with-result", json!({ "channel": news, "content": "t" }));
    refused.await.refused(409, "channel_not_claimable");
    fleet.finish().await;
}
