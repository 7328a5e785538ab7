//! Unknown routes, wrong methods, HEAD.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::json;

use crate::support::fleet::Fleet;

const METHODS: [&str; 6] = ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE"];

#[tokio::test]
async fn a_wrong_method_is_told_which_ones_there_are_and_an_unknown_path_that_there_is_none() {
    let fleet = Fleet::start(1).await;
    let mut taken: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for operation in backchannel::router::operations() {
        let path = operation.path.split('/').map(|s| if s.starts_with('{') { "some-id" } else { s }).collect::<Vec<_>>().join("/");
        taken.entry(path).or_default().push(operation.method);
    }
    taken.entry("/metrics".into()).or_default().push("GET");
    taken.entry("/livez".into()).or_default().push("GET");
    for (path, methods) in &taken {
        for method in METHODS.iter().filter(|method| !methods.contains(method)) {
            let reply = fleet.client().ask(method.parse().unwrap(), path).await;
            let mut allowed: Vec<&str> = reply.header("allow").unwrap_or_default().split(',').map(str::trim).collect();
            allowed.retain(|method| !["HEAD", "OPTIONS"].contains(method));
            allowed.sort_unstable();
            let mut expected = methods.clone();
            expected.sort_unstable();
            assert_eq!(allowed, expected, "Allow of {method} {path}");
            reply.refused(405, "method_not_allowed");
        }
    }
    let agent = fleet.agent("lost").await;
    for path in ["/v1", "/v1/", "/v2/keys", "/v1/keys/", "/v1/keys/me/", "//v1/keys/me", "/V1/keys/me", "/v1/channels/x/y/z", "/.git", "/%"]
    {
        for method in METHODS {
            agent.ask(method.parse().unwrap(), path).await.refused(404, "not_found");
        }
    }
    fleet.finish().await;
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let fleet = Fleet::start(1).await;
    let agent = fleet.agent("head").await;
    let channel = agent.channel("claimable").await;
    agent.post_message(&channel, "a task").await;
    for path in ["/v1/keys/me".to_owned(), format!("/v1/channels/{channel}"), format!("/v1/channels/{channel}/messages"), "/livez".into()] {
        let get = agent.get(&path).await.has_status(200);
        let head = agent.ask(Method::HEAD, &path).await.has_status(200);
        assert!(head.text.is_empty(), "{path}");
        assert_eq!(head.header("content-type"), get.header("content-type"), "{path}");
        assert_eq!(head.header("content-length"), Some(get.text.len().to_string().as_str()), "{path}");
    }
    let statuses = [("/nowhere", 404), ("/v1/tasks/claim", 405), ("/v1/channels/ch_x", 404)];
    for (path, status) in statuses {
        assert!(agent.ask(Method::HEAD, path).await.has_status(status).text.is_empty());
    }
    fleet.client().ask(Method::HEAD, "/v1/keys/me").await.has_status(401);
    // It reads and nothing more.
    let page = agent.get(&format!("/v1/channels/{channel}/messages")).await.ok(200);
    assert_eq!(page["data"][0]["claimed_by"], json!(null));
    fleet.finish().await;
}
