//! What sweeps take out of the index of outboxes, and what they leave in it.

use std::time::{SystemTime, UNIX_EPOCH};

use backchannel::ids::ChannelId;
use backchannel::store::keyspace::{Keyspace, OUTBOX_PARTS};
use serde_json::json;

use super::{HOOK, SOON};
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// The part of the index that a channel belongs to.
fn part(fleet: &Fleet, channel: &str) -> String {
    let keys = Keyspace::new(fleet.prefix());
    let slot = format!("{:?}", keys.outboxes(&ChannelId::parse(channel).expect("a channel")));
    let of = (0..OUTBOX_PARTS).find(|n| format!("{:?}", keys.outboxes_part(*n)) == slot).expect("a part");
    format!("{}{{outboxes:{of}}}:index", fleet.prefix())
}

/// Puts a channel into the index as if a replica had done so that many minutes ago.
fn enter(fleet: &Fleet, channel: &str, minutes: u64) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_micros();
    let at = now - u128::from(minutes) * 60_000_000;
    fleet.redis().run::<u64>(&["ZADD", &part(fleet, channel), &at.to_string(), channel]);
}

fn is_indexed(fleet: &Fleet, channel: &str) -> bool {
    fleet.redis().run::<Option<String>>(&["ZSCORE", &part(fleet, channel), channel]).is_some()
}

#[tokio::test]
async fn a_sweep_takes_out_what_is_over_and_leaves_what_is_young_or_has_a_webhook() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let ended = |minutes: u64| {
        let channel = ChannelId::generate().as_str().to_owned(); // as one that ended by itself
        enter(&fleet, &channel, minutes);
        channel
    };
    // Some relied on for ten minutes, some for longer than any replica does; enough of them that pages shift while entries leave.
    let young: Vec<String> = [0, 5, 9, 10].into_iter().map(ended).collect();
    let old: Vec<String> = (0..300).map(|n| ended(25 + n)).collect();
    let (bare, wanted) = (owner.channel("broadcast").await, owner.channel_with(json!({ "mode": "broadcast", "webhook_url": HOOK })).await);
    let waits = owner.channel("broadcast").await;
    for channel in [&bare, &wanted, &waits] {
        enter(&fleet, channel, 60);
    }
    let outbox = format!("{}{{{waits}}}:outbox", fleet.prefix());
    let told = "mention\u{1f}1760000000000000\u{1f}act_oooooooooooooooocccccccccc\u{1f}";
    let _: String = fleet.redis().run(&["XADD", &outbox, "*", "e", told]);

    let worker = Worker::start(&fleet, &[]).await;
    eventually("all that is over is out", SOON, || async { !old.iter().chain([&bare, &waits]).any(|c| is_indexed(&fleet, c)) }).await;
    assert_eq!(fleet.redis().run::<u64>(&["XLEN", &outbox]), 0, "what waited was handed over before");
    let sweeps = worker.metric("backchannel_webhook_sweeps_total").await;
    let again = f64::from(OUTBOX_PARTS) * 2.0;
    eventually("all parts are swept again", SOON, || async { worker.metric("backchannel_webhook_sweeps_total").await >= sweeps + again })
        .await;
    for channel in young.iter().chain([&wanted]) {
        assert!(is_indexed(&fleet, channel), "{channel} is relied on");
    }
    fleet.abandon(); // the young ones are of no channel
}
