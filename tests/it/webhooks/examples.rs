//! The receivers of docs/webhooks.md verify what is really pushed, and nothing else.

use std::process::Command;

use serde_json::json;

use super::{SOON, verify_example};
use crate::support::fleet::Fleet;
use crate::support::process::scratch;
use crate::support::receiver::{Got, Receiver};
use crate::support::worker::Worker;

const PAGE: &str = include_str!("../../../docs/webhooks.md");

/// The code block of this language.
fn block(language: &str) -> &'static str {
    let (_, rest) = PAGE.split_once(&format!("```{language}\n")).unwrap_or_else(|| panic!("no {language} in docs/webhooks.md"));
    rest.split_once("```").expect("the block ends").0
}

/// Runs a program with what came as arguments; whether it said that the signature is right.
fn says_right(program: &str, file: &str, code: &str, headers: &serde_json::Value, body: &str, secret: &str) -> bool {
    let path = scratch().join(file);
    std::fs::write(&path, code).expect("the scratch directory can be written to");
    let out = Command::new(program).arg(&path).args([&headers.to_string(), body, secret]).output();
    let out = out.unwrap_or_else(|e| panic!("{program}: {e}"));
    assert!(out.status.success(), "{program}: {}", String::from_utf8_lossy(&out.stderr));
    match String::from_utf8_lossy(&out.stdout).trim().to_lowercase().as_str() {
        "true" => true,
        "false" => false,
        other => panic!("{program} said {other:?}"),
    }
}

/// What each of the three examples says of these headers and this body.
fn verdicts(headers: &serde_json::Value, body: &str, secret: &str) -> [bool; 3] {
    let python =
        format!("{}\nimport json, sys\nprint(verify(json.loads(sys.argv[1]), sys.argv[2].encode(), sys.argv[3]))\n", block("python"));
    let node = format!("{}\nconst [,, h, b, s] = process.argv;\nconsole.log(verify(JSON.parse(h), b, s));\n", block("ts"));
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
    let text = |name: &str| headers[name].as_str().unwrap_or_default();
    let (id, timestamp, signature) = (text("webhook-id"), text("webhook-timestamp"), text("webhook-signature"));
    [
        says_right("python3", "verify.py", &python, headers, body, secret),
        says_right("node", "verify.mjs", &node, headers, body, secret),
        verify_example::verify(id, timestamp, signature, body.as_bytes(), secret, now),
    ]
}

#[test]
fn the_page_shows_the_code_that_is_tested() {
    assert_eq!(block("rust"), include_str!("verify_example.rs"));
}

#[tokio::test]
async fn each_example_verifies_what_is_pushed_and_refuses_what_was_changed() {
    let fleet = Fleet::start(1).await;
    let (_worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    let owner = fleet.agent("owner").await;
    for (n, secret) in ["a plain secret", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"].into_iter().enumerate() {
        let fields = json!({ "mode": "broadcast", "webhook_url": receiver.url(), "webhook_secret": secret });
        let channel = owner.channel_with(fields).await;
        owner.post_message(&channel, "héllo").await;
        let got: Got = receiver.gets(n + 1, SOON).await.remove(n);
        let headers = json!(got.headers);
        assert_eq!(verdicts(&headers, &got.text, secret), [true; 3]);
        assert_eq!(verdicts(&headers, &got.text.replace("héllo", "hello"), secret), [false; 3], "another body");
        assert_eq!(verdicts(&headers, &got.text, "another secret"), [false; 3]);
        let mut old = headers.clone();
        old["webhook-timestamp"] = json!("1760000000");
        assert_eq!(verdicts(&old, &got.text, secret), [false; 3], "another time");
    }
    fleet.finish().await;
}
