//! Redis is there and says no: scripts forgotten, memory full, busy, too many clients.

use std::time::Duration;

use deadpool_redis::redis::{Client, Connection, cmd};
use futures::future::join_all;
use serde_json::json;

use super::ledger::{Ledger, Outcome, THROUGH_IT_ALL, Traffic, Waiters, burst, patient_fleet, whole_again};
use crate::support::redis::RedisServer;
use crate::support::wait::eventually;

#[tokio::test]
async fn forgotten_scripts_are_sent_again_without_anybody_noticing() {
    let redis = RedisServer::start_private(&[]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;

    let waiters = Waiters::start(&fleet, &agent, 25).await;
    let traffic = Traffic::start(&agent, &channel, 4, 4);
    for _ in 0..40 {
        let _: String = redis.run(&["SCRIPT", "FLUSH"]);
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let ledger = traffic.stop().await;
    assert!(ledger.codes.is_empty(), "{:?}", ledger.codes);
    assert!(!ledger.posted.is_empty());
    waiters.are_woken().await;
    ledger.check(&agent, &channel).await;
    fleet.finish().await;
}

#[tokio::test]
async fn a_full_redis_takes_no_posts_and_claims_and_still_gives_back_what_it_has() {
    let redis = RedisServer::start_private(&[]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let mut ledger = Ledger::posts(&agent, &channel, 20).await;
    let mine: Vec<String> = ledger_ids(&agent, &channel).await;
    let token = agent.claim_with_lease(&mine[0], 600).await.ok(200)["lease_token"].as_str().expect("a token").to_owned();
    agent.claim(&mine[1]).await.ok(200);

    let _: String = redis.run(&["CONFIG", "SET", "maxmemory", "1mb"]);
    for replica in 0..fleet.size() {
        let here = agent.on(replica);
        here.post_to(&channel, json!({ "content": "too much" })).await.refused(503, "storage_full");
        here.post_to(&channel, json!({ "content": "too much" })).once("key").await.refused(503, "storage_full");
        here.claim(&mine[2]).await.refused(503, "storage_full");
        here.claim_with_lease(&mine[2], 60).await.refused(503, "storage_full");
        here.claim_next(&channel, json!({ "lease_seconds": 60 })).await.refused(503, "storage_full");
        here.claim_next(&channel, json!({ "wait": 5 })).await.refused(503, "storage_full");
        here.post("/v1/tasks/post", json!({ "channel": "new", "content": "x" })).await.refused(503, "storage_full");
        here.post("/v1/channels", json!({ "name": "new", "mode": "claimable" })).await.refused(503, "storage_full");
        fleet.client_on(replica).post("/v1/keys", json!({ "agent_label": "new" })).await.refused(503, "storage_full");
    }
    ledger.add(burst(&fleet, &agent, &channel).await);
    // What takes nothing, or gives back, works on.
    agent.heartbeat(&token, 1200).await.ok(200);
    agent.ack(&mine[0]).await.ok(200);
    agent.release(&mine[1]).await.ok(200);
    assert_eq!(agent.list(&channel, "limit=100").await.ok(200)["data"].as_array().map(Vec::len), Some(20));
    let open = agent.list(&channel, "limit=100&status=unclaimed").await.ok(200);
    assert_eq!(open["data"].as_array().map(Vec::len), Some(19), "nothing that was refused was claimed");
    agent.get("/v1/keys/me").await.ok(200);

    let _: String = redis.run(&["CONFIG", "SET", "maxmemory", "0"]);
    whole_again(&fleet, &agent, Some(waiters)).await;
    assert_eq!(agent.claim_with_lease(&mine[2], 60).await.ok(200)["attempt"], 1);
    ledger.check(&agent, &channel).await;
    fleet.finish().await;
}

async fn ledger_ids(agent: &crate::support::client::Agent, channel: &str) -> Vec<String> {
    let all = super::ledger::everything(agent, channel).await;
    all.iter().map(|message| message["id"].as_str().expect("a message has an id").to_owned()).collect()
}

#[tokio::test]
async fn a_redis_busy_with_an_endless_script_is_refused_and_whole_when_that_is_killed() {
    let redis = RedisServer::start_private(&["--lua-time-limit", "50"]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let traffic = Traffic::start(&agent, &channel, 3, 3);
    tokio::time::sleep(Duration::from_millis(300)).await;

    let mut killer = redis.conn();
    let client = Client::open(redis.plain_url()).expect("a loopback URL is valid");
    let endless = std::thread::spawn(move || {
        let mut conn = client.get_connection()?;
        cmd("EVAL").arg("while true do end").arg(0).query::<()>(&mut conn)
    });
    eventually("the script is taken for an endless one", Duration::from_secs(30), || {
        let said = cmd("PING").query::<String>(&mut killer);
        std::future::ready(said.is_err_and(|error| error.code() == Some("BUSY")))
    })
    .await;
    tokio::time::sleep(Duration::from_millis(500)).await; // what was sent before is answered too
    let answers = join_all((0..10).map(|_| Outcome::of(agent.post_to(&channel, json!({ "content": "busy" }))))).await;
    for outcome in &answers {
        assert!(matches!(outcome, Outcome::Refused(word) if word == "storage_unavailable"), "Redis said that it did nothing: {outcome:?}");
    }
    let mut ledger = burst(&fleet, &agent, &channel).await;
    let _: String = cmd("SCRIPT").arg("KILL").query(&mut killer).expect("the endless script is killed");
    assert!(endless.join().expect("it ended").is_err());

    whole_again(&fleet, &agent, Some(waiters)).await;
    ledger.add(traffic.stop().await);
    ledger.check(&agent, &channel).await;
    assert_eq!(super::ledger::times(&agent, &channel, "busy").await, 0);
    fleet.finish().await;
}

#[tokio::test]
async fn a_redis_that_takes_no_more_clients_is_refused_and_whole_when_it_does_again() {
    let redis = RedisServer::start_private(&[]);
    let fleet = patient_fleet(&redis, 2).start().await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let waiters = Waiters::start(&fleet, &agent, THROUGH_IT_ALL).await;
    let traffic = Traffic::start(&agent, &channel, 3, 3);
    tokio::time::sleep(Duration::from_millis(300)).await;

    // Full with those that are there: they go on working.
    let mut mine = redis.conn();
    tell(&mut mine, &["CONFIG", "SET", "maxclients", "1"]);
    agent.post_message(&channel, "over a connection that stands").await;
    // All but this one are sent away, and find no place.
    for kind in ["normal", "pubsub"] {
        tell(&mut mine, &["CLIENT", "KILL", "TYPE", kind, "SKIPME", "yes"]);
    }
    let mut ledger = burst(&fleet, &agent, &channel).await;
    // Being sent away at the door is not being connected: what was not even asked is not unknown.
    let more = Ledger::posts(&agent.on(0), &channel, 20).await;
    assert!(more.codes.iter().all(|code| code == "storage_unavailable"), "{:?}", more.codes);
    ledger.add(more);
    tell(&mut mine, &["CONFIG", "SET", "maxclients", "10000"]);

    whole_again(&fleet, &agent, Some(waiters)).await;
    ledger.add(traffic.stop().await);
    assert!(!ledger.posted.is_empty() && !ledger.codes.is_empty());
    ledger.check(&agent, &channel).await;
    fleet.finish().await;
}

/// Over a connection that stands: [`RedisServer::run`] makes a new one.
fn tell(conn: &mut Connection, words: &[&str]) {
    let () = cmd(words[0]).arg(&words[1..]).query(conn).unwrap_or_else(|error| panic!("{words:?}: {error}"));
}
