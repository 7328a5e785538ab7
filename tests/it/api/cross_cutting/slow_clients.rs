//! A client cannot hold a connection by being slow: neither in its headers nor in its body.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::support::client::Agent;
use crate::support::codes;
use crate::support::fleet::Fleet;

/// BACKCHANNEL_REQUEST_READ_TIMEOUT_SECONDS: more than a client that is not slow needs on a busy machine.
const ALLOWED_S: u64 = 5;
/// Far above it.
const BOUND: Duration = Duration::from_secs(30);

/// Sends `head`, then a byte of `drip` again and again until the other side has had enough; all that came back.
async fn drip(fleet: &Fleet, head: &str, drip: &[u8]) -> (String, Duration) {
    let began = Instant::now();
    let tcp = TcpStream::connect(fleet.url(0).trim_start_matches("http://")).await.unwrap();
    let (mut read, mut write) = tcp.into_split();
    write.write_all(head.as_bytes()).await.unwrap();
    let drip = drip.to_vec();
    let writer = tokio::spawn(async move {
        loop {
            sleep(Duration::from_millis(100)).await;
            if write.write_all(&drip).await.is_err() {
                return;
            }
        }
    });
    let mut answer = Vec::new();
    let mut buffer = [0u8; 4096];
    // A whole answer, or the end of the connection: a reset is one too, bytes were still on their way.
    let done = |answer: &[u8]| String::from_utf8_lossy(answer).ends_with('}');
    let reading = async {
        while !done(&answer) {
            match read.read(&mut buffer).await {
                Ok(0) | Err(_) => return,
                Ok(n) => answer.extend_from_slice(&buffer[..n]),
            }
        }
    };
    timeout(BOUND, reading).await.expect("cut in bounded time");
    writer.abort();
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

fn post(agent: &Agent, path: &str, framing: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n{framing}\r\n\r\n", agent.key)
}

#[tokio::test]
async fn a_slow_client_is_cut() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_REQUEST_READ_TIMEOUT_SECONDS", &ALLOWED_S.to_string()).start().await;
    let agent = fleet.agent("slow").await;
    let by_length = post(&agent, "/v1/channels", "Content-Length: 100000");
    let chunked = post(&agent, "/v1/channels", "Transfer-Encoding: chunked");
    let minting = "POST /v1/keys HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n".to_owned();
    let headers = "GET /v1/keys/me HTTP/1.1\r\nHost: x\r\n";
    let stopped = "GET /v1/keys/me HTTP/1.1\r\nHo";
    let (by_length, chunked, minting, headers, stopped) = tokio::join!(
        drip(&fleet, &by_length, b" "),
        drip(&fleet, &chunked, b"1\r\n \r\n"),
        drip(&fleet, &minting, b" "),
        drip(&fleet, headers, b"X-A: b\r\n"),
        drip(&fleet, stopped, b""),
    );
    for (answer, after) in [by_length, chunked, minting] {
        assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
        codes::note(&answer.split_once("\r\n\r\n").and_then(|(_, body)| serde_json::from_str(body).ok()).expect("an error"));
        assert!(answer.contains("\"error\":\"request_timeout\"") && answer.contains("\"request_id\":"), "{answer}");
        assert!(after >= Duration::from_secs(ALLOWED_S), "a client may take its time: {after:?}");
    }
    for (answer, _) in [headers, stopped] {
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408"), "there is no request yet to answer: {answer}");
    }
    // Nobody else was kept waiting, and nothing came of it.
    agent.get("/v1/keys/me").await.ok(200);
    fleet.finish().await;
}

#[tokio::test]
async fn a_body_has_a_limit_announced_or_not() {
    let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_MAX_MESSAGE_BYTES", "1000").start().await;
    let agent = fleet.agent("big").await;
    let channel = agent.channel("claimable").await;
    let path = format!("/v1/channels/{channel}/messages");
    let body = format!("{{\"content\":\"x\",\"more\":\"{}\"}}", "x".repeat(400_000));
    let refused = agent.ask(reqwest::Method::POST, &path).raw(body.clone()).await.refused(413, "payload_too_large");
    let most = refused["max_body_bytes"].as_u64().expect("it names the limit");
    assert!((1000..400_000).contains(&most), "{refused}");

    // Announced: refused before it is sent.
    let head = post(&agent, &path, &format!("Content-Length: {}", most + 1));
    let (answer, _) = drip(&fleet, &head, b"").await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("payload_too_large"), "{answer}");
    // Not announced: refused once it is too long.
    let mut head = post(&agent, &path, "Transfer-Encoding: chunked");
    head.push_str(&format!("{:x}\r\n{}\r\n", most + 1, &"x".repeat(usize::try_from(most).unwrap() + 1)));
    let (answer, _) = drip(&fleet, &head, b"").await;
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("payload_too_large"), "{answer}");

    // Within it, what is too long is named.
    let content = agent.post_to(&channel, serde_json::json!({ "content": "é".repeat(501) })).await.refused(422, "content_too_large");
    assert_eq!((&content["max_content_bytes"], &content["received_bytes"]), (&1000.into(), &1002.into()));
    agent.post_to(&channel, serde_json::json!({ "content": format!(" {} ", "é".repeat(500)) })).await.ok(201);
    // Escaped to the longest, the longest content still fits into a body.
    let escaped = format!("{{\"content\":\"{}\"}}", "\\u0041".repeat(1000));
    agent.ask(reqwest::Method::POST, &path).raw(escaped).await.ok(201);
    fleet.finish().await;
}
