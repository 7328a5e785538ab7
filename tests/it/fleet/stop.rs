//! A replica that is asked to stop leaves in order: nobody whose request it took is left without an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use backchannel::settings::Settings;
use backchannel::shutdown::Shutdown;
use futures::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;

use crate::support::client::Agent;
use crate::support::fleet::Fleet;
use crate::support::redis::RedisServer;
use crate::support::reply::Reply;
use crate::support::wait::eventually;

const WAITERS: usize = 200;

/// How the requests of a worker that never pauses ended, until the replica had gone.
#[derive(Default)]
struct Ended {
    answered: AtomicUsize,
    refused_connection: AtomicUsize,
}

/// Posts and claims at one replica, each on a connection of its own (a kept one may be closed by either side at any time), until
/// no connection is accepted any more. A request that was accepted and not answered fails the test.
fn load(fleet: &Fleet, agent: &Agent, channel: &str, ended: &Arc<Ended>, over: &Arc<AtomicBool>) -> JoinHandle<()> {
    let address = fleet.url(0).trim_start_matches("http://").to_owned();
    let body = json!({ "content": "under load" }).to_string();
    let request = format!(
        "POST /v1/channels/{channel}/messages HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        agent.key,
        body.len(),
    );
    let (ended, over) = (ended.clone(), over.clone());
    tokio::spawn(async move {
        while !over.load(SeqCst) {
            let Ok(mut tcp) = TcpStream::connect(&address).await else {
                ended.refused_connection.fetch_add(1, SeqCst);
                return;
            };
            let mut answer = String::new();
            let exchanged = async {
                tcp.write_all(request.as_bytes()).await?;
                tcp.read_to_string(&mut answer).await
            };
            let exchanged = exchanged.await;
            assert!(answer.starts_with("HTTP/1.1 201 "), "an accepted request was not answered: {exchanged:?} {answer}");
            ended.answered.fetch_add(1, SeqCst);
        }
    })
}

fn wait_at_the_leaving_one(agent: &Agent, channel: &str) -> Vec<JoinHandle<Reply>> {
    (0..WAITERS)
        .map(|i| {
            let (agent, channel) = (agent.on(0), channel.to_owned());
            tokio::spawn(async move {
                match i % 4 {
                    0 => agent.claim_next(&channel, json!({ "wait": 25 })).await,
                    1 => agent.post("/v1/tasks/subscribe", json!({ "channel": channel, "wait": 25 })).await,
                    _ => agent.list(&channel, "wait=25").await,
                }
            })
        })
        .collect()
}

#[tokio::test]
async fn a_replica_under_load_leaves_without_failing_anybody() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let (quiet, busy) = (agent.channel("claimable").await, agent.channel("claimable").await);
    let waiting = wait_at_the_leaving_one(&agent, &quiet);
    eventually("all wait", Duration::from_secs(20), || async {
        fleet.metric(0, "backchannel_waiters").await == Some(f64::from(u32::try_from(WAITERS).unwrap()))
    })
    .await;
    let (ended, over) = (Arc::new(Ended::default()), Arc::new(AtomicBool::new(false)));
    let workers: Vec<_> = (0..8).map(|_| load(&fleet, &agent, &busy, &ended, &over)).collect();
    eventually("load runs", Duration::from_secs(10), || async { ended.answered.load(SeqCst) > 100 }).await;

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
    over.store(true, SeqCst);
    for worker in workers {
        worker.await.unwrap();
    }
    assert_eq!(ended.refused_connection.load(SeqCst), 8, "the load went on until the door was closed");

    // What was answered 201 is there, once.
    let mut listed = 0;
    let mut cursor = String::new();
    loop {
        let page = agent.on(1).list(&busy, &format!("limit=100&cursor={cursor}")).await.ok(200);
        let count = page["data"].as_array().unwrap().len();
        listed += count;
        if count == 0 {
            break;
        }
        page["next_cursor"].as_str().unwrap().clone_into(&mut cursor);
    }
    assert_eq!(listed, ended.answered.load(SeqCst), "every accepted post is there");
    // No claim was left behind by a waiter that was sent away.
    let message = agent.on(1).post_message(&quiet, "a task").await;
    assert_eq!(agent.on(1).claim_next(&quiet, json!({})).await.ok(200)["claimed"]["id"], message.as_str());
    fleet.finish().await;
}

#[tokio::test]
async fn a_leaving_replica_answers_its_backlog_and_finishes_the_requests_it_is_in() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_DRAIN_SECONDS", "10").start().await;
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
    eventually("both are being answered", Duration::from_secs(5), || async {
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
    eventually("the door is closed", Duration::from_secs(5), || async { TcpStream::connect(&address).await.is_err() }).await;
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
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_DRAIN_SECONDS", "1").start().await;
    let agent = fleet.agent("stuck").await;
    let mut tcp = TcpStream::connect(fleet.url(0).trim_start_matches("http://")).await.unwrap();
    let head = format!("POST /v1/channels HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Length: 10\r\n\r\n", agent.key);
    tcp.write_all(head.as_bytes()).await.unwrap();
    eventually("it is being answered", Duration::from_secs(5), || async {
        fleet.metric(0, "backchannel_requests_running").await == Some(2.0)
    })
    .await;
    let status = fleet.terminate(0).await; // within the harness' limit, far below the request's own ten seconds
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
