//! What is said in a room stays there.

use std::time::Duration;

use serde_json::json;

use super::Room;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn nothing_of_a_room_but_ids_and_sizes_is_logged_or_counted() {
    let redis = RedisServer::start_private(&["--appendonly", "yes"]);
    let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_LOG_LEVEL", "debug").env("CH_POLL_TIMEOUT_MS", "200").start().await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.client.post(&room.path("join"), json!({ "token": room.token, "name": "ada-lovelace", "key_fp": "feedfacefeedface" }));
    let ada = ada.await.ok(200)["participant_id"].as_str().unwrap().to_owned();
    room.send(&ada, "sealed-and-secret").await.ok(200);
    room.poll(&ada, 0).await.ok(200);
    room.poll(&ada, 2).await.has_status(204);
    room.send(&ada, "").await.has_status(400);
    room.client.get(&format!("/c/{}?token={}", room.id, room.token)).await;
    room.poll(&ada, 0).header("Traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01").await.ok(200);
    // Refusals and troubles say no more.
    let poll = format!("{}?token={}&participant_id={ada}&since=", room.path("poll"), room.token);
    room.client.get(&format!("{poll}x")).await.has_status(400);
    room.client.ask(reqwest::Method::PUT, &poll).await.has_status(405);
    room.client.get(&format!("/c/{}%ff?token={}", room.id, room.token)).await.has_status(422);
    room.send(&ada, &format!("sealed-and-secret{}", "x".repeat(900_000))).await.has_status(413);
    room.client.get(&format!("/c/{}/bootstrap.sh?token={}", room.id, room.token)).await.has_status(200);
    room.leave(&ada).await.ok(200);
    redis.kill9();
    room.poll(&ada, 0).await.has_status(503);
    room.send(&ada, "sealed-and-secret").await.has_status(503);
    redis.restart();
    let logged = || (0..2).map(|replica| fleet.log(replica)).collect::<String>();
    eventually("what was asked is logged", Duration::from_secs(15), || async {
        ["/channels/{id}/poll", "sent to a room", &room.id].iter().all(|text| logged().contains(text))
    })
    .await;
    let metrics = fleet.client().get("/metrics").await.text;
    let logs = logged();
    for private in [&room.token, "sealed-and-secret", "ada-lovelace", "feedfacefeedface"] {
        assert!(!logs.contains(private) && !metrics.contains(private), "{private}");
    }
    // What is stored of the token does not open the room.
    let stored = fleet.redis().run::<Vec<Vec<u8>>>(&["HVALS", &format!("{}{{room:{}}}:room", fleet.prefix(), room.id)]);
    assert!(!stored.is_empty() && !stored.iter().any(|value| String::from_utf8_lossy(value).contains(&room.token)));
    fleet.finish().await;
}
