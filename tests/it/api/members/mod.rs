//! `/v1/channels/{id}/members`

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

fn add(agent: &Agent, channel: &str, key_id: &str) -> Ask {
    agent.post(&format!("/v1/channels/{channel}/members"), json!({ "key_id": key_id }))
}

fn remove(agent: &Agent, channel: &str, key_id: &str) -> Ask {
    agent.delete(&format!("/v1/channels/{channel}/members/{key_id}"))
}

async fn members(owner: &Agent, channel: &str) -> Vec<Value> {
    owner.get(&format!("/v1/channels/{channel}/members")).await.ok(200)["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn the_owner_lets_keys_in_and_puts_them_out() {
    let fleet = Fleet::start(2).await;
    let (owner, member, second) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("second").await);
    let id = owner.restricted("claimable").await;
    let creator = members(&owner, &id).await;
    assert_eq!(creator.len(), 1);
    assert_eq!((creator[0]["key_id"].as_str(), &creator[0]["granted_via_invitation_id"]), (Some(owner.key_id.as_str()), &Value::Null));

    let added = add(&owner, &id, &format!(" {} ", member.key_id)).await.ok(201);
    assert_eq!((added["channel_id"].as_str(), added["key_id"].as_str()), (Some(id.as_str()), Some(member.key_id.as_str())));
    assert!(added["granted_at"].as_str().unwrap().ends_with('Z') && added["id"].is_string(), "{added}");
    assert_eq!(add(&owner, &id, &member.key_id).await.ok(201), added, "again changes nothing");
    add(&owner, &id, &second.key_id).await.ok(201);
    let all = members(&owner, &id).await;
    let keys: Vec<_> = all.iter().map(|m| m["key_id"].as_str().unwrap()).collect();
    assert_eq!(keys, [owner.key_id.as_str(), &member.key_id, &second.key_id], "the longest standing first");
    assert_eq!(all[1], added);

    assert_eq!(remove(&owner, &id, &member.key_id).await.ok(200), json!({ "status": "removed" }));
    remove(&owner, &id, &member.key_id).await.refused(404, "member_not_found");
    assert_eq!(members(&owner, &id).await.len(), 2);
    fleet.finish().await;
}

#[tokio::test]
async fn each_mistake_and_each_lack_of_rights_has_its_answer() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_MAX_MEMBERS_PER_CHANNEL", "3").start().await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let (open, restricted) = (owner.channel("claimable").await, owner.restricted("claimable").await);
    for channel in [&open, &restricted] {
        add(&owner, channel, &member.key_id).await.ok(201);
        let path = format!("/v1/channels/{channel}/members");
        assert_eq!(owner.post(&path, json!({})).await.refused(422, "missing_field")["field"], "key_id");
        assert_eq!(owner.post(&path, json!({ "key_id": 1 })).await.refused(422, "invalid_string")["field"], "key_id");
        for bad in ["x", member.key.as_str(), "bck_short"] {
            assert_eq!(add(&owner, channel, bad).await.refused(422, "invalid_key_id")["field"], "key_id");
        }
        add(&owner, channel, "bck_abcdefghijklmnop2345672345").await.refused(404, "key_not_found");
        remove(&owner, channel, &owner.key_id).await.refused(409, "cannot_remove_owner");
        remove(&owner, channel, "bck_abcdefghijklmnop2345672345").await.refused(404, "member_not_found");
        remove(&owner, channel, "nonsense").await.refused(404, "member_not_found");
        let refusal = if *channel == open { "forbidden" } else { "channel_access_denied" };
        for (who, whom, code) in [(&member, &owner, "forbidden"), (&stranger, &member, refusal)] {
            add(who, channel, &stranger.key_id).await.refused(403, code);
            remove(who, channel, &whom.key_id).await.refused(403, code);
            who.get(&path).await.refused(403, code);
        }
    }
    let gone = "ch_abcdefghij2345672345";
    add(&owner, gone, &member.key_id).await.refused(404, "channel_not_found");
    remove(&owner, gone, &member.key_id).await.refused(404, "channel_not_found");
    owner.get(&format!("/v1/channels/{gone}/members")).await.refused(404, "channel_not_found");

    let (third, fourth) = (fleet.agent("third").await, fleet.agent("fourth").await);
    add(&owner, &open, &third.key_id).await.ok(201);
    assert_eq!(add(&owner, &open, &fourth.key_id).await.refused(409, "quota_exceeded")["limit"], "members_per_channel");
    fourth.delete("/v1/keys/me").await.ok(200);
    remove(&owner, &open, &third.key_id).await.ok(200);
    add(&owner, &open, &fourth.key_id).await.refused(404, "key_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn members_are_listed_page_by_page_each_once_the_owner_first() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let id = owner.restricted("claimable").await;
    let mut joined = vec![owner.key_id.clone()];
    let invitation = owner.post(&format!("/v1/channels/{id}/invitations"), json!({})).await.ok(201)["id"].as_str().unwrap().to_owned();
    for n in 0..4 {
        let member = fleet.agent("member").await;
        if n == 1 {
            member.get(&format!("/v1/channel-invitations/{invitation}")).await.ok(200);
        } else {
            add(&owner, &id, &member.key_id).await.ok(201);
        }
        joined.push(member.key_id);
    }
    let path = format!("/v1/channels/{id}/members");
    let whole = owner.get(&path).await.ok(200);
    assert_eq!((&whole["limit"], &whole["next_cursor"]), (&json!(1000), &json!(null)), "as many as there are, unless asked otherwise");
    for limit in 1..=5 {
        let (mut seen, mut cursor) = (Vec::new(), "0".to_owned());
        loop {
            let page = owner.get(&format!("{path}?limit={limit}&cursor={cursor}")).await.ok(200);
            assert_eq!(page["limit"], limit);
            seen.extend(page["data"].as_array().unwrap().clone());
            let Some(next) = page["next_cursor"].as_str() else { break };
            next.clone_into(&mut cursor);
        }
        assert_eq!(json!(seen), whole["data"], "limit={limit}");
        assert_eq!(seen.iter().map(|member| member["key_id"].as_str().unwrap()).collect::<Vec<_>>(), joined);
    }
    for (query, code, field) in
        [("limit=0", "invalid_limit", "limit"), ("limit=1001", "invalid_limit", "limit"), ("cursor=x", "invalid_cursor", "cursor")]
    {
        assert_eq!(owner.get(&format!("{path}?{query}")).await.refused(422, code)["field"], field);
    }
    fleet.finish().await;
}

/// Whatever a stranger of a restricted channel might try with it.
fn all_uses(agent: &Agent, channel: &str, message: &str, lease: &str) -> Vec<Ask> {
    vec![
        agent.get(&format!("/v1/channels/{channel}")),
        agent.list(channel, ""),
        agent.list(channel, "status=unclaimed"),
        agent.list(channel, "status=claimed"),
        agent.list(channel, "wait=5"),
        agent.get(&format!("/v1/channels/{channel}/history")),
        agent.post_to(channel, json!({ "content": "x" })),
        agent.post("/v1/tasks/post", json!({ "channel": channel, "content": "x" })),
        agent.post("/v1/tasks/broadcast", json!({ "channel": channel, "content": "x" })),
        agent.post("/v1/tasks/subscribe", json!({ "channel": channel })),
        agent.claim(message),
        agent.claim_with_lease(message, 60),
        agent.claim_next(channel, json!({})),
        agent.claim_next(channel, json!({ "wait": 5 })),
        agent.release(message),
        agent.ack(message),
        agent.heartbeat(lease, 60),
        agent.delete(&format!("/v1/messages/{message}")),
    ]
}

#[tokio::test]
async fn a_restricted_channel_is_for_members_only_and_a_removed_one_is_refused_at_once() {
    let fleet = Fleet::start(2).await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let id = owner.restricted("claimable").await;
    owner.post(&format!("/v1/channels/{id}/aliases"), json!({ "alias": "the restricted one" })).await.ok(201);
    let (first, second) = (owner.post_message(&id, "one").await, owner.post_message(&id, "two").await);
    let lease = owner.claim_with_lease(&first, 600).await.ok(200)["lease_token"].as_str().unwrap().to_owned();
    for channel in [id.as_str(), "the restricted one"] {
        for ask in all_uses(&stranger, &channel.replace(' ', "%20"), &second, &lease).into_iter().take(7) {
            ask.await.refused(403, "channel_access_denied");
        }
    }
    for ask in all_uses(&stranger, &id, &second, &lease) {
        ask.await.refused(403, "channel_access_denied");
    }
    assert_eq!(owner.list(&id, "status=unclaimed").await.ok(200)["data"].as_array().unwrap().len(), 1, "nothing was done");

    add(&owner.on(0), &id, &member.key_id).await.ok(201);
    let there = member.on(1);
    assert_eq!(there.list(&id, "").await.ok(200)["data"].as_array().unwrap().len(), 2);
    let posted = there.post_message(&id, "by a member").await;
    there.claim(&second).await.ok(200);
    there.ack(&second).await.ok(200);
    let held = there.claim_with_lease(&posted, 600).await.ok(200)["lease_token"].as_str().unwrap().to_owned();
    there.get(&format!("/v1/channels/{id}/history")).await.ok(200);

    remove(&owner.on(0), &id, &member.key_id).await.ok(200);
    for ask in all_uses(&there, &id, &posted, &held) {
        ask.await.refused(403, "channel_access_denied");
    }
    // Closing an open channel shuts strangers out the same way.
    let open = owner.channel("broadcast").await;
    stranger.on(1).list(&open, "").await.ok(200);
    owner.on(0).patch(&format!("/v1/channels/{open}"), json!({ "access": "restricted" })).await.ok(200);
    stranger.on(1).list(&open, "").await.refused(403, "channel_access_denied");
    fleet.finish().await;
}

#[tokio::test]
async fn a_member_leaves_by_itself_and_its_waiting_calls_end() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50").start().await;
    let (owner, member, other) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("other").await);
    let id = owner.restricted("claimable").await;
    add(&owner, &id, &member.key_id).await.ok(201);
    add(&owner, &id, &other.key_id).await.ok(201);
    remove(&member, &id, &other.key_id).await.refused(403, "forbidden");
    let waiting = tokio::spawn(member.on(1).list(&id, "wait=50").into_future());
    crate::support::wait::eventually("it waits", std::time::Duration::from_secs(20), || async {
        fleet.metric(1, "backchannel_waiters").await == Some(1.0)
    })
    .await;
    // It reads once more after it has subscribed. Leaving before that read would make the test easier, never wrong.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(remove(&member.on(0), &id, &member.key_id).await.ok(200), json!({ "status": "removed" }));
    let told = tokio::time::timeout(std::time::Duration::from_secs(15), waiting).await.expect("told at once").unwrap();
    told.refused(403, "channel_access_denied");
    remove(&member, &id, &member.key_id).await.refused(403, "channel_access_denied");
    remove(&owner, &id, &owner.key_id).await.refused(409, "cannot_remove_owner");
    assert_eq!(members(&owner, &id).await.len(), 2);
    fleet.finish().await;
}
