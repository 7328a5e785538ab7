//! Failover to a Redis that lost the newest writes and whose clock is behind: readers still see what is posted afterwards.
#![cfg(target_os = "linux")]

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use tokio::task::JoinHandle;

use super::ledger::{Waiters, everything};
use crate::support::client::Agent;
use crate::support::cut::Cut;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// How far the clock of the server that takes over is behind: more than the failover takes on a busy machine, and well below the minute within
/// which readers miss nothing.
const BEHIND_S: i64 = 20;
const SOON: Duration = Duration::from_secs(15);

/// Two servers, the second a replica of the first, and the way to the one that is the primary.
pub struct Pair {
    first: Arc<RedisServer>,
    second: Arc<RedisServer>,
    cut: Cut,
}

impl Pair {
    pub async fn start() -> Self {
        let first = RedisServer::start_private(&["--repl-diskless-sync-delay", "0"]);
        let port = first.port().to_string();
        let second = RedisServer::start_with_clock(-BEHIND_S, &["--replicaof", "127.0.0.1", &port]);
        eventually("the second server follows the first", SOON, || async {
            second.run::<String>(&["INFO", "replication"]).contains("master_link_status:up")
        })
        .await;
        let cut = Cut::before(&first);
        Self { first, second, cut }
    }

    pub async fn fleet(&self) -> Fleet {
        Fleet::builder().redis(&self.second).env("BACKCHANNEL_REDIS_URL", &self.cut.url()).start().await
    }

    /// From here on the second server misses what the first one is told.
    pub async fn stop_following(&self) {
        // All that was written so far is there, so that it is known what is lost. WAIT would only tell of this connection's own writes.
        let offset = |server: &RedisServer, field: &str| {
            let info: String = server.run(&["INFO", "replication"]);
            info.lines().find_map(|l| l.strip_prefix(field)?.trim().parse::<u64>().ok()).unwrap_or_else(|| panic!("{field} in {info}"))
        };
        let written = offset(&self.first, "master_repl_offset:");
        eventually("the second server has all", SOON, || async { offset(&self.second, "slave_repl_offset:") >= written }).await;
        let _: String = self.second.run(&["REPLICAOF", "NO", "ONE"]);
    }

    /// The first server is gone, and the second one takes its place.
    pub fn fail_over(&self) {
        self.first.kill9();
        self.cut.lead_to(&self.second);
    }
}

/// Reads up to the newest message; the cursor then.
async fn read_on(agent: &Agent, channel: &str) -> String {
    let newest = everything(agent, channel).await.pop().expect("there is a message");
    newest["created_at"].as_str().expect("a message has a time").to_owned()
}

async fn serves(fleet: &Fleet, agent: &Agent, channel: &str) {
    for replica in 0..fleet.size() {
        eventually("every replica serves again", SOON, || async {
            agent.on(replica).get(&format!("/v1/channels/{channel}")).await.status == 200
        })
        .await;
    }
}

/// Asks again when it is told that Redis is away.
fn wait_for_more(agent: &Agent, channel: &str, cursor: &str) -> JoinHandle<Reply> {
    let (agent, channel, query) = (agent.clone(), channel.to_owned(), format!("wait=20&cursor={cursor}"));
    tokio::spawn(async move {
        loop {
            let reply = agent.list(&channel, &query).await;
            if reply.status != 503 {
                return reply;
            }
        }
    })
}

async fn sees(reply: Reply, content: &str, cursor: &str) {
    let page = reply.ok(200);
    let contents: Vec<_> = page["data"].as_array().into_iter().flatten().map(|m| &m["content"]).collect();
    assert_eq!(contents, [content], "after {cursor}: {page}");
    assert_eq!(page.get("gap"), None, "nothing was skipped, so nothing comes twice");
    let time = |text: &str| text.parse::<Timestamp>().expect("a time");
    assert!(time(page["data"][0]["created_at"].as_str().unwrap_or_default()) > time(cursor));
}

#[tokio::test]
async fn readers_see_what_is_posted_after_a_failover_to_a_redis_that_lost_its_tail_and_whose_clock_is_behind() {
    let pair = Pair::start().await;
    let fleet = pair.fleet().await;
    let agent = fleet.agent("agent").await;
    let (by_floor, by_cursor, waited_on) =
        (agent.channel("claimable").await, agent.channel("claimable").await, agent.channel("broadcast").await);
    let all = [&by_floor, &by_cursor, &waited_on];
    for channel in all {
        agent.post_message(channel, "kept").await;
    }
    pair.stop_following().await;
    for channel in all {
        agent.post_message(channel, "lost").await;
    }
    let mut cursors = Vec::new();
    for channel in all {
        cursors.push(read_on(&agent, channel).await);
    }
    let waiter = wait_for_more(&agent.on(1), &waited_on, &cursors[2]);
    eventually("it waits", SOON, || async { fleet.metric(1, "backchannel_waiters").await == Some(1.0) }).await;
    pair.fail_over();
    serves(&fleet, &agent, &by_floor).await;
    let (now, _): (i64, i64) = pair.second.run(&["TIME"]);
    let cursor: Timestamp = cursors[0].parse().expect("a cursor is a time");
    assert!(now < cursor.as_second(), "the clock that counts now is behind what was read");

    // A post through a replica that knows the old time lies above what was read there.
    agent.on(0).post_message(&by_floor, "new").await;
    sees(agent.on(1).list(&by_floor, &format!("cursor={}", cursors[0])).await, "new", &cursors[0]).await;
    agent.on(0).post_message(&waited_on, "new").await;
    sees(waiter.await.expect("the waiter is answered"), "new", &cursors[2]).await;

    // A replica that knows nothing learns from the reader's cursor what numbers must be above.
    fleet.restart(1).await;
    let (fresh, channel, cursor) = (agent.on(1), by_cursor.as_str(), cursors[1].as_str());
    let page = fresh.list(channel, &format!("cursor={cursor}")).await.ok(200);
    assert_eq!((&page["data"], &page["next_cursor"], page.get("gap")), (&json!([]), &json!(cursor), None));
    fresh.post_message(channel, "new").await;
    sees(agent.on(0).list(channel, &format!("cursor={cursor}")).await, "new", cursor).await;

    // What was not lost is there, and work goes on by the new clock.
    for channel in all {
        let contents: Vec<_> = everything(&agent, channel).await.iter().map(|m| m["content"].clone()).collect();
        assert_eq!(contents, ["kept", "new"]);
    }
    Waiters::start(&fleet, &agent, 25).await.are_woken().await;
    fleet.finish().await;
}
