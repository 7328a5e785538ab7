//! Shared reads: one for many, and never an old one.

use super::*;

/// Waits, reads through the shared read, and reports what it read; a thousand of it.
async fn read_after(place: &Subscribed, seen: u64, reads: &Arc<AtomicUsize>) -> usize {
    let need = place.changed(seen).await;
    let reads = reads.clone();
    let read = move || async move {
        let number = reads.fetch_add(1, SeqCst) + 1;
        sleep(Duration::from_millis(5)).await;
        number
    };
    *place.shared_read("page", need, read).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_waiters_cost_one_read_a_wake() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let mut places = Vec::new();
    for _ in 0..1000 {
        places.push(hub.topic(TOPIC).await.unwrap());
    }
    let reads = Arc::new(AtomicUsize::new(0));
    for wake in 1..=5 {
        let waiting = join_all(places.iter().map(|place| read_after(place, wake as u64 - 1, &reads)));
        let (got, _) = tokio::join!(timeout(SOON, waiting), redis.publish(TOPIC, "one"));
        assert_eq!(got.unwrap(), vec![wake; 1000]);
    }
    assert_eq!(reads.load(SeqCst), 5);
}

#[tokio::test]
async fn a_read_serves_only_who_was_there_and_awake_before_it_began() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let (early, joins) = (hub.topic(TOPIC).await.unwrap(), hub.topic(TOPIC).await.unwrap());
    let slow = |answer| {
        move || async move {
            sleep(Duration::from_millis(150)).await;
            answer
        }
    };
    let flight = tokio::spawn({
        let early = early;
        async move { (*early.shared_read("page", 0, slow("first")).await, early) }
    });
    sleep(Duration::from_millis(30)).await;
    let late = hub.topic(TOPIC).await.unwrap();
    let second = joins.shared_read("page", 0, slow("second"));
    let third = late.shared_read("page", 0, slow("third"));
    let (joined, own) = tokio::join!(second, third);
    assert_eq!(*joined, "first", "it was there when that began");
    assert_eq!(*own, "third", "that one came later");
    let (first, early) = flight.await.unwrap();
    assert_eq!(first, "first");

    let other_key = early.shared_read("other", 0, slow("fourth")).await;
    assert_eq!(*other_key, "fourth");
    assert_eq!(*early.shared_read("other", 0, slow("fifth")).await, "fifth", "nobody gets the same read twice");

    // A read that began before the wake does not serve it.
    let running = joins.shared_read("again", 0, slow("old"));
    let woken = async {
        sleep(Duration::from_millis(30)).await;
        redis.publish(TOPIC, "one").await;
        let need = late.changed(0).await;
        *late.shared_read("again", need, slow("new")).await
    };
    let (old, new) = tokio::join!(running, woken);
    assert_eq!((*old, new), ("old", "new"));
}

#[tokio::test]
async fn a_read_goes_on_without_its_waiter_and_a_failed_one_is_replaced() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let (gone, stays) = (hub.topic(TOPIC).await.unwrap(), hub.topic(TOPIC).await.unwrap());
    let slow = |answer| {
        move || async move {
            sleep(Duration::from_millis(100)).await;
            answer
        }
    };
    assert!(timeout(Duration::from_millis(30), gone.shared_read("page", 0, slow(1))).await.is_err());
    drop(gone);
    assert_eq!(*stays.shared_read("page", 0, slow(2)).await, 1);

    let breaks = hub.topic(TOPIC).await.unwrap();
    let broken = tokio::spawn(async move {
        let read = || async {
            sleep(Duration::from_millis(50)).await;
            panic!("the read panics, on purpose")
        };
        breaks.shared_read::<i32, _, _>("page", 0, read).await
    });
    sleep(Duration::from_millis(20)).await;
    assert_eq!(*stays.shared_read("page", 0, slow(3)).await, 3);
    assert!(broken.await.unwrap_err().is_panic(), "its own waiter fails with it");
}

#[tokio::test]
async fn results_are_not_kept() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let (place, _other) = (hub.topic(TOPIC).await.unwrap(), hub.topic(TOPIC).await.unwrap());
    let result = place.shared_read("page", 0, || async { vec![0_u8; 1000] }).await;
    let kept = Arc::downgrade(&result);
    drop(result);
    assert!(kept.upgrade().is_some(), "for the others");
    eventually(|| async { kept.upgrade().is_none() }).await;

    let result = place.shared_read("page", 0, || async { vec![0_u8; 1000] }).await;
    let kept = Arc::downgrade(&result);
    drop(result);
    let start = Instant::now();
    redis.publish(TOPIC, "one").await;
    place.changed(0).await;
    assert!(kept.upgrade().is_none() || start.elapsed() > Duration::from_millis(150), "a wake makes it old");
}

#[tokio::test]
async fn a_hundred_keys_are_read_but_not_all_shared() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let places = [hub.topic(TOPIC).await.unwrap(), hub.topic(TOPIC).await.unwrap()];
    let keys: Vec<String> = (0..100).map(|n| n.to_string()).collect();
    let reads = join_all(keys.iter().map(|key| {
        let n: usize = key.parse().unwrap();
        places[n % 2].shared_read(key, 0, move || async move {
            sleep(NOT_NOW).await;
            n
        })
    }));
    assert_eq!(reads.await.into_iter().map(|n| *n).collect::<Vec<_>>(), (0..100).collect::<Vec<_>>());
}
