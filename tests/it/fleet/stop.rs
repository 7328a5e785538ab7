//! A replica that is asked to stop leaves in order: nobody whose request it took is left without an answer.

mod load;

use std::sync::atomic::Ordering::SeqCst;
use std::time::Duration;

use backchannel::settings::Settings;
use backchannel::shutdown::Shutdown;
use futures::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use load::{Answered, Load};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

/// At the replica that leaves, half of them lists, half of them claims.
const WAITERS: usize = 1000;
/// They wait in so many channels, the same number in each.
const CHANNELS: usize = 20;
/// In each of these channels one reader waits at the replica that stays.
const STAYING: usize = 10;
const LOADERS: usize = 4;
/// Seconds that they all ask for: much longer than the replica takes to leave, also on a busy machine.
const WAIT: u32 = 50;

fn wait_at(replica: usize, agent: &Agent, channel: &str, kind: usize) -> JoinHandle<Reply> {
    let (agent, channel) = (agent.on(replica), channel.to_owned());
    tokio::spawn(async move {
        match kind % 4 {
            0 | 1 => agent.claim_next(&channel, json!({ "wait": WAIT })).await,
            2 => agent.post("/v1/tasks/subscribe", json!({ "channel": channel, "wait": WAIT })).await,
            _ => agent.list(&channel, &format!("wait={WAIT}")).await,
        }
    })
}

async fn all_wait(fleet: &Fleet, replica: usize, waiters: usize) {
    eventually("all wait", Duration::from_secs(30), || async move {
        fleet.metric(replica, "backchannel_waiters").await == Some(f64::from(u32::try_from(waiters).unwrap()))
    })
    .await;
}

#[tokio::test]
async fn a_replica_under_load_leaves_without_failing_anybody() {
    let fleet = Fleet::builder().env("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", &WAIT.to_string()).start().await;
    let agent = fleet.agent("agent").await;
    let (here, there) = (agent.channel("claimable").await, agent.channel("claimable").await);
    let quiet = join_all((0..CHANNELS).map(|_| agent.channel("claimable"))).await;
    let waiting: Vec<_> = (0..WAITERS).map(|i| wait_at(0, &agent, &quiet[i % CHANNELS], i / CHANNELS)).collect();
    let staying: Vec<_> = (0..STAYING).map(|i| wait_at(1, &agent, &quiet[i], 3)).collect();
    all_wait(&fleet, 0, WAITERS).await;
    all_wait(&fleet, 1, STAYING).await;
    let leaving = Load::start(&fleet, 0, &agent, &here, LOADERS, LOADERS);
    let going_on = Load::start(&fleet, 1, &agent.on(1), &there, 1, 1);
    eventually("load runs", Duration::from_secs(20), || async { leaving.answered.acks.load(SeqCst) > 50 }).await;

    fleet.ask_to_stop(0);
    // Each has its whole answer: an empty page, not an error and not a broken connection.
    for reply in join_all(waiting).await {
        let body = reply.unwrap().ok(200);
        if body.get("claimed").is_some() {
            assert!(body["claimed"].is_null() && body["note"].is_string(), "{body}");
        } else {
            assert_eq!((&body["data"], &body["next_cursor"]), (&json!([]), &json!(null)));
        }
    }
    let status = fleet.stopped(0).await;
    assert!(status.success(), "{status}");
    let answered = leaving.answered.clone();
    let ended = tokio::time::timeout(Duration::from_secs(20), leaving.ended()).await.expect("the door is closed to all");
    assert_eq!(ended, 2 * LOADERS, "the load went on until the door was closed");

    // The other one goes on as if nothing had happened: who waits there waits on and is woken.
    let before = going_on.answered.acks.load(SeqCst);
    eventually("the other replica goes on", Duration::from_secs(10), || async { going_on.answered.acks.load(SeqCst) > before }).await;
    let answered_there = going_on.answered.clone();
    assert_eq!(going_on.stop().await, 0, "its door stays open");
    all_wait(&fleet, 1, STAYING).await;
    for (channel, waiter) in quiet.iter().zip(staying) {
        let message = agent.on(1).post_message(channel, "a task").await;
        let page = tokio::time::timeout(Duration::from_secs(10), waiter).await.expect("it is woken").unwrap().ok(200);
        assert_eq!(page["data"][0]["id"], message.as_str());
        // No claim was left behind by a waiter that was sent away.
        assert_eq!(agent.on(1).claim_next(channel, json!({})).await.ok(200)["claimed"]["id"], message.as_str());
    }
    check_load(&agent.on(1), &here, &answered).await;
    check_load(&agent.on(1), &there, &answered_there).await;
    fleet.finish().await;
}

/// What was answered is there, once: every post; every claim, acknowledged; no other claim.
async fn check_load(agent: &Agent, channel: &str, answered: &Answered) {
    let (mut listed, mut done, mut cursor) = (0, 0, String::new());
    loop {
        let page = agent.list(channel, &format!("limit=100&cursor={cursor}")).await.ok(200);
        let messages = page["data"].as_array().unwrap();
        if messages.is_empty() {
            break;
        }
        listed += messages.len();
        done += messages.iter().filter(|message| message["state"] == "done").count();
        assert!(messages.iter().all(|message| message["state"] != "claimed"), "a claim that was not answered: {page}");
        page["next_cursor"].as_str().unwrap().clone_into(&mut cursor);
    }
    assert_eq!(listed, answered.posts.load(SeqCst), "every accepted post is there");
    assert_eq!((done, done), (answered.claims.load(SeqCst), answered.acks.load(SeqCst)), "every answered claim is done");
}

#[tokio::test]
async fn a_leaving_replica_answers_its_backlog_and_finishes_the_requests_it_is_in() {
    // Both much longer than this takes.
    let builder = Fleet::builder().replicas(1).env("BACKCHANNEL_REQUEST_READ_TIMEOUT_SECONDS", "120");
    let fleet = builder.env("BACKCHANNEL_DRAIN_SECONDS", "120").start().await;
    let agent = fleet.agent("slow").await;
    let address = fleet.url(0).trim_start_matches("http://").to_owned();
    // Two requests that the replica is in the middle of: their bodies are still on their way.
    let mut half = Vec::new();
    for name in ["first", "second"] {
        let body = json!({ "name": name, "mode": "claimable" }).to_string();
        let head = format!("POST /v1/channels HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: {}\r\n\r\n{{", agent.key, body.len());
        let mut tcp = TcpStream::connect(&address).await.unwrap();
        tcp.write_all(head.as_bytes()).await.unwrap();
        half.push((tcp, body));
    }
    eventually("both are being answered", Duration::from_secs(15), || async {
        fleet.metric(0, "backchannel_requests_running").await == Some(3.0) // and /metrics itself
    })
    .await;
    // Whoever is in the backlog when the signal comes believes to be connected, and is answered: ready or, from then on, not.
    fleet.freeze(0);
    let mut probes = Vec::new();
    for _ in 0..100 {
        let mut tcp = TcpStream::connect(&address).await.unwrap();
        tcp.write_all(b"GET /readyz HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        probes.push(tcp);
    }
    fleet.ask_to_stop(0);
    fleet.thaw(0);
    for mut tcp in probes {
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap();
        let unready = answer.starts_with("HTTP/1.1 503 ") && answer.contains("shutting down");
        assert!(unready || answer.starts_with("HTTP/1.1 200 "), "an accepted probe was not answered: {answer:?}");
    }
    eventually("the door is closed", Duration::from_secs(15), || async { TcpStream::connect(&address).await.is_err() }).await;
    for (mut tcp, body) in half {
        tcp.write_all(&body.as_bytes()[1..]).await.unwrap();
        let mut answer = String::new();
        tcp.read_to_string(&mut answer).await.unwrap(); // until the replica closes it
        assert!(answer.starts_with("HTTP/1.1 201 "), "{answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{answer}");
    }
    let status = fleet.stopped(0).await;
    assert!(status.success(), "{status}");
    fleet.finish().await;
}

#[tokio::test]
async fn a_request_that_never_ends_holds_a_leaving_replica_no_longer_than_its_drain_time() {
    let builder = Fleet::builder().replicas(1).env("BACKCHANNEL_DRAIN_SECONDS", "1").env("BACKCHANNEL_REQUEST_READ_TIMEOUT_SECONDS", "300");
    let fleet = builder.start().await;
    let agent = fleet.agent("stuck").await;
    let mut tcp = TcpStream::connect(fleet.url(0).trim_start_matches("http://")).await.unwrap();
    let head = format!("POST /v1/channels HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: 10\r\n\r\n", agent.key);
    tcp.write_all(head.as_bytes()).await.unwrap();
    eventually("it is being answered", Duration::from_secs(15), || async {
        fleet.metric(0, "backchannel_requests_running").await == Some(2.0)
    })
    .await;
    let status = fleet.terminate(0).await; // within the harness' limit, far below the request's own five minutes
    assert!(status.success(), "{status}");
    fleet.finish().await;
}

/// Over HTTP it is a matter of luck to come after the signal and before the door is closed, so the replica is asked from within.
#[tokio::test]
async fn a_replica_that_has_begun_to_leave_is_not_ready() {
    let redis = RedisServer::shared();
    let settings = [("BACKCHANNEL_REDIS_URL", redis.url()), ("BACKCHANNEL_KEY_PREFIX", redis.prefix())];
    let settings = Settings::from_pairs(settings.map(|(name, value)| (name.to_owned(), value))).unwrap();
    let shutdown = Shutdown::new();
    let app = backchannel::app::start(settings, shutdown.clone()).await.unwrap();
    eventually("it is ready", Duration::from_secs(10), || async { app.ready().await.is_ok() }).await;
    shutdown.begin();
    assert_eq!(app.ready().await, Err("this replica is shutting down".to_owned()));
    app.close().await;
}
