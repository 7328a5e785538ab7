//! The live document is valid OpenAPI 3.1, and what the operations answer has the shape that it declares.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use backchannel::router::operations;
use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

mod webhooks;

/// What was answered, by operation.
#[derive(Default)]
struct Answers(Vec<Value>);

impl Answers {
    /// Asks, keeps the answer for the check, and returns its body.
    async fn keep(&mut self, operation: &str, status: u16, ask: Ask) -> Value {
        let reply = ask.await.has_status(status);
        self.0.push(json!({ "operation": operation, "status": status, "body": reply.body }));
        reply.body
    }
}

/// Runs openapi.py over the document and the answers; fails the test with what it says.
fn check(document: &Value, answers: &Answers) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(repository.join(".venv/bin/python"))
        .arg(repository.join("tests/it/contract/openapi.py"))
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("run `make test`, or scripts/install-python.sh alone");
    let given = json!({ "document": document, "answers": answers.0 }).to_string();
    child.stdin.take().expect("it is piped").write_all(given.as_bytes()).expect("openapi.py reads");
    let output = child.wait_with_output().expect("openapi.py ends");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

async fn keys_and_actors(agent: &Agent, fleet: &Fleet, answers: &mut Answers) {
    let client = fleet.client();
    let label = format!("fresh-{}", agent.label);
    let issued = answers.keep("issueKey", 201, client.post("/v1/keys", json!({ "agent_label": label }))).await;
    let fresh = client.with_key(issued["key"].as_str().expect("a key"));
    answers.keep("keysMe", 200, fresh.get("/v1/keys/me")).await;
    answers.keep("setKeyScopes", 200, fresh.put("/v1/keys/me/scopes", json!({ "scopes": ["channels:read"] }))).await;
    answers.keep("keysMe", 200, fresh.get("/v1/keys/me")).await;
    answers.keep("keysMe", 401, client.get("/v1/keys/me")).await;
    answers.keep("deleteKeysMe", 200, fresh.delete("/v1/keys/me")).await;
    let minting = client.post("/v1/admin/minting", json!({ "enabled": true })).header("X-Admin-Token", "operator");
    answers.keep("adminSetMinting", 200, minting).await;
    operator(agent, fleet, answers).await;
    answers.keep("securityAudit", 200, agent.get("/v1/security/audit")).await;
    answers.keep("accountUsage", 200, agent.get("/v1/account/usage")).await;
    answers.keep("observabilityMetrics", 200, agent.get("/v1/observability/metrics")).await;
    let fields = json!({ "name": "worker-1", "description": "d", "metadata": { "a": [1] } });
    let actor = answers.keep("createActor", 201, agent.post("/v1/actors", fields.clone())).await;
    answers.keep("createActor", 200, agent.post("/v1/actors", fields)).await;
    answers.keep("getActor", 200, agent.get(&format!("/v1/actors/{}", actor["id"].as_str().expect("an id")))).await;
    let path = format!("/v1/actors/{}", actor["id"].as_str().expect("an id"));
    let alias = json!({ "alias": format!("alias-of-{}", agent.label) });
    answers.keep("createActorAlias", 201, agent.post(&format!("{path}/aliases"), alias.clone())).await;
    answers.keep("getActor", 200, agent.get(&path)).await;
    let alias = alias["alias"].as_str().expect("a word");
    answers.keep("deleteActorAlias", 200, agent.delete(&format!("{path}/aliases/{alias}"))).await;
    answers.keep("deleteActorAlias", 404, agent.delete(&format!("{path}/aliases/{alias}"))).await;
    let hook = json!({ "url": "https://example.invalid/hook", "secret": "s" });
    answers.keep("setActorWebhook", 200, agent.post(&format!("{path}/webhook"), hook)).await;
    answers.keep("getActorWebhook", 200, agent.get(&format!("{path}/webhook"))).await;
    answers.keep("deleteActorWebhook", 200, agent.delete(&format!("{path}/webhook"))).await;
    answers.keep("getActorWebhook", 404, agent.get(&format!("{path}/webhook"))).await;
    answers.keep("health", 200, client.get("/health")).await;
}

async fn operator(agent: &Agent, fleet: &Fleet, answers: &mut Answers) {
    let as_operator = |ask: Ask| ask.header("X-Admin-Token", "operator");
    let client = fleet.client();
    let label = json!({ "agent_label": format!("issued-{}", agent.label) });
    let issued = answers.keep("adminIssueKey", 201, as_operator(client.post("/v1/admin/keys", label))).await;
    let channel = agent.channel("claimable").await;
    let path = format!("/v1/admin/channels/{channel}");
    answers.keep("adminPauseChannel", 200, as_operator(client.post(&format!("{path}/pause"), json!({})))).await;
    answers.keep("adminResumeChannel", 200, as_operator(client.post(&format!("{path}/resume"), json!({})))).await;
    answers.keep("adminDeleteChannel", 204, as_operator(client.delete(&path))).await;
    answers.keep("adminDeleteChannel", 404, as_operator(client.delete(&path))).await;
    let key = format!("/v1/admin/keys/{}", issued["key_id"].as_str().expect("an id"));
    answers.keep("adminRevokeKey", 200, as_operator(client.delete(&key))).await;
    answers.keep("adminAudit", 200, as_operator(client.get("/v1/admin/audit?limit=3"))).await;
    answers.keep("adminQuotas", 200, as_operator(client.get(&format!("/v1/admin/quotas?key_id={}", agent.key_id)))).await;
    answers.keep("adminQuotas", 422, as_operator(client.get("/v1/admin/quotas?key_id=x"))).await;
    answers.keep("adminAudit", 401, client.get("/v1/admin/audit")).await;
}

async fn sessions(agent: &Agent, answers: &mut Answers) {
    let fields = json!({ "name": "flow", "state": { "a": [1] }, "metadata": { "run": "r" } });
    let session = answers.keep("createSession", 201, agent.post("/v1/sessions", fields)).await;
    let path = format!("/v1/sessions/{}", session["id"].as_str().expect("an id"));
    answers.keep("getSession", 200, agent.get(&path)).await;
    answers.keep("patchSession", 200, agent.patch(&path, json!({ "state": { "b": null } }))).await;
    answers.keep("listSessions", 200, agent.get("/v1/sessions?limit=1")).await;
    answers.keep("deleteSession", 200, agent.delete(&path)).await;
    answers.keep("deleteSession", 404, agent.delete(&path)).await;
}

async fn results(agent: &Agent, other: &Agent, channel: &str, answers: &mut Answers) {
    let fields = json!({ "channel": channel, "content": "t" });
    let posted = answers.keep("taskPostWithResult", 201, agent.post("/v1/tasks/post-with-result", fields)).await;
    let result = posted["result_url"].as_str().expect("a path");
    answers.keep("taskAwaitResult", 404, agent.get(result)).await;
    answers.keep("taskPublishResult", 201, other.post(result, json!({ "content": "r", "metadata": { "n": 1 } }))).await;
    answers.keep("taskAwaitResult", 200, agent.get(result)).await;
    let claim = json!({ "message_id": posted["message"]["id"] });
    answers.keep("taskClaimAndAck", 200, other.post("/v1/tasks/claim-and-ack", claim.clone())).await;
    answers.keep("taskClaimAndAck", 409, agent.post("/v1/tasks/claim-and-ack", claim)).await;
}

async fn channels_and_members(agent: &Agent, other: &Agent, answers: &mut Answers) -> String {
    let related = agent.channel("broadcast").await;
    let fields = json!({ "name": "tasks", "mode": "claimable", "related_channels": [related], "max_messages": 100, "pinned_message": "p",
        "webhook_url": "https://example.invalid/hook", "metadata_schema": { "type": "object" } });
    let channel = answers.keep("createChannel", 201, agent.post("/v1/channels", fields.clone())).await;
    answers.keep("createChannel", 200, agent.post("/v1/channels", fields)).await;
    let id = channel["id"].as_str().expect("an id").to_owned();
    let path = format!("/v1/channels/{id}");
    answers.keep("getChannel", 200, agent.get(&path)).await;
    answers.keep("getChannel", 200, other.get(&path)).await;
    answers.keep("updateChannel", 200, agent.patch(&path, json!({ "description": "new" }))).await;
    let alias = json!({ "alias": format!("alias-{}", agent.label) });
    answers.keep("createChannelAlias", 201, agent.post(&format!("{path}/aliases"), alias)).await;
    answers.keep("createChannelAlias", 201, agent.post(&format!("{path}/aliases"), json!({ "alias": "another" }))).await;
    answers.keep("deleteChannelAlias", 200, agent.delete(&format!("{path}/aliases/another"))).await;
    answers.keep("discoverChannels", 200, other.get("/v1/channels?limit=1")).await;
    answers.keep("discoverChannels", 200, agent.get("/v1/channels?owned=true")).await;
    answers.keep("addChannelMember", 201, agent.post(&format!("{path}/members"), json!({ "key_id": other.key_id }))).await;
    answers.keep("listChannelMembers", 200, agent.get(&format!("{path}/members"))).await;
    answers.keep("removeChannelMember", 200, agent.delete(&format!("{path}/members/{}", other.key_id))).await;
    answers.keep("deleteChannel", 403, other.delete(&path)).await;
    id
}

/// Coming into a restricted channel, by asking and by an invitation.
async fn access(agent: &Agent, other: &Agent, answers: &mut Answers) {
    let open = agent.channel("broadcast").await;
    answers.keep("requestChannelAccess", 200, other.post(&format!("/v1/channels/{open}/access-requests"), json!({}))).await;
    let session = answers.keep("taskCreateClaimableSession", 201, agent.post("/v1/tasks/create-claimable-session", json!({}))).await;
    let path = format!("/v1/channels/{}", session["channel"]["id"].as_str().expect("an id"));
    for (operation, verb) in [("denyChannelAccessRequest", "deny"), ("approveChannelAccessRequest", "approve")] {
        let ask = other.post(&format!("{path}/access-requests"), json!({ "reason": "I work here" }));
        let asked = answers.keep("requestChannelAccess", 202, ask).await;
        answers.keep("listChannelAccessRequests", 200, agent.get(&format!("{path}/access-requests"))).await;
        let id = asked["request_id"].as_str().expect("an id");
        answers.keep(operation, 200, agent.post(&format!("{path}/access-requests/{id}/{verb}"), json!({}))).await;
        answers.keep(operation, 409, agent.post(&format!("{path}/access-requests/{id}/{verb}"), json!({}))).await;
    }
    let invitation = answers.keep("createChannelInvitation", 201, agent.post(&format!("{path}/invitations"), json!({}))).await;
    let invitation = format!("/v1/channel-invitations/{}", invitation["id"].as_str().expect("an id"));
    answers.keep("removeChannelMember", 200, other.delete(&format!("{path}/members/{}", other.key_id))).await;
    answers.keep("getChannelInvitation", 200, other.get(&invitation)).await;
    answers.keep("revokeChannelInvitation", 200, agent.delete(&invitation)).await;
    answers.keep("getChannelInvitation", 410, other.get(&invitation)).await;
    answers.keep("listChannelEvents", 200, agent.get(&format!("{path}/events"))).await;
}

async fn messages_and_claims(agent: &Agent, other: &Agent, channel: &str, answers: &mut Answers) {
    let body = json!({ "content": "one", "metadata": { "n": 1 } });
    let posted = answers.keep("createMessage", 201, agent.post_to(channel, body)).await;
    let first = posted["message"]["id"].as_str().expect("an id").to_owned();
    let me = agent.get(&format!("/v1/actors/{}", agent.label)).await.ok(200)["id"].clone();
    let labelled = answers
        .keep("createMessage", 201, agent.post_to(channel, json!({ "content": "two", "actor_label": "me", "mentions": [me] })))
        .await;
    let second = labelled["message"]["id"].as_str().expect("an id").to_owned();
    answers.keep("createMessage", 422, agent.post_to(channel, json!({}))).await;
    let leased = answers.keep("claimMessageWithLease", 200, other.claim_with_lease(&first, 60)).await;
    let token = leased["lease_token"].as_str().expect("a token");
    answers.keep("heartbeatLease", 200, other.heartbeat(token, 60)).await;
    answers.keep("claimMessage", 409, agent.claim(&first)).await;
    answers.keep("ackMessage", 200, other.ack(&first)).await;
    answers.keep("ackMessage", 200, other.ack(&first)).await;
    answers.keep("claimMessage", 200, other.claim(&second)).await;
    answers.keep("releaseMessage", 200, other.release(&second)).await;
    answers.keep("listMessages", 200, agent.list(channel, "limit=10")).await;
    answers.keep("getMessage", 200, agent.get(&format!("/v1/messages/{second}"))).await;
    answers.keep("deleteMessage", 200, agent.delete(&format!("/v1/messages/{second}"))).await;
    answers.keep("getMessage", 200, agent.get(&format!("/v1/messages/{second}"))).await;
    let third = agent.post_message(channel, "three").await;
    other.claim(&third).await.ok(200);
    let result = json!({ "result": "what came out" });
    answers.keep("ackMessage", 200, other.post(&format!("/v1/messages/{third}/ack"), result)).await;
    answers.keep("getMessage", 200, agent.get(&format!("/v1/messages/{third}?wait=1"))).await;
    answers.keep("channelMetrics", 200, agent.get(&format!("/v1/channels/{channel}/metrics"))).await;
    answers.keep("channelMetrics", 403, other.get(&format!("/v1/channels/{channel}/metrics"))).await;
    answers.keep("listChannelHistory", 200, agent.get(&format!("/v1/channels/{channel}/history"))).await;
}

async fn tasks(agent: &Agent, other: &Agent, channel: &str, answers: &mut Answers) {
    for _ in 0..4 {
        answers.keep("taskPost", 201, agent.post("/v1/tasks/post", json!({ "channel": channel, "content": "t" }))).await;
    }
    answers.keep("taskClaim", 200, other.claim_next(channel, json!({}))).await;
    answers.keep("taskClaim", 200, other.claim_next(channel, json!({ "lease_seconds": 60, "max": 2 }))).await;
    answers.keep("taskClaim", 200, other.claim_next(channel, json!({ "max": 2 }))).await;
    answers.keep("taskClaim", 200, other.claim_next(channel, json!({}))).await;
    answers.keep("taskSubscribe", 200, other.post("/v1/tasks/subscribe", json!({ "channel": channel }))).await;
    let news = agent.channel("broadcast").await;
    answers.keep("taskBroadcast", 201, agent.post("/v1/tasks/broadcast", json!({ "channel": news, "content": "n" }))).await;
    answers.keep("deleteChannel", 204, agent.delete(&format!("/v1/channels/{news}"))).await;
}

/// Everything an expired message has that a live one has not.
async fn history(agent: &Agent, answers: &mut Answers) {
    let channel = agent.channel_with(json!({ "mode": "claimable", "ttl_seconds": 1 })).await;
    let message = agent.post_message(&channel, "gone soon").await;
    let path = format!("/v1/channels/{channel}/history");
    crate::support::wait::eventually("the message expires", std::time::Duration::from_secs(20), || async {
        agent.get(&path).await.ok(200)["data"].as_array().is_some_and(|d| d.len() == 1)
    })
    .await;
    answers.keep("listChannelHistory", 200, agent.get(&path)).await;
    answers.keep("claimMessage", 410, agent.claim(&message)).await;
    answers.keep("getMessage", 200, agent.get(&format!("/v1/messages/{message}"))).await;
}

#[tokio::test]
async fn the_live_document_is_valid_and_every_operation_answers_what_it_declares() {
    let fleet = Fleet::builder().env("BACKCHANNEL_ADMIN_TOKEN", "operator").start().await;
    let document = fleet.client().get("/openapi.json").await.ok(200);
    let (agent, other) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let mut answers = Answers::default();
    keys_and_actors(&agent, &fleet, &mut answers).await;
    let channel = channels_and_members(&agent, &other, &mut answers).await;
    access(&agent, &other, &mut answers).await;
    messages_and_claims(&agent, &other, &channel, &mut answers).await;
    tasks(&agent, &other, &channel, &mut answers).await;
    results(&agent, &other, &channel, &mut answers).await;
    sessions(&agent, &mut answers).await;
    history(&agent, &mut answers).await;
    webhooks::ask(&agent, &fleet, &mut answers).await;

    let met: BTreeSet<&str> =
        answers.0.iter().filter(|a| a["status"].as_u64() < Some(400)).filter_map(|a| a["operation"].as_str()).collect();
    assert_eq!(met, operations().iter().map(|o| o.id).collect(), "left: called here; right: the router");
    check(&document, &answers);
    fleet.finish().await;
}
