//! Failover to a Redis that lost what was said last: nobody misses in silence what is said afterwards.
#![cfg(target_os = "linux")]

use std::time::Duration;

use serde_json::{Value, json};

use super::{Room, entries, insist};
use crate::faults::failover::Pair;
use crate::support::fleet::Fleet;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// What was said, by index, of a page that begins again.
#[track_caller]
fn begins_again(reply: Reply) -> Vec<String> {
    let page = reply.ok(200);
    assert_eq!(page["reset"], json!(true), "{page}");
    let said = page["messages"].as_array().expect("a page");
    let indexes: Vec<u64> = entries(&page).iter().map(|(index, ..)| *index).collect();
    assert_eq!((indexes, &page["cursor"]), ((0..said.len() as u64).collect(), &json!(said.len())), "all that is retained");
    said.iter().filter_map(|m| m["text"].as_str().map(str::to_owned)).collect()
}

/// What was said, of a page that begins again and the one behind it.
async fn goes_on(room: &Room, who: &str, first: Reply) -> Vec<String> {
    let cursor = first.body["cursor"].as_u64().expect("a number");
    let mut said = begins_again(first);
    let rest = room.poll(who, cursor).await.ok(200);
    assert_eq!(rest.get("reset"), None, "{rest}");
    said.extend(rest["messages"].as_array().expect("a page").iter().filter_map(|m| m["text"].as_str().map(str::to_owned)));
    said
}

async fn say(fleet: &Fleet, replica: usize, room: &Room, who: &str, text: &str) -> Value {
    let reply = insist(|| room.send(who, text).on(replica)).await.ok(200);
    assert!(fleet.size() > replica);
    reply["index"].clone()
}

#[tokio::test]
async fn who_had_read_what_a_failover_lost_is_given_what_is_left_and_what_was_said_since() {
    let pair = Pair::start().await;
    let fleet = pair.fleet().await;
    let room = Room::make(&fleet.client()).await;
    let mut people = Vec::new();
    for name in ["ada", "bob", "carol", "dave"] {
        people.push(room.joined(name).await);
    }
    let [ada, bob, carol, dave] = [&people[0], &people[1], &people[2], &people[3]];
    say(&fleet, 0, &room, ada, "kept").await;
    // Dave has read what is kept, and no more.
    assert_eq!(entries(&room.poll(dave, 0).await.ok(200)).len(), 5);
    pair.stop_following().await;
    assert_eq!(say(&fleet, 0, &room, ada, "lost").await, 5);
    assert_eq!(say(&fleet, 1, &room, ada, "lost too").await, 6);
    let late = room.joined("late").await;
    assert_eq!(entries(&room.poll(bob, 0).await.ok(200)).len(), 8);
    let parked = tokio::spawn({
        let (room, carol) = (room.clone(), carol.clone());
        async move { insist(|| room.poll(&carol, 8).on(1)).await }
    });
    eventually("carol waits", Duration::from_secs(15), || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;
    pair.fail_over();

    // The lost indexes are given out again, beyond the one at which Bob goes on: nothing of that may pass him by.
    for (index, text) in [(5, "new 5"), (6, "new 6"), (7, "new 7"), (8, "new 8")] {
        assert_eq!(say(&fleet, index % 2, &room, ada, text).await, index);
    }
    let all = ["kept", "new 5", "new 6", "new 7", "new 8"];
    // The first answer may get lost on its way: who asks again is told again, by whatever replica.
    assert_eq!(begins_again(insist(|| room.poll(bob, 8).on(0)).await), all[..3]);
    assert_eq!(goes_on(&room, bob, insist(|| room.poll(bob, 8).on(1)).await).await, all);
    // Who waited is told when its replica sees the other store; it reads on from there.
    assert_eq!(goes_on(&room, carol, parked.await.expect("it is answered")).await, all);
    // Who was not ahead goes on without a break, and so does who was given the new beginning.
    for (who, since, count) in [(dave, 5, 4), (bob, 8, 1)] {
        let page = insist(|| room.poll(who, since)).await.ok(200);
        assert_eq!((page.get("reset"), entries(&page).len()), (None, count), "{page}");
    }
    insist(|| room.send(&late, "x")).await.has_status(400); // that it joined is lost: it joins again
    room.joined("late").await;
    fleet.finish().await;
}
