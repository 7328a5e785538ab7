//! Workers and replicas that die, Redis that restarts: each event arrives, with the same id, and more than once only where something died
//! between the receiver's answer and the note of it.

use std::time::Duration;

use backchannel::store::keyspace::JOB_QUEUES;

use super::{SOON, hooked, post_many};
use crate::support::cut::Cut;
use crate::support::fleet::Fleet;
use crate::support::receiver::{Receiver, Says};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// A worker that is taken for dead after 51 s; adoption is looked for every 5. Receivers answer within a second, on a busy machine some later:
/// a try that ran out of time would be made again though nothing died.
const SHORT_TRIES: (&str, &str) = ("BACKCHANNEL_WEBHOOK_TIMEOUT_SECONDS", "6");
const ADOPTED: Duration = Duration::from_secs(120);

/// Jobs in all streams of the fleet.
fn jobs_left(fleet: &Fleet) -> u64 {
    (0..JOB_QUEUES).map(|queue| fleet.redis().run::<u64>(&["XLEN", &format!("{}{{jobs:{queue}}}:jobs", fleet.prefix())])).sum()
}

/// Killed between the receiver's 200 and the note of it.
#[tokio::test]
async fn what_a_killed_worker_was_delivering_is_delivered_by_another() {
    let fleet = Fleet::start(1).await;
    let cut = Cut::before(fleet.redis());
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    receiver.says(Says::After(Duration::from_millis(600)));
    let mut first = Worker::start(&fleet, &[SHORT_TRIES, ("BACKCHANNEL_REDIS_URL", &cut.url())]).await;
    let contents = post_many(&owner, &channel, 12).await;
    receiver.holds_one().await;
    cut.black_hole();
    receiver.holds_none().await;
    first.kill9();
    receiver.says(Says::Status(200));
    let _second = Worker::start(&fleet, &[SHORT_TRIES]).await;
    receiver.gets_all(&contents, ADOPTED).await;

    let got = receiver.got();
    let twice = got.len() - contents.len();
    assert!((1..=8).contains(&twice), "{twice} twice: what was answered last and not noted, and no more");
    for content in &contents {
        let mut ids: Vec<_> = got.iter().filter(|g| g.content() == *content).map(|g| g.id().to_owned()).collect();
        ids.dedup();
        assert_eq!(ids.len(), 1, "{content}");
    }
    println!("killed worker: {} delivered, {twice} twice", contents.len());
    fleet.finish().await;
}

#[tokio::test]
async fn what_a_frozen_worker_holds_is_delivered_by_another_and_it_sends_nothing_stale() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    receiver.says(Says::After(Duration::from_millis(800)));
    let mut first = Worker::start(&fleet, &[SHORT_TRIES]).await;
    let contents = post_many(&owner, &channel, 12).await;
    receiver.holds_one().await;
    first.freeze();
    // These go to the frozen worker, too: it was asking for more, and finds the answer when it is thawed.
    let contents = [contents, post_many(&owner, &channel, 3).await].concat();
    receiver.says(Says::Status(200));
    let _second = Worker::start(&fleet, &[SHORT_TRIES]).await;
    receiver.gets_all(&contents, ADOPTED).await;
    let queues_are_empty = || async { jobs_left(&fleet) == 0 };
    eventually("the second worker has taken over all", ADOPTED, queues_are_empty).await;
    let before = receiver.got().len();
    first.thaw();
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(receiver.got().len(), before, "what another worker has had is not sent again");
    let twice = before - contents.len();
    assert!(twice <= 4, "{twice} twice: no more than were on their way");
    println!("frozen worker: {} delivered, {twice} twice", contents.len());
    assert!(first.terminate().await.success(), "{}", first.log());
    fleet.finish().await;
}

#[tokio::test]
async fn what_a_killed_replica_did_not_hand_over_is_swept() {
    let fleet = Fleet::start(2).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let contents = post_many(&owner, &channel, 1).await;
    receiver.says(Says::Status(200));
    // As if every replica had died right after its answer: the entry is in the outbox, and nobody comes.
    let [log, outbox] = ["log", "outbox"].map(|name| format!("{}{{{channel}}}:{name}", fleet.prefix()));
    let newest: Vec<(String, Vec<String>)> = fleet.redis().run(&["XREVRANGE", &log, "+", "-", "COUNT", "1"]);
    assert!(newest[0].1.contains(&contents[0]));
    let number = newest[0].0.trim_end_matches("-0");
    let _: String = fleet.redis().run(&["XADD", &outbox, "*", "e", &format!("message.created\u{1f}{number}\u{1f}\u{1f}")]);
    fleet.kill9(0);
    fleet.kill9(1);
    let worker = Worker::start(&fleet, &[]).await;
    let got = receiver.gets(2, SOON).await;
    assert_ne!(got[0].id(), got[1].id(), "two entries are two deliveries");
    eventually("the outbox is empty", SOON, || async { fleet.redis().run::<u64>(&["XLEN", &outbox]) == 0 }).await;
    // A replica that was still alive may have handed it over, too: the sweep comes all the same.
    eventually("the sweep", SOON, || async { worker.metric("backchannel_webhook_sweep_channels_total").await >= 1.0 }).await;
    fleet.abandon();
}

#[tokio::test]
async fn two_workers_deliver_each_event_once_and_a_stopping_one_hands_back() {
    let fleet = Fleet::start(2).await;
    let receiver = Receiver::start().await;
    receiver.says(Says::After(Duration::from_millis(20)));
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let (mut first, _second) = (Worker::start(&fleet, &[]).await, Worker::start(&fleet, &[]).await);
    let contents = post_many(&owner, &channel, 150).await;
    let status = first.terminate().await;
    assert!(status.success(), "{status}\n{}", first.log());
    receiver.gets_all(&contents, SOON * 2).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(receiver.got().len(), contents.len(), "nothing died, so nothing came twice");
    fleet.finish().await;
}

#[tokio::test]
async fn nothing_is_lost_while_no_worker_runs_and_when_the_group_is_deleted() {
    let fleet = Fleet::start(2).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    let contents = post_many(&owner, &channel, 20).await;
    let _worker = Worker::start(&fleet, &[]).await;
    receiver.gets_all(&contents, SOON).await;
    // What is answered and not yet noted would be delivered again to the new group, as it should be.
    eventually("all is noted", SOON, || async { jobs_left(&fleet) == 0 }).await;
    for queue in 0..JOB_QUEUES {
        let stream = format!("{}{{jobs:{queue}}}:jobs", fleet.prefix());
        if fleet.redis().run::<u64>(&["EXISTS", &stream]) == 1 {
            fleet.redis().run::<u64>(&["XGROUP", "DESTROY", &stream, "workers"]);
        }
    }
    owner.post_message(&channel, "after").await;
    receiver.gets_all(&["after".to_owned()], SOON).await;
    assert_eq!(receiver.got().len(), 21);
    fleet.finish().await;
}

#[tokio::test]
async fn a_restarted_redis_has_lost_no_delivery() {
    let redis = RedisServer::start_private(&["--appendonly", "yes", "--appendfsync", "always"]);
    let fleet = Fleet::builder().redis(&redis).replicas(1).start().await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    receiver.says(Says::Status(500));
    let _worker = Worker::start(&fleet, &[("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "1,1,1,1,1,1,1,1,1,1,1,1")]).await;
    let contents = post_many(&owner, &channel, 5).await;
    receiver.gets(5, SOON).await;
    redis.restart();
    receiver.says(Says::Status(200));
    receiver.gets_all(&contents, SOON).await;
    eventually("each is delivered and gone", SOON, || async { jobs_left(&fleet) == 0 }).await;
    fleet.abandon();
}

#[tokio::test]
async fn what_a_busy_worker_has_no_slot_for_in_time_is_handed_back_and_nothing_of_its_bundle_is_sent_twice() {
    let fleet = Fleet::start(1).await;
    let receiver = Receiver::start().await;
    let owner = fleet.agent("owner").await;
    let channel = hooked(&owner, &receiver).await;
    receiver.says(Says::After(Duration::from_millis(4500)));
    // One at a time: the last ones of the bundle would begin after 34 s, when a worker gives up, three fifths of 12 + 45 s.
    let settings =
        [("BACKCHANNEL_WEBHOOK_TIMEOUT_SECONDS", "12"), ("BACKCHANNEL_WEBHOOK_CONCURRENCY", "1"), ("BACKCHANNEL_WEBHOOK_PER_HOST", "16")];
    let _worker = Worker::start(&fleet, &settings).await;
    let contents = post_many(&owner, &channel, 10).await;
    receiver.gets_all(&contents, ADOPTED).await;
    eventually("all have left", ADOPTED, || async { jobs_left(&fleet) == 0 }).await;
    assert_eq!(receiver.got().len(), contents.len(), "each once");
    fleet.abandon();
}
