//! The primary is killed under load. What was told of it, what became of it, and when all is whole again.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::SOON;
use super::cluster::Cluster;
use super::sentinels::Sentinels;
use crate::faults::ledger::{THROUGH_IT_ALL, Traffic, Waiters, everything, whole_again};
use crate::faults::loss::Lost;
use crate::support::client::Agent;
use crate::support::fleet::{Builder, Fleet};
use crate::support::process::unique;
use crate::support::receiver::Receiver;
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// What Redis may lose: replicas were behind by less than that. It passes on what it wrote before it answers, or right after.
const LOSS: SignedDuration = SignedDuration::from_secs(1);
/// From the kill until every replica serves and wakes again, on a machine that does other things too; sentinels may have to vote twice.
const WHOLE_WITHIN: Duration = Duration::from_secs(45);
/// Until a silent server counts as dead: longer than a busy machine lets one wait for its turn, so that only those that are killed are replaced.
pub(super) const PATIENT_MS: u32 = 5000;

/// Follows its cursor, as a reader in the field does: again after a 503.
struct Reader {
    over: Arc<AtomicBool>,
    task: JoinHandle<Seen>,
}

/// What a reader saw, in order; `gaps`: at which places it was told that Redis had lost something.
#[derive(Default)]
struct Seen {
    messages: Vec<Value>,
    gaps: Vec<usize>,
}

impl Reader {
    fn start(agent: &Agent, channel: &str) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let (agent, channel, ended) = (agent.clone(), channel.to_owned(), over.clone());
        let task = tokio::spawn(async move {
            let (mut seen, mut cursor) = (Seen::default(), String::new());
            loop {
                let last = ended.load(SeqCst);
                let reply = agent.list(&channel, &format!("limit=100&cursor={cursor}")).within(SOON).await;
                if reply.status == 503 {
                    reply.refused(503, "storage_unavailable");
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                }
                let page = reply.ok(200);
                if page["gap"] == true {
                    seen.gaps.push(seen.messages.len());
                }
                let data = page["data"].as_array().expect("a page has data");
                seen.messages.extend(data.iter().cloned());
                if let Some(next) = page["next_cursor"].as_str() {
                    cursor = next.to_owned();
                }
                if data.is_empty() && last {
                    return seen;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        Self { over, task }
    }

    /// Reads to the end. All that is there must have been seen, in order, and nothing twice without a word.
    async fn has_seen_all(self, agent: &Agent, channel: &str) {
        self.over.store(true, SeqCst);
        let seen = self.task.await.unwrap_or_else(|error| std::panic::resume_unwind(error.into_panic()));
        for (at, pair) in seen.messages.windows(2).enumerate() {
            let rises = pair[0]["created_at"].as_str() < pair[1]["created_at"].as_str();
            assert!(rises || seen.gaps.contains(&(at + 1)), "not in order, and no gap was announced: {pair:?}");
        }
        for message in everything(agent, channel).await {
            assert!(seen.messages.iter().any(|one| one["id"] == message["id"]), "a reader that follows its cursor missed {message}");
        }
    }
}

/// Channels with a webhook, and who delivers.
struct Hooks {
    receiver: Receiver,
    channels: Vec<String>,
    worker: Worker,
}

impl Hooks {
    /// Several, so that several queues are met, on every server.
    async fn start(fleet: &Fleet, owner: &Agent) -> Self {
        let worker = Worker::start(fleet, &[("BACKCHANNEL_WEBHOOK_RETRY_SECONDS", "0.2,0.4,0.8,1.6")]).await;
        let receiver = Receiver::start().await;
        let mut channels = Vec::new();
        for _ in 0..12 {
            channels.push(owner.channel_with(json!({ "mode": "broadcast", "webhook_url": receiver.url() })).await);
        }
        Self { receiver, channels, worker }
    }

    /// One message a channel, each asked for until it is answered; all are delivered.
    async fn deliver(&self, owner: &Agent) {
        let mut contents = Vec::new();
        for channel in &self.channels {
            let content = unique();
            eventually("a post is taken", SOON, || async {
                owner.post_to(channel, json!({ "content": content })).once(&content).await.status == 201
            })
            .await;
            contents.push(content);
        }
        self.receiver.gets_all(&contents, WHOLE_WITHIN).await;
    }
}

/// What Redis lost of what was answered, and the codes of what was refused meanwhile.
pub(super) struct Survived {
    pub lost: Lost,
    pub codes: BTreeSet<String>,
}

/// Load on the channel while `kill` is done; afterwards all is whole without a restart. `may_lose`: of what was answered up to so long
/// before, and after; None: nothing.
pub(super) async fn survives(
    fleet: &Fleet,
    agent: &Agent,
    channel: &str,
    waiters: Waiters,
    may_lose: Option<SignedDuration>,
    kill: impl AsyncFnOnce(),
) -> Survived {
    let hooks = Hooks::start(fleet, agent).await;
    hooks.deliver(agent).await;
    let reader = Reader::start(agent, channel);
    let traffic = Traffic::start(agent, channel, 4, 4);
    tokio::time::sleep(Duration::from_millis(700)).await;
    let may_be_lost_since = may_lose.map_or(Timestamp::MAX, |loss| Timestamp::now() - loss);
    kill().await;
    let began = Instant::now();
    whole_again(fleet, agent, Some(waiters)).await;
    let took = began.elapsed();
    hooks.deliver(agent).await;
    let delivering = began.elapsed();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let ledger = traffic.stop().await;
    reader.has_seen_all(agent, channel).await;
    let lost = ledger.check_after_loss(agent, channel, may_be_lost_since).await;
    let (posted, codes) = (ledger.posted.len(), ledger.codes.len());
    println!("whole {took:?} and delivering {delivering:?} after the kill; {posted} posts and {lost:?}; {codes} times 503");
    assert!(codes > 0, "nobody was told of the failover: the load was elsewhere");
    assert!(took < WHOLE_WITHIN, "whole again only after {took:?}");
    for replica in 0..fleet.size() {
        assert!(!fleet.log(replica).contains("\"status\":500"), "a failover is no fault of ours");
    }
    drop(hooks.worker);
    Survived { lost, codes: ledger.codes.into_iter().collect() }
}

/// Kills a primary whose replicas do not hear of its last moments, in which it writes something.
pub(super) async fn kill_unheard(primary: &RedisServer) {
    let _: () = primary.run(&["ACL", "SETUSER", "default", "-psync", "-sync"]);
    let _: i64 = primary.run(&["CLIENT", "KILL", "TYPE", "replica"]);
    let written = || -> u64 {
        let info: String = primary.run(&["INFO", "replication"]);
        info.lines().find_map(|line| line.strip_prefix("master_repl_offset:")?.trim().parse().ok()).expect("it tells how much it wrote")
    };
    let before = written();
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Several posts and claims.
    eventually("it writes", SOON, || std::future::ready(written() >= before + 5000)).await;
    primary.kill9();
}

/// With replicas of ours that give up on a silent Redis after 0.8 s, and grant long waits.
fn quick(builder: Builder) -> Builder {
    builder.env("BACKCHANNEL_REDIS_TIMEOUT_MS", "800").env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", &THROUGH_IT_ALL.to_string())
}

#[tokio::test]
async fn behind_sentinels_a_killed_primary_is_followed_by_another_and_all_goes_on() {
    let redis = Sentinels::start(PATIENT_MS);
    let fleet = quick(redis.fleet()).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let first = redis.primary().expect("there is a primary");
    let kill = async || kill_unheard(&redis.servers[first]).await;
    let lost = survives(&fleet, &agent, &channel, waiters, Some(LOSS), kill).await.lost;
    assert!(lost.posts > 0, "what is lost must be seen, or nothing is shown by the tests that see nothing lost");
    assert_ne!(redis.primary(), Some(first));
    // The old one comes back as a stranger with nothing in it, and is made a replica before anybody takes it for the primary.
    redis.servers[first].restart();
    eventually("the old primary follows", SOON, || async {
        let info = redis.servers[first].try_run::<String>(&["INFO", "replication"]);
        info.is_some_and(|info| info.contains("master_link_status:up"))
    })
    .await;
    Waiters::start(&fleet, &agent, 25).await.are_woken().await;
    fleet.finish().await;
}

/// The machine of the primary goes, and with it the sentinel that everybody asks first: it is still there for TCP, and says nothing.
#[tokio::test]
async fn a_sentinel_that_says_nothing_does_not_keep_anybody_from_the_new_primary() {
    let redis = Sentinels::start(PATIENT_MS);
    let fleet = quick(redis.fleet()).start().await;
    let agent = fleet.agent("agent").await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let first = redis.primary().expect("there is a primary");
    redis.sentinels[0].freeze();
    redis.servers[first].kill9();
    let began = Instant::now();
    whole_again(&fleet, &agent, Some(waiters)).await;
    println!("whole after {:?}", began.elapsed());
    fleet.finish().await;
}

/// Two of three sentinels say nothing, and all connections are cut: the one that is left is enough.
#[tokio::test]
async fn one_sentinel_that_answers_is_enough_to_come_back() {
    // No failover is wanted here.
    let redis = Sentinels::start(60_000);
    let fleet = quick(redis.fleet()).start().await;
    let agent = fleet.agent("agent").await;
    for left in 0..3 {
        let silent = [&redis.sentinels[(left + 1) % 3], &redis.sentinels[(left + 2) % 3]];
        silent.iter().for_each(|sentinel| sentinel.freeze());
        for kind in ["pubsub", "normal"] {
            let _: () = redis.servers[0].run(&["CLIENT", "KILL", "TYPE", kind]);
        }
        let began = Instant::now();
        whole_again(&fleet, &agent, None).await;
        println!("with sentinel {left} alone: whole after {:?}", began.elapsed());
        silent.iter().for_each(|sentinel| sentinel.thaw());
    }
    fleet.finish().await;
}

#[tokio::test]
async fn in_a_cluster_a_killed_primary_is_followed_by_its_replica_and_the_others_do_not_notice() {
    let cluster = Cluster::start(PATIENT_MS);
    // Shorter than the failover takes, and longer than a busy machine lets one of the others wait for its turn.
    let fleet = quick(cluster.fleet()).env("BACKCHANNEL_REDIS_TIMEOUT_MS", "3000").start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let dies = cluster.owner(cluster.slot(&channel)).expect("each slot has an owner");
    let waiters = loop {
        let waited_on = agent.channel("claimable").await;
        if cluster.owner(cluster.slot(&waited_on)) == Some(dies) {
            break Waiters::start_in(&fleet, &agent, &waited_on, THROUGH_IT_ALL, 0).await;
        }
    };
    // Key, names and channel of this one are on servers that live.
    let (elsewhere, untouched) = loop {
        let other = fleet.agent("elsewhere").await;
        let channel = other.channel("claimable").await;
        if [&other.key_id[..20], &channel].iter().all(|tag| cluster.owner(cluster.slot(tag)) != Some(dies)) {
            break (other, channel);
        }
    };
    let beside = Traffic::start(&elsewhere, &untouched, 2, 2);
    survives(&fleet, &agent, &channel, waiters, Some(LOSS), async || cluster.servers[dies].kill9()).await;
    let beside = beside.stop().await;
    assert_eq!(beside.codes, Vec::<String>::new(), "channels on the other primaries");
    beside.check(&elsewhere, &untouched).await;
    assert_ne!(cluster.owner(cluster.slot(&channel)), Some(dies));
    fleet.finish().await;
}
