//! `BACKCHANNEL_DURABILITY=replicated`: what was answered as done is on a replica of Redis, whatever becomes of the primary.

use std::collections::{BTreeMap, BTreeSet};
use std::future::IntoFuture;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use deadpool_redis::redis::pipe;
use futures::future::join_all;
use serde_json::json;

use crate::support::client::{Agent, Ask};
use crate::support::cut::Cut;
use crate::support::fleet::{Builder, Fleet};
use crate::support::process::unique;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

const SOON: Duration = Duration::from_secs(30);
/// BACKCHANNEL_DURABILITY_TIMEOUT_MS of these fleets: longer than a busy machine lets a replica of Redis wait for its turn.
const TIMEOUT: Duration = Duration::from_millis(4000);

fn replicated(redis: &Arc<RedisServer>) -> Builder {
    let timeout = TIMEOUT.as_millis().to_string();
    // A confirmation is never waited for longer than a command.
    let builder = Fleet::builder().redis(redis).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "8000");
    builder.env("BACKCHANNEL_DURABILITY", "replicated").env("BACKCHANNEL_DURABILITY_TIMEOUT_MS", &timeout)
}

/// A server that follows `primary`, over `port`.
async fn replica_of(primary: &RedisServer, port: u16) -> Arc<RedisServer> {
    let replica = RedisServer::start_private(&["--replicaof", "127.0.0.1", &port.to_string()]);
    is_followed(primary).await;
    replica
}

/// The replica has loaded all and confirms: from here on it counts.
async fn is_followed(primary: &RedisServer) {
    eventually("its replica confirms", SOON, || async {
        let mut connection = primary.conn();
        let confirmed = pipe().cmd("SET").arg("probe").arg(1).arg("PX").arg(1).ignore().cmd("WAIT").arg(1).arg(500).query(&mut connection);
        confirmed == Ok((1,))
    })
    .await;
}

fn primary() -> Arc<RedisServer> {
    RedisServer::start_private(&["--repl-diskless-sync-delay", "0"])
}

/// The key of a channel that a replica is to have.
fn key(fleet: &Fleet, channel: &str, name: &str) -> String {
    format!("{}{{{channel}}}:{name}", fleet.prefix())
}

fn contents(redis: &RedisServer, fleet: &Fleet, channel: &str) -> BTreeSet<String> {
    let log: Vec<(String, Vec<String>)> = redis.run(&["XRANGE", &key(fleet, channel, "log"), "-", "+"]);
    log.into_iter().flat_map(|(_, fields)| fields).collect()
}

/// How many writes were confirmed and refused, by all replicas of the fleet; both are there from the start.
async fn counted(fleet: &Fleet) -> (f64, f64) {
    let (mut confirmed, mut refused) = (0.0, 0.0);
    for replica in 0..fleet.size() {
        let of = async |series: &str| fleet.metric(replica, series).await.unwrap_or_else(|| panic!("/metrics has {series}"));
        let confirmed_here = of("backchannel_confirmations_total{outcome=\"confirmed\"}").await;
        assert_eq!(of("backchannel_confirmation_duration_seconds_count").await, confirmed_here);
        assert!(of("backchannel_confirmation_duration_seconds_sum").await <= confirmed_here * TIMEOUT.as_secs_f64());
        confirmed += confirmed_here;
        refused += of("backchannel_confirmations_total{outcome=\"refused\"}").await;
    }
    (confirmed, refused)
}

/// Not done, as far as its caller may count on it; and told in time.
async fn is_not_replicated(ask: Ask) {
    let began = Instant::now();
    let refused = ask.await;
    let took = began.elapsed();
    assert!(took < TIMEOUT * 4, "{took:?}");
    assert_eq!(refused.header("retry-after"), Some("1"));
    let body = refused.refused(503, "not_replicated");
    assert_eq!(body["replicas"], 1);
    assert!(body["suggestion"].as_str().is_some_and(|s| s.contains("same Idempotency-Key")), "{body}");
}

#[tokio::test]
async fn what_changes_a_message_is_answered_once_a_replica_has_it() {
    let first = primary();
    let second = replica_of(&first, first.port()).await;
    let fleet = replicated(&first).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    assert_eq!(counted(&fleet).await, (0.0, 0.0));
    let log = || contents(&second, &fleet, &channel);
    let claims = |redis: &RedisServer| -> BTreeMap<String, String> { redis.run(&["HGETALL", &key(&fleet, &channel, "claims")]) };
    let same = |what: &str| assert_eq!(claims(&second), claims(&first), "{what}");

    let mut tasks = Vec::new();
    for n in 0..10 {
        tasks.push(agent.post_message(&channel, &format!("task {n}")).await);
        assert!(log().contains(&format!("task {n}")), "the replica has what was answered");
    }
    let [one, two] = [agent.post_message(&channel, "one").await, agent.post_message(&channel, "two").await];
    agent.claim(&one).await.ok(200);
    same("claim");
    let token = agent.claim_with_lease(&two, 60).await.ok(200)["lease_token"].as_str().expect("a token").to_owned();
    same("claim with a lease");
    agent.heartbeat(&token, 90).await.ok(200);
    same("heartbeat");
    agent.release(&two).await.ok(200);
    same("release");
    agent.claim_next(&channel, json!({ "max": 3 })).await.ok(200);
    same("claim-next");
    agent.ack(&one).await.ok(200);
    same("ack");
    assert_eq!(counted(&fleet).await, (18.0, 0.0), "all that was answered above");

    // A replica that says nothing: it is done, and not answered as done.
    second.freeze();
    let (post_key, claim_key, next_key) = (unique(), unique(), unique());
    let post = || agent.post_to(&channel, json!({ "content": "unheard" })).once(&post_key);
    let claim = || agent.claim_with_lease(&two, 60).once(&claim_key);
    let next = || agent.claim_next(&channel, json!({ "lease_seconds": 60 })).once(&next_key);
    join_all([
        is_not_replicated(post()),
        is_not_replicated(claim()),
        is_not_replicated(next()),
        is_not_replicated(agent.ack(&one)),
        is_not_replicated(agent.post("/v1/tasks/claim-and-ack", json!({ "message_id": tasks[8] }))),
        is_not_replicated(agent.delete(&format!("/v1/messages/{}", tasks[9]))),
    ])
    .await;
    is_not_replicated(post()).await; // a retry does nothing again, and waits again
    assert_eq!(counted(&fleet).await, (18.0, 7.0));
    agent.list(&channel, "limit=1").await.ok(200);

    // The same requests again, once it goes on: done once, and confirmed.
    second.thaw();
    eventually("the replica confirms again", SOON, || async { post().await.status == 201 }).await;
    assert!(log().contains("unheard"));
    assert_eq!(post().await.header("x-idempotent-replay"), Some("true"));
    claim().await.ok(200);
    next().await.ok(200);
    same("after the thaw");
    let page = agent.list(&channel, "limit=100").await.ok(200);
    let times = page["data"].as_array().into_iter().flatten().filter(|m| m["content"] == "unheard").count();
    assert_eq!(times, 1, "{page}");

    // A replica that is gone, and one that comes again.
    second.kill9();
    is_not_replicated(agent.post_to(&channel, json!({ "content": "alone" }))).await;
    second.restart();
    is_followed(&first).await;
    agent.post_message(&channel, "together").await;
    assert!(contents(&second, &fleet, &channel).contains("together"));
    fleet.finish().await;
}

#[tokio::test]
async fn one_confirmation_serves_all_that_have_gathered() {
    const POSTS: usize = 400;
    let first = primary();
    let link = Cut::before(&first);
    let _second = replica_of(&first, link.port()).await;
    let patient = replicated(&first).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "40000").env("BACKCHANNEL_DURABILITY_TIMEOUT_MS", "30000");
    let fleet = patient.start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("broadcast").await;
    agent.post_message(&channel, "the first").await;
    // As a replica on another continent: there can be no more than five rounds a second on either replica of ours, however long the posts take.
    link.delay(Duration::from_millis(100));
    let _: () = first.run(&["CONFIG", "RESETSTAT"]);
    let posts = (0..POSTS).map(|n| agent.post_to(&channel, json!({ "content": n.to_string() })).into_future());
    assert!(join_all(posts).await.into_iter().all(|posted| posted.status == 201));
    let stats: String = first.run(&["INFO", "commandstats"]);
    let calls = |command: &str| -> usize {
        let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls="))).unwrap_or("0,");
        line.split(',').next().and_then(|n| n.parse().ok()).expect("a number")
    };
    let rounds = calls("wait");
    assert!(rounds > 0 && rounds * 5 < POSTS, "{rounds} confirmations for {POSTS} posts");
    fleet.finish().await;
}

/// What those who post know and are told.
#[derive(Clone, Default)]
struct Posting {
    end: Arc<AtomicBool>,
    /// How many posts were answered as done.
    done: Arc<AtomicUsize>,
}

impl Posting {
    async fn goes_on(&self) {
        let least = self.done.load(SeqCst) + 40;
        eventually("posts are answered as done", SOON, || std::future::ready(self.done.load(SeqCst) >= least)).await;
    }
}

/// Posts of several tasks until Redis is lost; what was answered as done.
async fn posts_until_the_end(agent: &Agent, channel: &str, posting: &Posting) -> BTreeSet<String> {
    let tasks = (0..12).map(|_| {
        let (agent, channel, posting) = (agent.clone(), channel.to_owned(), posting.clone());
        tokio::spawn(async move {
            let mut answered = Vec::new();
            while !posting.end.load(SeqCst) {
                let content = unique();
                if agent.post_to(&channel, json!({ "content": content })).await.status == 201 {
                    answered.push(content);
                    posting.done.fetch_add(1, SeqCst);
                }
            }
            answered
        })
    });
    join_all(tasks).await.into_iter().flat_map(|answered| answered.expect("a task ends")).collect()
}

/// The primary is cut off from its replica in the midst of posts, lives on for a while, and is lost for good. What was answered as
/// posted, and what the replica has.
async fn lose_the_primary(durability: &str) -> (BTreeSet<String>, BTreeSet<String>) {
    let first = primary();
    let (link, way) = (Cut::before(&first), Cut::before(&first));
    let second = replica_of(&first, link.port()).await;
    let fleet = replicated(&first).env("BACKCHANNEL_DURABILITY", durability).env("BACKCHANNEL_REDIS_URL", &way.url()).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("broadcast").await;
    let posting = Posting::default();
    let (posts, lost) = tokio::join!(posts_until_the_end(&agent, &channel, &posting), async {
        posting.goes_on().await;
        link.black_hole();
        if durability == "primary" {
            posting.goes_on().await; // by the word of the primary alone
        } else {
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        first.kill9();
        let _: String = second.run(&["REPLICAOF", "NO", "ONE"]);
        let kept = contents(&second, &fleet, &channel);
        posting.end.store(true, SeqCst);
        way.lead_to(&second);
        kept
    });
    assert!(posts.len() > 20, "{}", posts.len());
    if durability == "replicated" {
        // The new primary has no replica yet; once it has one, posts are answered as done again.
        eventually("the new primary is found", SOON, || async {
            agent.post_to(&channel, json!({ "content": "alone" })).await.body["error"] == "not_replicated"
        })
        .await;
        let third = replica_of(&second, second.port()).await;
        let posted = || async { agent.post_to(&channel, json!({ "content": "after it" })).await.status == 201 };
        eventually("the new primary's replica confirms", SOON, posted).await;
        assert!(contents(&third, &fleet, &channel).contains("after it"));
    }
    fleet.abandon();
    (posts, lost)
}

#[tokio::test]
async fn nothing_that_was_answered_is_lost_with_the_primary() {
    let ((answered, kept), (answered_by_one, kept_of_one)) = tokio::join!(lose_the_primary("replicated"), lose_the_primary("primary"));
    let lost: Vec<_> = answered.difference(&kept).collect();
    assert!(lost.is_empty(), "{} of {} answered posts are lost", lost.len(), answered.len());
    assert!(answered_by_one.difference(&kept_of_one).next().is_some(), "without it answered posts are lost: else this test shows nothing");
}

#[tokio::test]
async fn a_confirmation_of_another_history_says_nothing() {
    let (old, new) = (primary(), primary());
    let _follower = replica_of(&new, new.port()).await;
    let way = Cut::before(&old);
    let fleet = replicated(&old).replicas(1).env("BACKCHANNEL_REDIS_URL", &way.url()).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("broadcast").await;
    // The replica still has its connections to the old primary; who asks now for the primary is led to another one, whose replica confirms.
    way.lead_new_to(&new);
    is_not_replicated(agent.post_to(&channel, json!({ "content": "where?" }))).await;
    assert!(contents(&old, &fleet, &channel).contains("where?"));
    assert_eq!(contents(&new, &fleet, &channel), BTreeSet::new());
    fleet.finish().await;
}

#[tokio::test]
async fn replicas_of_a_cluster_confirm_too() {
    let first = RedisServer::start_private_cluster(&["--repl-diskless-sync-delay", "0"]);
    let second = RedisServer::start_cluster_replica(&first);
    is_followed(&first).await;
    let fleet = replicated(&first).start().await;
    let agent = fleet.agent("agent").await;
    for _ in 0..3 {
        let channel = agent.channel("claimable").await;
        let message = agent.post_message(&channel, "a task").await;
        agent.claim_next(&channel, json!({})).await.ok(200);
        agent.ack(&message).await.ok(200);
    }
    let channel = agent.channel("broadcast").await;
    second.freeze();
    is_not_replicated(agent.post_to(&channel, json!({ "content": "unheard" }))).await;
    second.thaw();
    let posted = || async { agent.post_to(&channel, json!({ "content": "heard" })).await.status == 201 };
    eventually("the replica confirms again", SOON, posted).await;
    fleet.finish().await;
}
