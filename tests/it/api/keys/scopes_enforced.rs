//! Every operation that has a scope refuses a key without it, before it does anything.

use std::time::Duration;

use backchannel::operation::{Auth, Operation, Scope};
use backchannel::router::operations;
use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::keyspace::dump;
use crate::support::wait::eventually;

/// A key that has all scopes but one.
async fn without(fleet: &Fleet, scope: Scope) -> (Agent, Vec<&'static str>) {
    let agent = fleet.agent("narrow").await;
    let rest: Vec<&str> = Scope::ALL.iter().filter(|s| **s != scope).map(|s| s.word()).collect();
    narrow(&agent, &rest).await;
    (agent, rest)
}

/// Narrows a key, and waits until every replica knows.
async fn narrow(agent: &Agent, scopes: &[&str]) {
    agent.put("/v1/keys/me/scopes", json!({ "scopes": scopes })).await.ok(200);
    for replica in 0..2 {
        eventually("a replica knows that the key was narrowed", Duration::from_secs(15), || async move {
            agent.on(replica).get("/v1/keys/me").await.ok(200)["scopes"] == json!(scopes)
        })
        .await;
    }
}

/// A body that the operation would do its work for.
fn body(operation: &Operation, channel: &str, other_key: &str) -> Value {
    match operation.id {
        "createChannel" => json!({ "name": "made", "mode": "claimable" }),
        "updateChannel" => json!({ "description": "changed" }),
        "createChannelAlias" => json!({ "alias": format!("alias-of-{channel}").replace("ch_", "") }),
        "createActorAlias" => json!({ "alias": "made-by-narrow" }),
        "setActorWebhook" => json!({ "url": "https://example.com/hook" }),
        "addChannelMember" => json!({ "key_id": other_key }),
        "createActor" => json!({ "name": "made" }),
        _ => json!({ "channel": channel, "content": "made", "actor": "made-by-claiming" }),
    }
}

/// All that is there, but for notes that a channel was put on the list within the last minute: one may end between two looks.
fn all_that_stays(fleet: &Fleet) -> String {
    let mut is_note = false;
    let all = dump(fleet.redis(), &format!("{}*", fleet.prefix()));
    let stays = all.lines().filter(|line| {
        if !line.starts_with(' ') {
            is_note = line.contains("{discoverable}:fresh:");
        }
        !is_note
    });
    stays.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn every_operation_with_a_scope_refuses_a_key_without_it() {
    let fleet = Fleet::start(2).await;
    let scoped: Vec<(&Operation, Scope)> =
        operations().into_iter().filter_map(|o| if let Auth::Key(Some(scope)) = o.auth { Some((o, scope)) } else { None }).collect();
    let unscoped: Vec<&str> = operations().into_iter().filter(|o| !matches!(o.auth, Auth::Key(Some(_)))).map(|o| o.id).collect();
    for id in &unscoped {
        let known =
            ["issueKey", "keysMe", "deleteKeysMe", "setKeyScopes", "securityAudit", "accountUsage", "observabilityMetrics", "health"];
        assert!(known.contains(id) || id.starts_with("admin"), "{id} needs a scope");
    }

    let mut asked = 0;
    for &scope in Scope::ALL {
        let owner = fleet.agent("owner").await;
        let (agent, rest) = without(&fleet, scope).await;
        let channel = owner.channel("claimable").await;
        let session = if scope == Scope::MessagesWrite {
            "ses_aaaaaaaaaaaaaaaaaaaa".to_owned()
        } else {
            agent.post("/v1/sessions", json!({})).await.ok(201)["id"].as_str().unwrap().to_owned()
        };
        let message = owner.post_message(&channel, "a task").await;
        let held = owner.post_message(&channel, "another").await;
        let invitation = owner.post(&format!("/v1/channels/{channel}/invitations"), json!({})).await.ok(201);
        let lease = owner.claim_with_lease(&held, 300).await.ok(200)["lease_token"].as_str().unwrap().to_owned();
        for (i, (operation, _)) in scoped.iter().filter(|(_, needs)| *needs == scope).enumerate() {
            let path = operation
                .path
                .replace("{message_id}", &message)
                .replace("{lease_token}", &lease)
                .replace("{member_key_id}", &owner.key_id)
                .replace("{invitation_id}", invitation["id"].as_str().unwrap())
                .replace("{session_id}", &session)
                .replace("{delivery_id}", "dlv_aaaaaaaaaaaaaaaaaaaa_1760000000123-0")
                .replace("/actors/{identifier}", &format!("/actors/{}", agent.label))
                .replace("{identifier}", &channel);
            let before = all_that_stays(&fleet);
            let ask = agent.on(i % 2).ask(operation.method.parse().unwrap(), &path);
            let refused = ask.json(&body(operation, &channel, &agent.key_id)).await.refused(403, "insufficient_scope");
            assert_eq!(refused["required_scope"], scope.word(), "{}", operation.id);
            assert_eq!(refused["granted_scopes"], json!(rest), "{}", operation.id);
            assert_eq!(all_that_stays(&fleet), before, "{} did something", operation.id);
            asked += 1;
        }
    }
    assert_eq!((asked, asked + unscoped.len()), (scoped.len(), operations().len()), "no operation was left out");
    each_scope_is_enough_for_its_operations(&fleet).await;
    fleet.finish().await;
}

/// The other way round: the scopes that the protocol names are the ones that let in.
async fn each_scope_is_enough_for_its_operations(fleet: &Fleet) {
    let owner = fleet.agent("owner").await;
    let channel = owner.channel("claimable").await;
    let only = async |scope: &str| {
        let agent = fleet.agent("only").await;
        narrow(&agent, &[scope]).await;
        agent
    };
    only("channels:write").await.channel("claimable").await;
    let reader = only("channels:read").await;
    reader.get(&format!("/v1/channels/{channel}")).await.ok(200);
    reader.get("/v1/channels").await.ok(200);
    reader.get(&format!("/v1/channels/{channel}/metrics")).await.refused(403, "forbidden"); // that is for its owner
    // To be let in somewhere is to read; a session that is made with an invitation needs two scopes.
    let closed = owner.restricted("claimable").await;
    reader.post(&format!("/v1/channels/{closed}/access-requests"), json!({})).await.ok(202);
    let session = only("channels:write").await.post("/v1/tasks/create-claimable-session", json!({}));
    assert_eq!(session.await.refused(403, "insufficient_scope")["required_scope"], "channels:manage");
    only("messages:write").await.post_message(&channel, "a task").await;
    only("messages:read").await.list(&channel, "").await.ok(200);
    let receipt = owner.list(&channel, "").await.ok(200)["data"][0]["id"].as_str().unwrap().to_owned();
    only("messages:read").await.get(&format!("/v1/messages/{receipt}")).await.ok(200);
    let claimer = only("messages:claim").await;
    let claimed = claimer.claim_next(&channel, json!({ "lease_seconds": 60 })).await.ok(200);
    let id = claimed["claimed"]["id"].as_str().unwrap();
    claimer.heartbeat(claimed["lease_token"].as_str().unwrap(), 60).await.ok(200);
    claimer.ack(id).await.refused(403, "insufficient_scope");
    claimer.release(id).await.ok(200);
    // In one step it is both.
    let both = json!({ "message_id": id });
    for half in ["messages:claim", "messages:ack"] {
        let needs = only(half).await.post("/v1/tasks/claim-and-ack", both.clone()).await.refused(403, "insufficient_scope");
        assert_ne!(needs["required_scope"], half);
    }
    let acker = fleet.agent("acker").await;
    acker.claim(id).await.ok(200);
    narrow(&acker, &["messages:ack"]).await;
    acker.release(id).await.refused(403, "insufficient_scope");
    acker.ack(id).await.ok(200);
    // Managing is for owners: a stranger with the scope gets as far as that rule.
    only("channels:manage").await.delete(&format!("/v1/channels/{channel}")).await.refused(403, "forbidden");
}
