//! Coming in from several sides at once, over two replicas.

use futures::future::join_all;
use serde_json::json;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn of_many_answers_to_one_request_one_counts() {
    let fleet = Fleet::start(2).await;
    let (owner, worker) = (fleet.agent("owner").await, fleet.agent("worker").await);
    for _ in 0..5 {
        let id = owner.restricted("claimable").await;
        let asked =
            join_all((0..8).map(|i| worker.on(i % 2).post(&format!("/v1/channels/{id}/access-requests"), json!({})).into_future())).await;
        let mut requests: Vec<_> = asked.into_iter().map(|reply| reply.ok(202)["request_id"].as_str().unwrap().to_owned()).collect();
        requests.dedup();
        assert_eq!(requests.len(), 1, "all of them are one request");
        let answers = join_all((0..12).map(|i| {
            let verb = if i % 3 == 0 { "approve" } else { "deny" };
            owner.on(i % 2).post(&format!("/v1/channels/{id}/access-requests/{}/{verb}", requests[0]), json!({})).into_future()
        }))
        .await;
        let done: Vec<_> = answers.iter().filter(|reply| reply.status == 200).collect();
        assert_eq!(done.len(), 1, "{done:?}");
        let approved = done[0].body["status"] == "approved";
        for reply in answers.iter().filter(|reply| reply.status != 200) {
            assert_eq!((&reply.body["error"], &reply.body["status"]), (&json!("access_request_resolved"), &done[0].body["status"]));
        }
        assert_eq!(worker.list(&id, "").await.status == 200, approved);
        let events = owner.get(&format!("/v1/channels/{id}/events")).await.ok(200);
        assert_eq!(events["data"].as_array().unwrap().len(), usize::from(approved));
    }
    fleet.finish().await;
}

#[tokio::test]
async fn as_many_join_by_one_invitation_as_there_is_room_and_each_is_told_of_once() {
    let fleet = Fleet::builder().env("BACKCHANNEL_MAX_MEMBERS_PER_CHANNEL", "5").start().await;
    let owner = fleet.agent("owner").await;
    let id = owner.restricted("claimable").await;
    let invitation = owner.post(&format!("/v1/channels/{id}/invitations"), json!({})).await.ok(201);
    let path = format!("/v1/channel-invitations/{}", invitation["id"].as_str().unwrap());
    let agents = join_all((0..8).map(|_| fleet.agent("guest"))).await;
    let replies = join_all(agents.iter().flat_map(|agent| (0..4).map(|i| agent.on(i % 2).get(&path).into_future()))).await;
    let joined = replies.chunks(4).filter(|of_one| of_one.iter().all(|reply| reply.status == 200)).count();
    let refused = replies.chunks(4).filter(|of_one| of_one.iter().all(|reply| reply.body["error"] == "quota_exceeded")).count();
    assert_eq!((joined, refused), (4, 4), "the owner is the fifth; nobody is let in and then not");
    let events = owner.get(&format!("/v1/channels/{id}/events")).await.ok(200);
    assert_eq!(events["data"].as_array().unwrap().len(), 4);
    fleet.finish().await;
}

#[tokio::test]
async fn a_revoked_invitation_counts_on_every_replica_from_the_next_request_on() {
    let fleet = Fleet::start(2).await;
    let owner = fleet.agent("owner").await;
    let guests = join_all((0..10).map(|_| fleet.agent("guest"))).await;
    for (round, guest) in guests.iter().enumerate() {
        let id = owner.restricted("claimable").await;
        let invitation = owner.post(&format!("/v1/channels/{id}/invitations"), json!({})).on(round % 2).await.ok(201);
        let path = format!("/v1/channel-invitations/{}", invitation["id"].as_str().unwrap());
        owner.delete(&path).on(round % 2).await.ok(200);
        guest.on((round + 1) % 2).get(&path).await.refused(410, "invitation_revoked");
        guest.list(&id, "").await.refused(403, "channel_access_denied");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn channels_made_at_the_same_time_are_all_found_page_by_page() {
    let fleet = Fleet::start(2).await;
    let agents = join_all((0..4).map(|_| fleet.agent("maker"))).await;
    let made = join_all((0..60).map(|i| {
        let agent = agents[i % 4].on(i / 4 % 2);
        async move { agent.channel("broadcast").await }
    }))
    .await;
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = agents[0].get(&format!("/v1/channels?limit=7&cursor={cursor}")).await.ok(200);
        found.extend(page["data"].as_array().unwrap().iter().map(|c| c["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next_cursor"].as_str() else { break };
        cursor = next.to_owned();
    }
    assert_eq!(found.len(), made.len(), "none twice");
    assert!(made.iter().all(|id| found.contains(id)), "none left out");
    fleet.finish().await;
}
