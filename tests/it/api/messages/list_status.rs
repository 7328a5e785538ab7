//! `GET …/messages?status=`

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn unclaimed_is_what_can_be_claimed_and_claimed_is_held_or_done() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    let mut m = Vec::new();
    for i in 0..6 {
        m.push(agent.post_message(&id, &i.to_string()).await);
    }
    agent.claim(&m[0]).await.ok(200); // held
    agent.claim(&m[1]).await.ok(200);
    agent.ack(&m[1]).await.ok(200); // done
    agent.claim(&m[2]).await.ok(200);
    agent.release(&m[2]).await.ok(200); // open again
    agent.claim_with_lease(&m[3], 300).await.ok(200); // held
    agent.claim_with_lease(&m[4], 1).await.ok(200); // will run out
    eventually("the lease runs out", Duration::from_secs(15), || async {
        ids(&agent.list(&id, "status=claimed").await.ok(200)) == [m[0].clone(), m[1].clone(), m[3].clone()]
    })
    .await;
    for replica in 0..2 {
        let open = agent.on(replica).list(&id, "status=unclaimed").await.ok(200);
        assert_eq!(ids(&open), [m[2].clone(), m[4].clone(), m[5].clone()]);
        assert!(open["data"].as_array().unwrap().iter().all(|m| m["state"] == "open" && m["claimed_by"].is_null()));
    }
    let states: Vec<_> = agent.list(&id, "").await.ok(200)["data"].as_array().unwrap().iter().map(|m| m["state"].clone()).collect();
    assert_eq!(states, ["claimed", "done", "open", "claimed", "open", "open"]);
    let page = agent.list(&id, "status=unclaimed&limit=1").await.ok(200);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&agent.list(&id, &format!("status=unclaimed&cursor={cursor}")).await.ok(200)), m[4..]);
    let page = agent.list(&id, "status=claimed&limit=2").await.ok(200);
    assert_eq!(ids(&page), m[..2]);
    let cursor = page["next_cursor"].as_str().unwrap();
    assert_eq!(ids(&agent.list(&id, &format!("status=claimed&cursor={cursor}")).await.ok(200)), m[3..4]);
    assert_eq!(agent.list(&id, &format!("status=claimed&cursor={}", "2100-01-01T00:00:00Z")).await.ok(200)["gap"], true);

    let broadcast = agent.channel("broadcast").await;
    let shown = agent.post_message(&broadcast, "x").await;
    agent.ack(&shown).await.ok(200);
    assert_eq!(ids(&agent.list(&broadcast, "status=unclaimed").await.ok(200)), [shown]);
    assert_eq!(agent.list(&broadcast, "status=claimed").await.ok(200)["data"], json!([]));
    fleet.finish().await;
}

#[tokio::test]
async fn looking_for_claimed_ones_among_many_goes_on_by_next_cursor() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    for _ in 0..12 {
        let posts = join_all((0..100).map(|_| agent.post_to(&id, json!({ "content": "x" })).into_future())).await;
        assert!(posts.iter().all(|p| p.status == 201));
    }
    let last = agent.post_message(&id, "the one that is claimed").await;
    agent.claim(&last).await.ok(200);
    let (mut pages, mut cursor) = (0, String::new());
    let found = loop {
        let page = agent.list(&id, &format!("status=claimed&cursor={cursor}")).await.ok(200);
        pages += 1;
        if !ids(&page).is_empty() {
            break ids(&page);
        }
        let next = page["next_cursor"].as_str().expect("a short page says where to go on");
        assert!(next > cursor.as_str(), "it gets on");
        cursor = next.to_owned();
    };
    assert_eq!(found, [last]);
    assert!((2..=5).contains(&pages), "bounded work a call, {pages} calls");
    fleet.finish().await;
}
