//! Requests that are not HTTP, or whose head is too long: errors like all others, and the connection is closed.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::support::codes;
use crate::support::fleet::Fleet;

const GOOD: &str = "GET /livez HTTP/1.1\r\nHost: x\r\n\r\n";

/// The last bytes in a piece of their own: a path is refused as too long, and not the head, only if none of what is read ends between the
/// size of the buffer (64 KiB) and the end of the head.
async fn send(tcp: &mut TcpStream, head: &str) {
    let (most, last) = head.as_bytes().split_at(head.len().saturating_sub(1000));
    tcp.write_all(most).await.unwrap();
    tcp.write_all(last).await.unwrap();
}

/// All that comes back until the replica closes the connection.
async fn answer_to(fleet: &Fleet, sent: &str) -> String {
    let mut tcp = TcpStream::connect(fleet.url(0).trim_start_matches("http://")).await.unwrap();
    send(&mut tcp, sent).await;
    let mut answer = String::new();
    timeout(Duration::from_secs(10), tcp.read_to_string(&mut answer)).await.expect("closed in time").expect("closed in order");
    answer
}

#[track_caller]
fn is_refused(answer: &str, status: &str, code: &str, what: &str) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{what}: {answer:?}"));
    assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{what}: {answer}");
    let header =
        |name: &str| head.lines().filter_map(|line| line.split_once(": ")).find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v);
    let body: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{what}: {error}: {answer}"));
    assert_eq!(body["error"], code, "{what}");
    codes::note(&body);
    assert_eq!(body["request_id"].as_str(), header("x-request-id"), "{what}");
    assert!(body["suggestion"].is_string() && body["documentation_url"].as_str().is_some_and(|url| url.ends_with(&code.replace('_', "-"))));
    let expected = [("content-type", "application/json; charset=utf-8"), ("connection", "close"), ("x-content-type-options", "nosniff")];
    for (name, value) in expected {
        assert_eq!(header(name), Some(value), "{what}: {name}");
    }
    assert_eq!(header("content-length").unwrap().parse::<usize>().unwrap(), answer.len() - head.len() - 4, "{what}");
    assert!(header("date").is_some() && header("traceparent").is_some(), "{what}: {head}");
}

#[tokio::test]
async fn a_head_that_cannot_be_read_is_refused_like_anything_else() {
    let fleet = Fleet::start(1).await;
    let long = "x".repeat(300_000);
    let many: String = (0..200).map(|n| format!("X-{n}: y\r\n")).collect();
    let heads = [
        ("no HTTP", "hello\r\n\r\n".to_owned(), "400 Bad Request", "malformed_request"),
        ("another version", "GET / HTTP/9.9\r\n\r\n".into(), "400 Bad Request", "malformed_request"),
        ("a space in the path", "GET /a b HTTP/1.1\r\nHost: x\r\n\r\n".into(), "400 Bad Request", "malformed_request"),
        ("a header without a name", "GET / HTTP/1.1\r\n: x\r\n\r\n".into(), "400 Bad Request", "malformed_request"),
        (
            "two lengths",
            "POST /v1/keys HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n".into(),
            "400 Bad Request",
            "malformed_request",
        ),
        ("too many headers", format!("GET /livez HTTP/1.1\r\n{many}\r\n"), "431 Request Header Fields Too Large", "headers_too_large"),
        ("a long header", format!("GET /livez HTTP/1.1\r\nX: {long}\r\n\r\n"), "431 Request Header Fields Too Large", "headers_too_large"),
        ("a long path", format!("GET /{} HTTP/1.1\r\n\r\n", &long[..65_535]), "414 URI Too Long", "uri_too_long"),
    ];
    for (what, head, status, code) in heads {
        is_refused(&answer_to(&fleet, &head).await, status, code, what);
        // The same after a request that was fine.
        let mut tcp = TcpStream::connect(fleet.url(0).trim_start_matches("http://")).await.unwrap();
        tcp.write_all(GOOD.as_bytes()).await.unwrap();
        let mut first = vec![0; 8192];
        let n = tcp.read(&mut first).await.unwrap();
        assert!(first.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&first[..n]));
        send(&mut tcp, &head).await;
        let mut second = String::new();
        timeout(Duration::from_secs(10), tcp.read_to_string(&mut second)).await.expect("closed in time").expect("closed in order");
        is_refused(&second, status, code, what);
    }
    // They are counted, and nobody else is touched.
    assert!(answer_to(&fleet, &GOOD.replace("Host: x", "Host: x\r\nConnection: close")).await.starts_with("HTTP/1.1 200 OK\r\n"));
    let metrics = fleet.client_on(0).get("/metrics").await.has_status(200).text;
    let counted = metrics.lines().find(|line| line.starts_with("backchannel_requests_total") && line.contains("\"400\""));
    assert!(counted.is_some_and(|line| line.contains("unmatched") && line.ends_with(" 10")), "{counted:?}");
    fleet.finish().await;
}
