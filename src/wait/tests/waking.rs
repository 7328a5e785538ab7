//! Who is woken by what, and how places are taken and left.

use super::*;

#[tokio::test]
async fn a_place_is_given_once_redis_has_confirmed_it() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    for n in 0..50 {
        let name = format!("bc:{{ch_{n}}}:wake");
        let both = tokio::join!(hub.topic(&name), hub.topic(&name));
        assert_eq!(redis.publish(&name, "one").await, ":1", "subscribed before the call returned, and only once");
        let place = both.1.unwrap();
        timeout(SOON, place.changed(0)).await.unwrap();
    }
    assert_eq!(hub.stats().wakes_total, 50);
    hub.close().await;
    assert_eq!(hub.topic(TOPIC).await.err(), Some(HubError::Closed));
}

#[tokio::test]
async fn one_message_wakes_every_list_waiter_and_one_claim_waiter() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let claimers = Claimers::line_up(&hub, 5).await;
    let mut lists = Vec::new();
    for _ in 0..20 {
        lists.push(hub.topic(TOPIC).await.unwrap());
    }
    let waiting = join_all(lists.iter().map(|place| place.changed(place.seq())));
    let (seen, _) = tokio::join!(timeout(SOON, waiting), redis.publish(TOPIC, "one"));
    assert_eq!(seen.unwrap(), vec![1; 20]);
    claimers.are_woken(1).await;
    assert_eq!(hub.stats().waiters, 24, "the claimer that had its turn has left");
}

#[tokio::test]
async fn a_message_that_comes_along_is_for_readers_and_the_word_before_it_for_one_claimer() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let claimers = Claimers::line_up(&hub, 2).await;
    let reader = hub.topic(TOPIC).await.unwrap();
    redis.publish(TOPIC, "more").await;
    claimers.are_woken(1).await;
    assert!(timeout(NOT_NOW, reader.changed(0)).await.is_err(), "what there is to read has not come yet");
    redis.publish(TOPIC, "[1]").await;
    let seen = timeout(SOON, reader.changed(0)).await.unwrap();
    claimers.are_woken(1).await;
    assert_eq!(reader.carried(seen).as_deref(), Some(&b"[1]"[..]));
    assert_eq!((reader.carried(seen - 1), reader.carried(seen + 1)), (None, None));
    // Whatever came since, it is not the latest news any more.
    redis.publish(TOPIC, "one").await;
    let later = timeout(SOON, reader.changed(seen)).await.unwrap();
    claimers.are_woken(2).await;
    assert_eq!((reader.carried(seen), reader.carried(later)), (None, None));
    // Nothing is kept for a topic that nobody waits at.
    redis.publish(TOPIC, "[2]").await;
    let last = timeout(SOON, reader.changed(later)).await.unwrap();
    drop(reader);
    assert_eq!(hub.topic(TOPIC).await.unwrap().carried(last), None);
    hub.close().await;
}

#[tokio::test]
async fn who_cares_only_for_what_concerns_everybody_sleeps_through_the_rest() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let place = hub.topic(TOPIC).await.unwrap();
    let before = place.all_seq();
    redis.publish(TOPIC, "one").await;
    timeout(SOON, place.changed(0)).await.unwrap();
    assert!(timeout(NOT_NOW, place.changed_for_all(before)).await.is_err());
    let (now, _) = tokio::join!(timeout(SOON, place.changed_for_all(before)), redis.publish(TOPIC, "all"));
    assert_eq!(now.unwrap(), before + 1);
    // Woken before it asked is woken.
    redis.publish(TOPIC, "all").await;
    timeout(SOON, place.changed_for_all(before + 1)).await.unwrap();
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_burst_of_messages_wakes_as_many_claim_waiters() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let claimers = Claimers::line_up(&hub, 10).await;
    join_all((0..7).map(|_| redis.publish(TOPIC, "one"))).await;
    claimers.are_woken(7).await;
}

#[tokio::test]
async fn a_claim_waiter_that_leaves_passes_its_turn_on() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let first = hub.topic(TOPIC).await.unwrap();
    let mut leaving = Box::pin(first.claim_turn());
    assert!(timeout(NOT_NOW, &mut leaving).await.is_err(), "first in line");
    let claimers = Claimers::line_up(&hub, 3).await;
    redis.publish(TOPIC, "one").await;
    timeout(SOON, first.changed(0)).await.unwrap();
    assert_eq!(claimers.woken.load(SeqCst), 0, "the turn is the first one's");
    drop(leaving); // woken, and gone before it saw it
    claimers.are_woken(1).await;

    // Likewise one that took its turn and left in the middle of the claim, or claimed: there may be more.
    redis.publish(TOPIC, "one").await;
    claimers.are_woken(2).await;
    drop(timeout(NOT_NOW, first.claim_turn()).await);
    first.pass_turn();
    claimers.are_woken(3).await;
    first.pass_turn();
    let turn = timeout(SOON, first.claim_turn()).await.expect("a turn that nobody waits for is kept");
    drop(turn);
    timeout(SOON, first.claim_turn()).await.expect("an unspent turn too").spend();
    assert!(timeout(NOT_NOW, first.claim_turn()).await.is_err(), "a spent one is not");
}

#[tokio::test]
async fn all_wakes_every_claim_waiter_also_one_that_is_not_yet_in_line() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let claimers = Claimers::line_up(&hub, 10).await;
    let reading = [hub.topic(TOPIC).await.unwrap(), hub.topic(TOPIC).await.unwrap()];
    redis.publish(TOPIC, "all").await;
    claimers.are_woken(10).await;
    for late in &reading {
        timeout(SOON, late.claim_turn()).await.expect("it read before, and must read again").spend();
        assert!(timeout(NOT_NOW, late.claim_turn()).await.is_err(), "once");
    }
}

#[tokio::test]
async fn the_end_of_the_earliest_lease_wakes() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let place = hub.topic(TOPIC).await.unwrap();
    let start = Instant::now();
    place.wake_after(Duration::from_secs(60));
    place.wake_after(Duration::from_millis(150)); // earlier: replaces
    place.wake_after(Duration::from_secs(30)); // later: ignored
    let (seq, turn) = timeout(SOON, async { tokio::join!(place.changed(0), place.claim_turn()) }).await.unwrap();
    turn.spend();
    assert_eq!(seq, 1);
    assert!((140..20_000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    place.wake_after(Duration::ZERO);
    assert_eq!(timeout(SOON, place.changed(1)).await.unwrap(), 2, "it rings once, then may be set again");
    assert!(timeout(NOT_NOW, place.changed(2)).await.is_err());
}

#[tokio::test]
async fn a_topic_lingers_then_is_left_and_leaves_no_trace() {
    let redis = Redis::start().await;
    let hub = Hub::start(HubConfig { linger: Duration::from_secs(4), ..HubConfig::new(redis.target()) }).unwrap();
    eventually(|| async { hub.stats().connected }).await;
    sleep(NOT_NOW).await;
    let place = hub.topic(TOPIC).await.unwrap();
    drop(place);
    redis.subscribers(TOPIC, 1).await;
    let again = hub.topic(TOPIC).await.unwrap();
    sleep(Duration::from_millis(4200)).await;
    redis.subscribers(TOPIC, 1).await;
    drop(again);
    redis.subscribers(TOPIC, 0).await;
    eventually(|| async { hub.stats().topics == 0 && hub.stats().waiters == 0 }).await;
    assert_eq!(hub.stats().resubscribed_total, 0, "leaving was not mistaken for a loss");
}

#[tokio::test]
async fn a_topic_on_which_nothing_will_come_any_more_does_not_linger() {
    let redis = Redis::start().await;
    let hub = Hub::start(HubConfig { linger: Duration::from_secs(60), ..HubConfig::new(redis.target()) }).unwrap();
    eventually(|| async { hub.stats().connected }).await;
    sleep(NOT_NOW).await;
    for n in 0..20 {
        drop(hub.topic(&format!("lingers-{n}")).await.unwrap());
        let over = hub.topic(&format!("over-{n}")).await.unwrap();
        over.mark_over();
    }
    let place = hub.topic("over-and-held").await.unwrap();
    place.mark_over();
    eventually(|| async { hub.stats().topics == 21 }).await;
    assert_eq!(hub.stats().resubscribed_total, 0, "leaving was not mistaken for a loss");
    redis.subscribers("over-and-held", 1).await;
    hub.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_while_a_topic_is_left_is_subscribed() {
    let redis = Redis::start().await;
    let config = HubConfig { linger: Duration::from_millis(1), ..HubConfig::new(redis.target()) };
    let hub = Hub::start(config).unwrap();
    for round in 0..400_u64 {
        let place = hub.topic(TOPIC).await.unwrap();
        let seen = place.seq();
        assert_eq!(redis.publish(TOPIC, "one").await, ":1", "round {round}");
        timeout(SOON, place.changed(seen)).await.unwrap();
        drop(place);
        sleep(Duration::from_micros(round * 101 % 13_000)).await; // the sweep comes every 10 ms
    }
    eventually(|| async { hub.stats().topics == 0 }).await;
}

#[tokio::test]
async fn a_waiter_that_gives_up_during_the_subscription_is_gone() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let _warm = hub.topic("other").await.unwrap();
    for n in 0..100 {
        let name = format!("t{n}");
        drop(timeout(Duration::from_micros(n * 10), hub.topic(&name)).await);
    }
    assert_eq!(hub.stats().waiters, 1);
    eventually(|| async { hub.stats().topics == 1 }).await;
    sleep(Duration::from_millis(1200)).await; // a check
    assert_eq!(redis.tell("PUBSUB SHARDCHANNELS").await, "*1");
}

#[tokio::test]
async fn there_is_a_cap_on_topics() {
    let redis = Redis::start().await;
    let hub = Hub::start(HubConfig { max_topics: 2, ..HubConfig::new(redis.target()) }).unwrap();
    let _places = [hub.topic("a").await.unwrap(), hub.topic("b").await.unwrap()];
    assert_eq!(hub.topic("c").await.err(), Some(HubError::Full));
    hub.topic("b").await.unwrap();
}

#[test]
fn rechecks_are_spread() {
    let delays: Vec<u128> = (0..1000).map(|_| recheck_delay().as_millis()).collect();
    assert!(delays.iter().all(|ms| (20_000..=30_000).contains(ms)));
    assert!(delays.iter().max().unwrap() - delays.iter().min().unwrap() > 5_000);
}
