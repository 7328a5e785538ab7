//! `/v1/channels/{id}/events`

use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;

async fn events(owner: &Agent, channel: &str, query: &str) -> Value {
    owner.get(&format!("/v1/channels/{channel}/events?{query}")).await.ok(200)
}

#[tokio::test]
async fn the_owner_reads_who_came_and_went_in_order_and_goes_on_at_the_cursor() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    let id = owner.restricted("claimable").await;
    let path = format!("/v1/channels/{id}");
    let none = events(&owner, &id, "").await;
    assert_eq!(none, json!({ "data": [], "limit": 50, "next_cursor": null }), "that the creator is a member is no event");

    let asked = worker.post(&format!("{path}/access-requests"), json!({})).await.ok(202);
    owner.post(&format!("{path}/access-requests/{}/approve", asked["request_id"].as_str().unwrap()), json!({})).await.ok(200);
    worker.delete(&format!("{path}/members/{}", worker.key_id)).await.ok(200);
    let invitation = owner.post(&format!("{path}/invitations"), json!({})).await.ok(201);
    let invitation = invitation["id"].as_str().unwrap();
    for _ in 0..2 {
        worker.get(&format!("/v1/channel-invitations/{invitation}")).await.ok(200);
    }
    owner.delete(&format!("/v1/channel-invitations/{invitation}")).await.ok(200);
    owner.delete(&format!("{path}/members/{}", worker.key_id)).await.ok(200);
    owner.post(&format!("{path}/members"), json!({ "key_id": worker.key_id })).await.ok(201);

    let page = events(&owner, &id, "").await;
    let all = page["data"].as_array().unwrap();
    let told: Vec<_> =
        all.iter().map(|e| ["event_type", "actor_key_id", "subject_key_id", "invitation_id"].map(|f| e[f].clone())).collect();
    let (by_owner, by_worker) = (json!(owner.key_id), json!(worker.key_id));
    let expected = [
        [json!("member_added"), by_owner.clone(), by_worker.clone(), Value::Null],
        [json!("member_removed"), by_worker.clone(), by_worker.clone(), Value::Null],
        [json!("invitation_resolved"), by_worker.clone(), by_worker.clone(), json!(invitation)],
        [json!("invitation_revoked"), by_owner.clone(), Value::Null, json!(invitation)],
        [json!("member_removed"), by_owner.clone(), by_worker.clone(), Value::Null],
        [json!("member_added"), by_owner, by_worker, Value::Null],
    ];
    assert_eq!(told, expected);
    let first = &all[0];
    assert_eq!((&first["channel_id"], &first["metadata"]), (&json!(id), &json!({})));
    let at = |field: &str| first[field].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_second();
    assert_eq!(at("expires_at") - at("created_at"), 86_400);
    let mut ids: Vec<_> = all.iter().map(|e| e["id"].as_str().unwrap()).collect();
    ids.dedup();
    assert_eq!(ids.len(), 6);

    let mut seen = Vec::new();
    let mut cursor = String::new();
    for name in ["since", "cursor"].into_iter().cycle() {
        let page = events(&owner, &id, &format!("limit=2&{name}={cursor}")).await;
        let Some(last) = page["data"].as_array().unwrap().last() else {
            assert_eq!(page["next_cursor"], cursor, "an empty page gives back what was sent");
            break;
        };
        assert_eq!(page["next_cursor"], last["created_at"]);
        seen.extend(page["data"].as_array().unwrap().clone());
        cursor = page["next_cursor"].as_str().unwrap().to_owned();
    }
    assert_eq!(&seen, all);
    fleet.finish().await;
}

#[tokio::test]
async fn events_are_for_the_owner_only_and_their_query_is_checked() {
    let fleet = Fleet::start(1).await;
    let (owner, member, stranger) = (fleet.agent("owner").await, fleet.agent("member").await, fleet.agent("stranger").await);
    let id = owner.restricted("claimable").await;
    owner.post(&format!("/v1/channels/{id}/members"), json!({ "key_id": member.key_id })).await.ok(201);
    let path = format!("/v1/channels/{id}/events");
    member.get(&path).await.refused(403, "forbidden");
    stranger.get(&path).await.refused(403, "channel_access_denied");
    owner.get("/v1/channels/nowhere/events").await.refused(404, "channel_not_found");
    for (query, code, field) in [
        ("limit=0", "invalid_limit", "limit"),
        ("limit=101", "invalid_limit", "limit"),
        ("since=yesterday", "invalid_cursor", "since"),
        ("cursor=1", "invalid_cursor", "cursor"),
    ] {
        assert_eq!(owner.get(&format!("{path}?{query}")).await.refused(422, code)["field"], field, "{query}");
    }
    assert_eq!(owner.get(&format!("{path}?since=0")).await.ok(200)["data"].as_array().unwrap().len(), 1);
    owner.delete(&format!("/v1/channels/{id}")).await.ok(204);
    owner.get(&path).await.refused(404, "channel_not_found");
    fleet.finish().await;
}
