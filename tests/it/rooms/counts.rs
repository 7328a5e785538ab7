//! `/health` and `/metrics`: rooms of the fleet, the same on every replica.

use std::time::Duration;

use serde_json::{Value, json};

use super::Room;
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

async fn health(fleet: &Fleet, replica: usize) -> Value {
    fleet.client_on(replica).get("/health").await.ok(200)
}

#[tokio::test]
async fn rooms_are_counted_over_the_fleet_through_their_whole_life() {
    // Both rooms are to be awake until both replicas have counted them so.
    let fleet =
        Fleet::builder().env("CH_IDLE_TIMEOUT_MS", "15000").env("CH_HIBERNATE_MAX_MS", "1500").env("CH_MAX_MESSAGES", "9").start().await;
    let empty = health(&fleet, 0).await;
    assert_eq!((&empty["ok"], &empty["channels"], &empty["total_messages_sent"]), (&json!(true), &json!(0), &json!(0)));
    let none = json!({ "idle": 0, "max_lifetime": 0, "max_messages": 0, "hibernate_expired": 0 });
    assert_eq!(empty["evictions"], none);
    let rooms = [Room::make(&fleet.client()).await, Room::make(&fleet.client()).await];
    let (ada, bob) = (rooms[0].joined("ada").await, rooms[0].joined("bob").await);
    for _ in 0..3 {
        rooms[0].send(&ada, "x").await.ok(200);
    }
    rooms[0].leave(&bob).await.ok(200);
    let numbers = |health: &Value| {
        ["channels", "channels_hibernating", "total_participants", "total_messages", "total_channels_created", "total_messages_sent"]
            .map(|name| health[name].as_u64().unwrap())
    };
    for replica in 0..2 {
        eventually("both replicas count the same", Duration::from_secs(15), || async {
            numbers(&health(&fleet, replica).await) == [2, 0, 1, 6, 2, 3]
        })
        .await;
    }
    for _ in 0..3 {
        rooms[0].send(&ada, "x").await.ok(200);
    }
    eventually("the full room has ended, the other one fell asleep and ended", Duration::from_secs(60), || async {
        let now = health(&fleet, 1).await;
        let ended = json!({ "idle": 1, "max_lifetime": 0, "max_messages": 1, "hibernate_expired": 1 });
        numbers(&now) == [0, 0, 0, 0, 2, 6] && now["evictions"] == ended && now["total_hibernations"] == 1
    })
    .await;
    let page = fleet.client().get("/metrics").await.has_status(200).text;
    for line in [
        "agentalk_channels 0",
        "agentalk_participants 0",
        "agentalk_channels_created_total 2",
        "agentalk_messages_sent_total 6",
        "agentalk_evictions_total{reason=\"idle\"} 1",
        "agentalk_evictions_total{reason=\"max_lifetime\"} 0",
        "agentalk_evictions_total{reason=\"max_messages\"} 1",
        "agentalk_evictions_total{reason=\"hibernate_expired\"} 1",
        "agentalk_ratelimit_rejections_total{kind=\"concurrent_channels\"} 0",
        "agentalk_tracked_ips 1",
    ] {
        assert!(page.lines().any(|l| l == line), "{line}\n{page}");
    }
    assert!(page.contains("agentalk_uptime_seconds "));
    for sample in page.lines().filter(|l| l.starts_with("agentalk_")) {
        let name = sample.split(['{', ' ']).next().unwrap();
        for kind in ["HELP", "TYPE"] {
            assert!(page.contains(&format!("# {kind} {name} ")), "{kind} of {name}");
        }
    }
    fleet.finish().await;
}
