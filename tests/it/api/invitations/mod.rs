//! `/v1/channels/{id}/invitations` and `/v1/channel-invitations/{id}`

mod limit;

use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;
use crate::support::keyspace;

fn invite(agent: &Agent, channel: &str) -> Ask {
    agent.post(&format!("/v1/channels/{channel}/invitations"), json!({}))
}

fn path(invitation: &Value) -> String {
    format!("/v1/channel-invitations/{}", invitation["id"].as_str().expect("an id"))
}

#[tokio::test]
async fn who_is_handed_the_url_joins_with_its_own_key_any_number_of_times() {
    let fleet = Fleet::start(2).await;
    let (owner, first, second) = (fleet.agent("owner").await, fleet.agent("first").await, fleet.agent("second").await);
    let fields = json!({ "name": "reviews", "mode": "broadcast", "access": "restricted", "description": "what we found" });
    let id = owner.channel_with(fields).await;
    let made = invite(&owner, &id).on(0).await.ok(201);
    let url = made["resolve_url"].as_str().unwrap();
    assert!(url.starts_with("http://") && url.ends_with(&path(&made)), "{url}");
    assert!(!url.contains(&id[3..]), "it does not say which channel");
    assert_eq!((&made["owner_id"], &made["created_by_key_id"]), (&json!(owner.label), &json!(owner.key_id)));
    assert_eq!((&made["active"], &made["revoked_at"]), (&json!(true), &Value::Null));
    let seconds = |field: &str| made[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(seconds("expires_at") - seconds("created_at"), 86_400);
    let secret = made["id"].as_str().unwrap().trim_start_matches("inv_");
    assert!(secret.len() * 5 >= 128, "{secret}: base32, five bits a character");

    // Without a key nothing is said of the channel.
    let unknown = fleet.client().get(&path(&made)).await.refused(401, "api_key_required");
    assert!(unknown["redirect_to"].as_str().unwrap().starts_with("http://"), "{unknown}");
    assert!(!unknown.to_string().contains(&id) && !unknown.to_string().contains("reviews"), "{unknown}");
    fleet.client().with_key("bck_nonsense").get(&path(&made)).await.refused(401, "unauthorized");
    fleet.client().get(&path(&made)).header("Authorization", "Bearer x").await.refused(401, "unauthorized");

    for agent in [&first, &second, &first] {
        let joined = agent.on(1).get(&path(&made)).await.ok(200);
        let channel = json!({ "id": id, "name": "reviews", "mode": "broadcast", "description": "what we found" });
        assert_eq!((&joined["channel"], &joined["id"]), (&channel, &made["id"]));
        agent.on(0).list(&id, "").await.ok(200);
    }
    let members = owner.get(&format!("/v1/channels/{id}/members")).await.ok(200);
    let by = |i: usize| (members["data"][i]["key_id"].clone(), members["data"][i]["granted_via_invitation_id"].clone());
    assert_eq!(members["data"].as_array().unwrap().len(), 3);
    assert_eq!(by(1), (json!(first.key_id), made["id"].clone()));
    assert_eq!(by(2), (json!(second.key_id), made["id"].clone()));
    owner.get(&path(&made)).await.ok(200);
    fleet.finish().await;
}

#[tokio::test]
async fn a_revoked_invitation_lets_nobody_in_and_puts_nobody_out() {
    let fleet = Fleet::start(2).await;
    let (owner, member, late) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("late").await);
    let id = owner.restricted("claimable").await;
    let made = invite(&owner, &id).await.ok(201);
    late.delete(&path(&made)).await.refused(403, "forbidden");
    member.get(&path(&made)).await.ok(200);
    member.delete(&path(&made)).await.refused(403, "forbidden");
    let revoked = owner.on(0).delete(&path(&made)).await.ok(200);
    assert_eq!((&revoked["active"], revoked["revoked_at"].is_string()), (&json!(false), true));
    assert_eq!(owner.delete(&path(&made)).await.ok(200), revoked, "again changes nothing");
    for agent in [&late, &member] {
        let refused = agent.on(1).get(&path(&made)).await.refused(410, "invitation_revoked");
        assert!(!refused.to_string().contains(&id), "{refused}");
    }
    member.list(&id, "").await.ok(200);
    late.list(&id, "").await.refused(403, "channel_access_denied");
    fleet.finish().await;
}

#[tokio::test]
async fn each_mistake_and_each_lack_of_rights_has_its_answer() {
    let fleet =
        Fleet::builder().env("BACKCHANNEL_MAX_INVITATIONS_PER_CHANNEL", "2").env("BACKCHANNEL_MAX_MEMBERS_PER_CHANNEL", "2").start().await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let (open, restricted) = (owner.channel("claimable").await, owner.restricted("claimable").await);
    let to_open = invite(&owner, &open).await.ok(201);
    let made = invite(&owner, &restricted).await.ok(201);
    member.get(&path(&made)).await.ok(200);
    assert_eq!(stranger.get(&path(&made)).await.refused(409, "quota_exceeded")["limit"], "members_per_channel");
    stranger.list(&restricted, "").await.refused(403, "channel_access_denied");
    invite(&member, &restricted).await.refused(403, "forbidden");
    invite(&stranger, &restricted).await.refused(403, "channel_access_denied");
    invite(&stranger, &open).await.refused(403, "forbidden");
    invite(&owner, "nowhere").await.refused(404, "channel_not_found");
    invite(&owner, &restricted).await.ok(201);
    assert_eq!(invite(&owner, &restricted).await.refused(409, "quota_exceeded")["limit"], "invitations_per_channel");

    for unknown in ["nonsense", "inv_x", "inv_abcdefghijklmnop2345672345", restricted.as_str()] {
        stranger.get(&format!("/v1/channel-invitations/{unknown}")).await.refused(404, "invitation_not_found");
        stranger.delete(&format!("/v1/channel-invitations/{unknown}")).await.refused(404, "invitation_not_found");
    }
    // An open channel needs no members, so it makes none.
    assert_eq!(stranger.get(&path(&to_open)).await.ok(200)["channel"]["id"], open);
    assert_eq!(owner.get(&format!("/v1/channels/{open}/members")).await.ok(200)["data"].as_array().unwrap().len(), 1);
    fleet.finish().await;
}

#[tokio::test]
async fn an_invitation_to_a_deleted_channel_is_none() {
    let fleet = Fleet::start(2).await;
    let (owner, late) = (fleet.agent("owner").await, fleet.agent("late").await);
    let id = owner.restricted("claimable").await;
    let made = invite(&owner, &id).await.ok(201);
    owner.post(&format!("/v1/channels/{id}/invitations"), json!({})).once("k").await.ok(201);
    owner.delete(&format!("/v1/channels/{id}")).await.ok(204);
    late.get(&path(&made)).await.refused(404, "invitation_not_found");
    owner.delete(&path(&made)).await.refused(404, "invitation_not_found");
    let left = keyspace::keys(&mut fleet.redis().conn(), &format!("{}{{{id}}}:*", fleet.prefix()));
    assert!(left.iter().all(|key| key.ends_with(":gone") || key.contains(":idem:")), "{left:?}");
    fleet.finish().await;
}

/// What a day does, without waiting for it: the store's own times are moved back.
#[tokio::test]
async fn an_invitation_ends_after_a_day() {
    let fleet = Fleet::start(1).await;
    let (owner, late) = (fleet.agent("owner").await, fleet.agent("late").await);
    let id = owner.restricted("claimable").await;
    let made = invite(&owner, &id).await.ok(201);
    let invitation = made["id"].as_str().unwrap();
    let route = format!("{}{{{invitation}}}:route", fleet.prefix());
    let value: String = fleet.redis().run(&["GET", &route]);
    let at: u64 = value.split('\u{1f}').nth(1).unwrap().parse().unwrap();
    let day = 86_400_000_000;
    fleet.redis().run::<String>(&["SET", &route, &format!("{id}\u{1f}{}", at - day), "KEEPTTL"]);
    late.get(&path(&made)).await.refused(410, "invitation_expired");
    owner.delete(&path(&made)).await.refused(410, "invitation_expired");
    fleet.redis().run::<String>(&["SET", &route, &value, "KEEPTTL"]);
    late.get(&path(&made)).await.ok(200);
    fleet.finish().await;
}
