//! Round trips to Redis that a hot operation costs.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::future::select_all;
use serde_json::{Value, json};

use crate::support::client::{Agent, Ask};
use crate::support::count::Count;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

const ROUNDS: usize = 12;
/// For those who are to wait until something comes, however long it takes a busy machine to bring a thousand of them to sleep.
const LONG: (&str, &str) = ("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", "50");

#[tokio::test]
async fn a_hot_operation_is_one_script_and_two_with_a_rate_limit() {
    for (limit, scripts) in [("0", 1), ("1000000", 2)] {
        let redis = RedisServer::start_private(&[]);
        let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_RATE_LIMIT", limit).env(LONG.0, LONG.1).start().await;
        settled(&redis).await;
        let agent = fleet.agent("agent").await;
        let channel = agent.channel("claimable").await;
        let hot = Hot { redis: redis.clone(), agent: agent.clone(), scripts };

        hot.cost("post", |agent| agent.post_to(&channel, json!({ "content": "a task" }))).await;
        hot.cost("list", |agent| agent.list(&channel, "")).await;
        hot.cost("list unclaimed", |agent| agent.list(&channel, "status=unclaimed")).await;
        hot.cost("tasks/post", |agent| agent.post("/v1/tasks/post", json!({ "channel": channel, "content": "a task" }))).await;
        hot.cost("tasks/subscribe", |agent| agent.post("/v1/tasks/subscribe", json!({ "channel": channel }))).await;
        hot.cost("claim-next", |agent| agent.claim_next(&channel, json!({}))).await;
        hot.cost("claim-next with wait", |agent| agent.claim_next(&channel, json!({ "wait": 5 }))).await;
        hot.cost_each("ack", &ids(&agent, &channel, "claimed").await, |agent, id| agent.ack(id)).await;
        for _ in 0..ROUNDS {
            agent.post_message(&channel, "one more").await;
        }
        let open = ids(&agent, &channel, "open").await;
        // Also while somebody waits for what becomes of one of them.
        let waiter = tokio::spawn(agent.on(0).get(&format!("/v1/messages/{}?wait=50&until=claimed", open[0])).into_future());
        asleep(&fleet, 0, 1).await;
        hot.cost_each("receipt", &open, |agent, id| agent.get(&format!("/v1/messages/{id}"))).await;
        hot.cost_each("claim", &open, |agent, id| agent.claim(id)).await;
        assert_eq!(waiter.await.unwrap().ok(200)["state"], "claimed");
        hot.cost_each("release", &open, |agent, id| agent.release(id)).await;
        let tokens: Vec<String> = hot
            .cost_each("claim-with-lease", &open, |agent, id| agent.claim_with_lease(id, 60))
            .await
            .into_iter()
            .map(|leased| leased["lease_token"].as_str().unwrap().to_owned())
            .collect();
        hot.cost_each("heartbeat", &tokens, |agent, token| agent.heartbeat(token, 60)).await;
        fleet.finish().await;
    }
}

/// Only then a replica asks how many leases the key has.
#[tokio::test]
async fn a_claim_under_a_lease_is_one_script_more_where_the_key_is_near_its_limit() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_MAX_LEASES_PER_KEY", "200").start().await;
    settled(&redis).await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    for n in 0..170 + 3 * ROUNDS {
        agent.post_message(&channel, &format!("task {n}")).await;
    }
    let hot = |scripts| Hot { redis: redis.clone(), agent: agent.clone(), scripts };
    let claim = |agent: &Agent| agent.claim_next(&channel, json!({ "lease_seconds": 300 }));
    hot(1).cost("a claim", claim).await;
    for _ in 0..17 {
        agent.on(0).claim_next(&channel, json!({ "lease_seconds": 300, "max": 10 })).await.ok(200);
    }
    let used = |replica| agent.on(replica).get("/v1/account/usage").into_future();
    used(1).await.ok(200);
    assert_eq!(used(0).await.ok(200)["used"]["leases_per_key"], 182);
    used(1).await.ok(200);
    hot(2).cost("a claim near the limit", claim).await;
    hot(1).cost("a claim without a lease", |agent| agent.claim_next(&channel, json!({}))).await;
    fleet.finish().await;
}

/// One script with all of them would hold Redis up: of 512, for 3 ms.
#[tokio::test]
async fn many_leases_are_told_of_64_a_script() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).replicas(1).env("BACKCHANNEL_USAGE_FLUSH_SECONDS", "3600").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    for n in 0..150 {
        agent.post_message(&channel, &format!("task {n}")).await;
    }
    let count = Count::start(&redis);
    for _ in 0..15 {
        agent.claim_next(&channel, json!({ "lease_seconds": 300, "max": 10 })).await.ok(200);
    }
    assert_eq!(count.of("zmscore"), 0, "claims tell of nothing");
    assert_eq!(agent.get("/v1/account/usage").await.ok(200)["used"]["leases_per_key"], 150);
    assert_eq!(count.of("zmscore"), 3);
    fleet.finish().await;
}

/// Nothing more for a webhook of the channel; mentions are looked up once a second.
#[tokio::test]
async fn a_post_that_is_pushed_or_mentions_somebody_is_one_script_too() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env("BACKCHANNEL_RATE_LIMIT", "0").start().await;
    settled(&redis).await;
    let agent = fleet.agent("agent").await;
    let hook = "https://hooks.example.com/x";
    let channel = agent.channel_with(json!({ "name": "hooked", "mode": "claimable", "webhook_url": hook })).await;
    let (count, began) = (Count::start(&redis), Instant::now());
    for n in 0..200 {
        agent.on(n % 2).post_message(&channel, "a task").await;
    }
    // A hand-over is three scripts, and a replica makes ten a second at most for a channel, however many posts there are.
    let tenths = u64::try_from(began.elapsed().as_millis()).unwrap() / 100 + 1;
    let looks = 2 * (began.elapsed().as_secs() + 2);
    let scripts = count.scripts();
    assert!((200..=200 + 2 * 3 * (tenths + 1) + looks + 10).contains(&scripts), "{scripts} for 200 posts in {tenths} tenths of a second");

    let path = format!("/v1/actors/{}", agent.label);
    agent.post(&format!("{path}/webhook"), json!({ "url": hook })).await.ok(200);
    agent.post(&format!("{path}/aliases"), json!({ "alias": "nick" })).await.ok(201);
    let mut costs = Vec::new();
    // On a machine so busy that each of them takes long enough for a hand-over it takes more of them to find one without.
    while costs.len() < ROUNDS || (!costs.contains(&1) && costs.len() < 20 * ROUNDS) {
        let count = Count::start(&redis);
        agent.on(0).post_to(&channel, json!({ "content": "x", "mentions": ["nick"] })).await.ok(201);
        costs.push(count.scripts());
    }
    // At first the alias, the actor, whether the channel is there, the index, the key, the post; and their scripts have to be sent. Besides a
    // hand-over now and then, or two where this process had to wait for its turn.
    assert!(costs.iter().min() == Some(&1) && costs.iter().max() <= Some(&20), "{costs:?}");
    fleet.finish().await;
}

async fn ids(agent: &Agent, channel: &str, state: &str) -> Vec<String> {
    let page = agent.list(channel, "limit=100").await.ok(200);
    let messages = page["data"].as_array().unwrap().iter().filter(|message| message["state"] == state);
    messages.map(|message| message["id"].as_str().unwrap().to_owned()).collect()
}

fn accepted(reply: Reply) -> Value {
    let status = if reply.status == 201 { 201 } else { 200 };
    reply.ok(status)
}

struct Hot {
    redis: Arc<RedisServer>,
    agent: Agent,
    /// How many one request may cost.
    scripts: u64,
}

impl Hot {
    async fn cost(&self, what: &str, ask: impl Fn(&Agent) -> Ask) {
        let again = vec![String::new(); ROUNDS];
        self.cost_each(what, &again, |agent, _| ask(agent)).await;
    }

    /// Besides, a replica looks at a key once a second where no limit is asked about with each request, and a waiter that is woken or looks again
    /// by itself reads when it gets to it: on a busy machine during a later request than the one that woke it.
    async fn cost_each(&self, what: &str, each: &[String], ask: impl Fn(&Agent, &str) -> Ask) -> Vec<Value> {
        assert!(each.len() >= ROUNDS, "{what}: only {} to do it with", each.len());
        let (began, mut answers, mut costs) = (Instant::now(), Vec::new(), Vec::new());
        for (n, one) in each.iter().enumerate() {
            let count = Count::start(&self.redis);
            answers.push(accepted(ask(&self.agent.on(n % 2), one).await));
            costs.push(count.scripts_of_requests(0));
        }
        // The first on each replica may have to send the script itself.
        let steady = &costs[2..];
        let (least, total) = (steady.iter().min().copied().unwrap_or(0), steady.iter().sum::<u64>());
        let looks = 2 * (began.elapsed().as_secs() + 2);
        let expected = self.scripts * steady.len() as u64;
        assert!(least == self.scripts && total <= expected + looks, "{what} costs {costs:?}, expected {} each", self.scripts);
        answers
    }
}

#[tokio::test]
async fn one_post_wakes_a_thousand_readers_with_one_read_at_most_and_claimers_one_a_replica() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env(LONG.0, LONG.1).start().await;
    settled(&redis).await;
    let (poster, reader) = (fleet.agent("poster").await, fleet.agent("reader").await);
    let channel = poster.channel("broadcast").await;
    let wait = |replica: usize, ask: Ask| tokio::spawn(ask.on(replica).into_future());
    // A short message comes with the wake-up, a long one is read once for all.
    for (content, reads) in [("news".to_owned(), 0), ("x".repeat(5000), 1)] {
        let readers: Vec<_> = (0..1000).map(|_| wait(0, reader.list(&channel, "wait=50"))).collect();
        asleep(&fleet, 0, 1000).await;
        poster.on(1).get("/v1/keys/me").await.ok(200);
        let (count, began) = (Count::start(&redis), Instant::now());
        let posted = poster.on(1).post_message(&channel, &content).await;
        for reader in readers {
            assert_eq!(reader.await.unwrap().ok(200)["data"][0]["id"], json!(posted));
        }
        // The post, the read; and once in a second each replica looks at a key again. Some may have looked again by themselves.
        let looks = 4 * (began.elapsed().as_secs() + 2);
        assert!((1 + reads..=1 + reads + looks).contains(&count.scripts_of_requests(1 - reads)), "{:?}", count.since());
        poster.delete(&format!("/v1/messages/{posted}")).await.has_status(200);
    }

    // A message for one: not all who wait for one try. The post, a try at each replica, and the one that the winner brings on.
    let tasks = poster.channel("claimable").await;
    let claimers: Vec<_> = (0..60).map(|n| wait(n % 2, reader.claim_next(&tasks, json!({ "wait": 50 })))).collect();
    asleep(&fleet, 0, 30).await;
    asleep(&fleet, 1, 30).await;
    let (count, began) = (Count::start(&redis), Instant::now());
    poster.post_message(&tasks, "a task").await;
    let had = tokio::time::timeout(Duration::from_secs(15), select_all(claimers)).await;
    let (first, _, claimers) = had.expect("one has it, long before they would look again by themselves");
    assert!(!first.unwrap().ok(200)["claimed"].is_null());
    quiet(&redis).await; // whom the winner woke has tried too
    let looks = 2 * (began.elapsed().as_secs() + 2);
    assert!(count.scripts_of_requests(1) <= 12 + looks, "{:?}", count.since());
    eventually("the others wait on", Duration::from_secs(10), || async {
        let at = [fleet.metric(0, "backchannel_waiters").await, fleet.metric(1, "backchannel_waiters").await];
        at.into_iter().flatten().sum::<f64>() == 59.0
    })
    .await;
    poster.delete(&format!("/v1/channels/{tasks}")).await.has_status(204);
    // None of them had anything.
    for claimer in claimers {
        claimer.await.unwrap().refused(404, "channel_not_found");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_thousand_who_wait_for_a_receipt_cost_one_read_when_it_comes_and_none_before() {
    let redis = RedisServer::start_private(&[]);
    let fleet = Fleet::builder().redis(&redis).env(LONG.0, LONG.1).start().await;
    settled(&redis).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    let message = poster.post_message(&channel, "a task").await;
    let wait = |ask: Ask| tokio::spawn(ask.on(0).into_future());
    let waiting: Vec<_> = (0..1000).map(|_| wait(poster.get(&format!("/v1/messages/{message}?wait=50")))).collect();
    asleep(&fleet, 0, 1000).await;

    // What becomes of others in the channel wakes none of them. Each replica looks at a key once in a second.
    worker.on(1).get("/v1/keys/me").await.ok(200);
    let (count, began) = (Count::start(&redis), Instant::now());
    for _ in 0..20 {
        let other = poster.on(1).post_message(&channel, "another").await;
        worker.on(1).claim(&other).await.ok(200);
        worker.on(1).ack(&other).await.ok(200);
    }
    let looks = 4 * (began.elapsed().as_secs() + 2);
    assert!((60..=60 + looks).contains(&count.scripts_of_requests(20)), "{:?}", count.since());

    // Claimed: a claim and a read. Done: an ack and a read.
    let (count, began) = (Count::start(&redis), Instant::now());
    worker.on(1).claim(&message).await.ok(200);
    worker.on(1).ack(&message).await.ok(200);
    for waiter in waiting {
        assert_eq!(waiter.await.unwrap().ok(200)["state"], "done");
    }
    assert!(began.elapsed() < Duration::from_secs(12), "woken, not because they looked again by themselves");
    let looks = 4 * (began.elapsed().as_secs() + 2);
    assert!((3..=4 + looks).contains(&count.scripts_of_requests(0)), "{:?}", count.since());
    fleet.finish().await;
}

/// Waits until this many are held, and all have done what they do before they sleep.
async fn asleep(fleet: &Fleet, replica: usize, waiters: usize) {
    eventually(&format!("{waiters} wait"), Duration::from_secs(20), || async {
        fleet.metric(replica, "backchannel_waiters").await == Some(waiters as f64)
    })
    .await;
    quiet(fleet.redis()).await;
}

/// Waits until Redis is asked nothing but for announcements of changed keys.
async fn quiet(redis: &RedisServer) {
    eventually("they sleep", Duration::from_secs(20), || async {
        let count = Count::start(redis);
        tokio::time::sleep(Duration::from_millis(100)).await;
        count.scripts_of_requests(0) == 0
    })
    .await;
}

/// Waits until both replicas hear of changed keys: when that begins they forget the keys they have seen.
async fn settled(redis: &RedisServer) {
    eventually("both replicas have subscribed", Duration::from_secs(20), || async {
        let topics: Vec<String> = redis.run(&["PUBSUB", "SHARDCHANNELS"]);
        topics.first().is_some_and(|topic| redis.run::<(String, i64)>(&["PUBSUB", "SHARDNUMSUB", topic]).1 == 2)
    })
    .await;
    tokio::time::sleep(Duration::from_millis(200)).await;
}
