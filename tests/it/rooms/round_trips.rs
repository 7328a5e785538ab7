//! What calls of rooms cost Redis.

use std::time::{Duration, Instant};

use super::Room;
use crate::support::count::Count;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

const ROUNDS: u64 = 12;

/// Scripts that are no part of a call: a room that a replica changed is counted within a second, by two scripts; now and then one looks for rooms that
/// are due. At most so many in this time, with two replicas.
fn besides(began: Instant) -> u64 {
    3 * 2 * (2 * began.elapsed().as_secs() + 2)
}

#[tokio::test]
async fn a_send_is_one_script_and_two_where_an_address_is_limited_and_a_poll_is_one() {
    for (limit, scripts) in [("0", 1), ("1000000", 2)] {
        let redis = RedisServer::start_private(&[]);
        let fleet = Fleet::builder().redis(&redis).env("RL_MESSAGES_PER_HOUR", limit).start().await;
        let room = Room::make(&fleet.client()).await;
        let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
        for replica in 0..2 {
            room.send(&ada, "the script has to be sent itself").on(replica).await.ok(200);
            room.poll(&bob, 0).on(replica).await.ok(200);
        }
        let (began, mut least, count) = (Instant::now(), u64::MAX, Count::start(&redis));
        for n in 0..ROUNDS {
            let count = Count::start(&redis);
            room.send(&ada, "x").on((n % 2) as usize).await.ok(200);
            least = least.min(count.scripts());
        }
        let sends = count.scripts();
        assert!(least == scripts && sends <= scripts * ROUNDS + besides(began), "send: {least} at least, {sends} for {ROUNDS}");

        let (began, mut least, count) = (Instant::now(), u64::MAX, Count::start(&redis));
        for n in 0..ROUNDS {
            let count = Count::start(&redis);
            room.poll(&bob, 4).on((n % 2) as usize).await.ok(200);
            least = least.min(count.scripts());
        }
        let polls = count.scripts();
        assert!(least == 1 && polls <= ROUNDS + besides(began), "poll: {least} at least, {polls} for {ROUNDS}");

        // Who reads on: one look before it sleeps, since its replica listens already; what wakes it brings the entry. The first time it looks, listens, looks.
        let (began, mut least, count) = (Instant::now(), u64::MAX, Count::start(&redis));
        for (round, cursor) in (4 + ROUNDS..).take(ROUNDS as usize).enumerate() {
            let count = Count::start(&redis);
            let parked = tokio::spawn(room.poll(&bob, cursor).on(1).into_future());
            eventually("it has looked", Duration::from_secs(15), || async { count.scripts() > 0 }).await;
            room.send(&ada, "x").on(0).await.ok(200);
            assert_eq!(parked.await.unwrap().ok(200)["cursor"], cursor + 1);
            least = least.min(if round > 0 { count.scripts() } else { u64::MAX });
        }
        let rounds = count.scripts();
        let each = scripts + 1;
        assert!(least == each && rounds <= each * ROUNDS + 1 + besides(began), "read on: {least} at least, {rounds} for {ROUNDS}");
        fleet.finish().await;
    }
}

/// As a table it would take 600 bytes instead of 240. One value of more than 64 bytes makes it one.
#[tokio::test]
async fn a_room_is_kept_as_a_list_by_redis() {
    let fleet = Fleet::start(1).await;
    let room = Room::make(&fleet.client()).await;
    let ada = room.joined("ada").await;
    room.send(&ada, "x").await.ok(200);
    let key = format!("{}{{room:{}}}:room", fleet.prefix(), room.id);
    assert_eq!(fleet.redis().run::<String>(&["OBJECT", "ENCODING", &key]), "listpack");
    fleet.finish().await;
}
