//! What is said in a room stays there.

use serde_json::json;

use super::Room;
use crate::support::fleet::Fleet;

#[tokio::test]
async fn nothing_of_a_room_but_ids_and_sizes_is_logged_or_counted() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LOG_LEVEL", "debug").env("CH_POLL_TIMEOUT_MS", "200").start().await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.client.post(&room.path("join"), json!({ "token": room.token, "name": "ada-lovelace", "key_fp": "feedfacefeedface" }));
    let ada = ada.await.ok(200)["participant_id"].as_str().unwrap().to_owned();
    room.send(&ada, "sealed-and-secret").await.ok(200);
    room.poll(&ada, 0).await.ok(200);
    room.poll(&ada, 2).await.has_status(204);
    room.send(&ada, "").await.has_status(400);
    room.client.get(&format!("/c/{}?token={}", room.id, room.token)).await;
    room.leave(&ada).await.ok(200);
    let metrics = fleet.client().get("/metrics").await.text;
    let logs: String = (0..2).map(|replica| fleet.log(replica)).collect();
    assert!(logs.contains("/channels/{id}/poll") && logs.contains("sent to a room") && logs.contains(&room.id), "{logs}");
    for private in [&room.token, "sealed-and-secret", "ada-lovelace", "feedfacefeedface"] {
        assert!(!logs.contains(private) && !metrics.contains(private), "{private}");
    }
    // What is stored of the token does not open the room.
    let stored = fleet.redis().run::<Vec<String>>(&["HVALS", &format!("{}{{room:{}}}:room", fleet.prefix(), room.id)]);
    assert!(!stored.is_empty() && !stored.contains(&room.token));
    fleet.finish().await;
}
