//! Every command that a document shows is run as printed, through one address in front of two replicas.

use std::process::Stdio;
use std::time::Duration;

use backchannel::documents::{DOCUMENTS, Kind};
use serde_json::{Value, json};

use crate::support::balancer::Balancer;
use crate::support::fleet::Fleet;

/// The `sh` blocks of a document, in order.
pub fn of(kind: Kind, text: &str) -> Vec<String> {
    let (begin, end) = if kind == Kind::Html { ("<code class=\"sh\">", "</code>") } else { ("```sh\n", "\n```") };
    let parts = text.split(begin).skip(1);
    let blocks = parts.map(|part| part.split(end).next().unwrap_or_default().to_owned());
    if kind == Kind::Html { blocks.map(|block| unescaped(&block)).collect() } else { blocks.collect() }
}

/// What a reader of the page sees and copies.
pub fn unescaped(html: &str) -> String {
    let named = [("&quot;", "\""), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")];
    named.iter().fold(html.to_owned(), |text, (name, sign)| text.replace(name, sign))
}

/// What each block printed, and after the last one what `shown` names of the session's variables.
pub async fn run(blocks: &[String], env: &[(&str, &str)], shown: &str) -> Vec<String> {
    const MARK: &str = "-- end of block --";
    let script: String = blocks.iter().map(|block| format!("{block}\necho; echo '{MARK}'\n")).collect();
    let mut command = tokio::process::Command::new("bash");
    command.args(["-euc", &format!("{script}\necho \"{shown}\"")]).env_remove("BACKCHANNEL_API_KEY").env("NO_PROXY", "*");
    let output = command.envs(env.iter().copied()).stdin(Stdio::null()).kill_on_drop(true).output();
    let output = tokio::time::timeout(Duration::from_secs(180), output).await.expect("the blocks end").expect("bash runs");
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && complaints.is_empty(), "{}\n{printed}\n{complaints}\n{script}", output.status);
    assert!(!printed.contains("\"error\":"), "a request was refused:\n{printed}\n{script}");
    printed.split(MARK).map(|part| part.trim().to_owned()).collect()
}

/// Every document with blocks, run as it is served at `base`; the number of blocks.
async fn run_all(fleet: &Fleet, base: &Balancer, env: &[(&str, &str)]) -> usize {
    let host = base.url().replace("http://", "");
    let mut count = 0;
    for document in DOCUMENTS.iter().filter(|d| matches!(d.kind, Kind::Text | Kind::Markdown | Kind::Html)) {
        let page = fleet.client().get(document.path).header("Host", &host).await.has_status(200).text;
        let blocks = of(document.kind, &page);
        if blocks.is_empty() {
            assert!(!page.contains("curl -"), "{} shows a request outside of a block that is run", document.path);
            continue;
        }
        let all = blocks.concat();
        assert_eq!(page.matches("curl -").count(), all.matches("curl -").count(), "{}: each request is in a block", document.path);
        let before = base.connections();
        run(&blocks, env, "").await;
        assert!(base.connections() > before + 1, "{} speaks to the instance under its advertised URL", document.path);
        count += blocks.len();
    }
    count
}

#[tokio::test]
async fn every_block_of_every_document_works_as_printed_over_two_replicas() {
    let fleet = Fleet::start(2).await;
    let base = Balancer::start(&fleet).await;
    assert!(run_all(&fleet, &base, &[]).await > 20);
    fleet.finish().await;
}

#[tokio::test]
async fn every_block_works_for_who_was_given_keys_where_minting_is_closed_and_nothing_waits() {
    let fleet = Fleet::builder()
        .env("BACKCHANNEL_ADMIN_TOKEN", "operator")
        .env("BACKCHANNEL_LONGPOLL_ENABLED", "false")
        .env("BACKCHANNEL_MIN_TTL_SECONDS", "300")
        .env("BACKCHANNEL_SANDBOX", "true")
        .start()
        .await;
    let (own, other) = (fleet.agent("own").await, fleet.agent("other").await);
    let close = fleet.client().post("/v1/admin/minting", json!({ "enabled": false })).header("X-Admin-Token", "operator");
    close.await.ok(200);
    let base = Balancer::start(&fleet).await;
    let env = [("BACKCHANNEL_API_KEY", own.key.as_str()), ("WORKER_API_KEY", other.key.as_str())];
    assert!(run_all(&fleet, &base, &env).await > 15);
    let said = own.list("sandbox", "limit=100").await.ok(200);
    assert!(said["data"].as_array().is_some_and(|all| all.iter().any(|m| m["content"] == "hello from a new agent")), "{said}");
    fleet.finish().await;
}

#[tokio::test]
async fn the_first_success_prompt_and_the_guide_end_as_they_say() {
    let fleet = Fleet::start(2).await;
    let base = Balancer::start(&fleet).await;
    let host = base.url().replace("http://", "");
    let blocks = async |path: &str| {
        let page = fleet.client().get(path).header("Host", &host).await.has_status(200).text;
        of(Kind::Text, &page)
    };
    let said = run(&blocks("/first-success-prompt.txt").await, &[], "").await;
    assert_eq!(said[3], "acknowledged", "step 4: {said:#?}");
    let last: Value = serde_json::from_str(&said[4]).expect("JSON");
    assert_eq!(last["claimed"], Value::Null, "step 5");

    let said = run(&blocks("/agent-guide").await, &[], "$KEY $CHANNEL $REVIEW $NEWS").await;
    let ids: Vec<&str> = said.last().expect("what was echoed").split(' ').collect();
    let agent = fleet.client().with_key(ids[0]);
    let tasks = agent.get(&format!("/v1/channels/{}/messages", ids[1])).await.ok(200);
    let states: Vec<&Value> = tasks["data"].as_array().expect("a page").iter().map(|m| &m["state"]).collect();
    assert_eq!(states, ["done", "done", "open"], "two were done, one was given back: {tasks}");
    let receipt = agent.get(&format!("/v1/messages/{}", ids[2])).await.ok(200);
    assert_eq!((&receipt["state"], &receipt["result"]), (&json!("done"), &json!("Reviewed, no findings")));
    let news = agent.get(&format!("/v1/channels/{}/messages", ids[3])).await.ok(200);
    assert_eq!(news["data"].as_array().expect("a page").len(), 2, "{news}");
    fleet.finish().await;
}
