//! Connections, servers and subscriptions that go away.

use super::*;

#[tokio::test]
async fn a_killed_connection_is_replaced_and_everybody_woken() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let lost = Arc::new(AtomicUsize::new(0));
    let heard = Arc::new(Mutex::new(Vec::new()));
    hub.subscribe_fixed("bc:keys", {
        let (lost, heard) = (lost.clone(), heard.clone());
        Arc::new(move |event| match event {
            FixedEvent::Lost => {
                lost.fetch_add(1, SeqCst);
            }
            FixedEvent::Message(text) => heard.lock().push(text),
        })
    });
    redis.subscribers("bc:keys", 1).await;
    redis.publish("bc:keys", "bck_1").await;
    eventually(|| async { *heard.lock() == ["bck_1"] }).await;

    let claimers = Claimers::line_up(&hub, 3).await;
    let place = hub.topic(TOPIC).await.unwrap();
    let (seen, before) = (place.seq(), lost.load(SeqCst));
    assert_eq!(redis.tell("CLIENT KILL TYPE pubsub").await, ":1");
    timeout(SOON, place.changed(seen)).await.expect("woken after the loss");
    claimers.are_woken(3).await;
    redis.subscribers(TOPIC, 1).await;
    redis.subscribers("bc:keys", 1).await;
    assert!(lost.load(SeqCst) > before);
    redis.publish("bc:keys", "bck_2").await;
    eventually(|| async { *heard.lock() == ["bck_1", "bck_2"] }).await;
    assert!(hub.stats().connected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_died_and_came_back_is_subscribed_to_again() {
    let mut redis = Redis::start().await;
    let hub = hub(&redis).await;
    let mut places = Vec::new();
    for n in 0..500 {
        places.push(hub.topic(&format!("bc:{{ch_{n}}}:wake")).await.unwrap());
    }
    redis.kill();
    eventually(|| async { !hub.stats().connected }).await;
    assert_eq!(hub.topic("new").await.err(), Some(HubError::Unavailable));
    redis.run().await;
    timeout(SOON, join_all(places.iter().map(|place| place.changed(0)))).await.expect("everybody is woken");
    for n in [0, 250, 499] {
        assert_eq!(redis.publish(&format!("bc:{{ch_{n}}}:wake"), "one").await, ":1");
    }
    hub.topic("new").await.unwrap();
}

#[tokio::test]
async fn a_subscription_that_vanishes_alone_is_noticed() {
    let redis = Redis::start().await;
    let hub = hub(&redis).await;
    let place = hub.topic(TOPIC).await.unwrap();
    let other = hub.topic("other").await.unwrap();
    hub.pubsub.sunsubscribe(TOPIC).await.unwrap(); // behind the hub's back, as a slot that moves would
    redis.subscribers(TOPIC, 0).await;
    timeout(SOON, place.changed(0)).await.expect("the count differs");
    timeout(SOON, other.changed(0)).await.expect("everybody, since nobody knows which one it was");
    redis.subscribers(TOPIC, 1).await;
    // And one too many, which subscribing again does not mend: a fresh connection does.
    hub.pubsub.ssubscribe("stray").await.unwrap();
    redis.subscribers("stray", 0).await;
    redis.subscribers(TOPIC, 1).await;
}

#[tokio::test]
async fn a_redis_that_is_not_there_at_the_start_is_found_later() {
    let mut redis = Redis::absent();
    let hub = start(&redis);
    let fixed = Arc::new(AtomicUsize::new(0));
    hub.subscribe_fixed("bc:keys", {
        let fixed = fixed.clone();
        Arc::new(move |_| {
            fixed.fetch_add(1, SeqCst);
        })
    });
    let start = Instant::now();
    assert_eq!(hub.topic(TOPIC).await.err(), Some(HubError::Unavailable));
    assert!(start.elapsed() < SOON);
    assert_eq!(hub.stats().waiters, 0);
    redis.run().await;
    redis.subscribers("bc:keys", 1).await;
    let place = hub.topic(TOPIC).await.unwrap();
    redis.publish(TOPIC, "one").await;
    timeout(SOON, place.changed(0)).await.unwrap();
}

#[tokio::test]
async fn a_cluster_works_alike() {
    let redis = Redis::start_cluster().await;
    let hub = hub(&redis).await;
    let claimers = Claimers::line_up(&hub, 3).await;
    let place = hub.topic(TOPIC).await.unwrap();
    assert_eq!(redis.publish(TOPIC, "one").await, ":1");
    let seen = timeout(SOON, place.changed(0)).await.unwrap();
    claimers.are_woken(1).await;
    assert!(matches!(hub.pubsub.subscription_count().await, Ok(Some(1))));
    hub.pubsub.sunsubscribe(TOPIC).await.unwrap();
    let seen = timeout(SOON, place.changed(seen)).await.expect("a lost subscription is noticed");
    redis.subscribers(TOPIC, 1).await;
    redis.tell("CLIENT KILL TYPE pubsub").await;
    timeout(SOON, place.changed(seen)).await.expect("a lost connection too");
    claimers.are_woken(3).await;
    redis.subscribers(TOPIC, 1).await;
    drop((place, claimers.tasks));
    redis.subscribers(TOPIC, 0).await;
}

#[tokio::test]
async fn a_slot_that_moves_to_another_node_is_followed() {
    let first = Redis::start_cluster().await;
    let second = Redis::joining(&first).await;
    let hub = hub(&first).await;
    let (place, stays) = (hub.topic(TOPIC).await.unwrap(), hub.topic("bc:{ch_b}:wake").await.unwrap());
    let seen = place.seq();
    let slot = first.tell(&format!("CLUSTER KEYSLOT {TOPIC}")).await;
    let to = second.tell("CLUSTER MYID").await;
    for node in [&second, &first] {
        assert_eq!(node.tell(&format!("CLUSTER SETSLOT {} NODE {to}", &slot[1..])).await, "+OK");
    }
    timeout(2 * SOON, place.changed(seen)).await.expect("noticed");
    second.subscribers(TOPIC, 1).await;
    let (seen, stayed) = (place.seq(), stays.seq());
    second.publish(TOPIC, "one").await;
    first.publish("bc:{ch_b}:wake", "one").await;
    timeout(SOON, place.changed(seen)).await.unwrap();
    timeout(SOON, stays.changed(stayed)).await.unwrap();
}

/// Forwards connections to Redis; those open when it is told to go deaf stay open and are never answered again.
async fn deaf_proxy(redis: &Redis) -> (u16, tokio::sync::watch::Sender<()>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (port, to) = (listener.local_addr().unwrap().port(), redis.port);
    let (deaf, ear) = tokio::sync::watch::channel(());
    tokio::spawn(async move {
        while let Ok((mut from, _)) = listener.accept().await {
            let mut ear = ear.clone();
            ear.mark_unchanged();
            tokio::spawn(async move {
                let mut to = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                tokio::select! {
                    _ = ear.changed() => std::future::pending().await,
                    _ = tokio::io::copy_bidirectional(&mut from, &mut to) => {}
                }
            });
        }
    });
    (port, deaf)
}

#[tokio::test]
async fn a_connection_that_no_longer_answers_is_replaced() {
    let redis = Redis::start().await;
    let (port, deaf) = deaf_proxy(&redis).await;
    let target = RedisTarget::parse(&format!("redis://127.0.0.1:{port}")).unwrap();
    let config = HubConfig { check_every: Duration::from_millis(50), ..HubConfig::new(target) };
    let hub = Hub::start(config).unwrap();
    let place = hub.topic(TOPIC).await.unwrap();
    sleep(NOT_NOW).await;
    let seen = place.seq();
    deaf.send(()).unwrap();
    timeout(5 * SOON, place.changed(seen)).await.expect("three checks were not answered");
    let seen = place.seq();
    redis.publish(TOPIC, "one").await;
    timeout(SOON, place.changed(seen)).await.unwrap();
}
