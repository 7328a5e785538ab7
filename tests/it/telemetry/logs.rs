//! Lines of the log are as docs/logs.md says.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::fleet::Fleet;
use crate::support::receiver::Receiver;
use crate::support::wait::eventually;
use crate::support::worker::Worker;

/// The fields of the table under this heading.
fn documented(heading: &str) -> BTreeSet<String> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/logs.md")).expect("docs/logs.md is there");
    let (_, section) = page.split_once(&format!("## {heading}\n")).expect("the heading is there");
    let section = section.split("\n## ").next().unwrap_or_default();
    let cells = section.lines().filter_map(|line| line.strip_prefix("| `")?.split_once('`'));
    cells.map(|(name, _)| name.to_owned()).collect()
}

fn line(log: &str, message: &str, wanted: impl Fn(&Value) -> bool) -> Option<Value> {
    let mut lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    lines.find(|line| line["message"] == message && wanted(line))
}

fn fields(line: &Value) -> BTreeSet<String> {
    line.as_object().expect("an object").keys().cloned().collect()
}

#[tokio::test]
async fn a_request_and_a_try_have_exactly_the_documented_fields() {
    let fleet = Fleet::start(1).await;
    let (worker, receiver) = (Worker::start(&fleet, &[]).await, Receiver::start().await);
    let owner = fleet.agent("owner").await;
    let channel = owner.channel_with(json!({ "mode": "broadcast", "webhook_url": receiver.url() })).await;
    let posted = owner.post_to(&channel, json!({ "content": "x" })).await;
    let (request_id, trace) = (posted.header("x-request-id").unwrap().to_owned(), posted.header("traceparent").unwrap().to_owned());
    posted.ok(201);
    let missing = owner.get("/v1/channels/nothing-of-this-name").await;
    let missing_id = missing.header("x-request-id").unwrap().to_owned();
    missing.refused(404, "channel_not_found");
    let got = receiver.gets(1, Duration::from_secs(20)).await;
    let of = |id: &str| line(&fleet.log(0), "request", |line| line["request.id"] == id);
    eventually("both are logged", Duration::from_secs(15), || async { of(&request_id).is_some() && of(&missing_id).is_some() }).await;

    let request = of(&request_id).unwrap();
    assert_eq!(fields(&request), documented("A request"));
    let told = (&request["level"], &request["key.id"], &request["status"], &request["code"], &request["cause"]);
    assert_eq!(told, (&json!("INFO"), &json!(owner.key_id), &json!(201), &json!("-"), &json!("-")), "{request}");
    assert_eq!((&request["trace.id"], &request["target"]), (&json!(&trace[3..35]), &json!("backchannel::http::finish")));
    let refused = of(&missing_id).unwrap();
    assert_eq!((fields(&refused), &refused["code"]), (documented("A request"), &json!("channel_not_found")));

    let tried = || line(&worker.log(), "delivery tried", |line| line["delivery"] == got[0].id());
    eventually("the try is logged", Duration::from_secs(15), || async { tried().is_some() }).await;
    let tried = tried().unwrap();
    assert_eq!(fields(&tried), documented("A try of a webhook"));
    let told = (&tried["level"], &tried["attempt"], &tried["status"], &tried["error"], &tried["target"]);
    assert_eq!(told, (&json!("INFO"), &json!(1), &json!(200), &json!(""), &json!("backchannel::webhooks::deliver")), "{tried}");
    fleet.finish().await;
}
