//! PATCH merges, and keeps what was sent in the words it was sent in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use deadpool_redis::redis::cmd;
use futures::future::join_all;
use serde_json::json;

use super::{create, patch};
use crate::support::fleet::Fleet;
use crate::support::wait::eventually;

#[tokio::test]
async fn a_patch_merges_field_by_field_and_without_state_the_body_is_merged() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    let id = create(&agent, json!({ "name": "n", "metadata": { "m": 1 } })).await;
    let state = async |body| patch(&agent, &id, body).await.ok(200)["state"].clone();
    assert_eq!(state(json!({ "state": { "a": 1, "deep": { "x": 1 } } })).await, json!({ "a": 1, "deep": { "x": 1 } }));
    assert_eq!(state(json!({ "state": { "b": [2] } })).await, json!({ "a": 1, "b": [2], "deep": { "x": 1 } }));
    assert_eq!(state(json!({ "state": { "deep": { "y": 2 }, "a": null } })).await, json!({ "a": null, "b": [2], "deep": { "y": 2 } }));
    assert_eq!(state(json!({ "state": {} })).await, json!({ "a": null, "b": [2], "deep": { "y": 2 } }));
    // null counts as {} (chapter 1), and is a state that was sent.
    assert_eq!(state(json!({ "state": null, "ignored": 1 })).await, json!({ "a": null, "b": [2], "deep": { "y": 2 } }));
    let all = patch(&agent, &id, json!({ "name": "new", "metadata": { "k": 2 }, "c": 3, "deep": {} })).await.ok(200);
    assert_eq!(all["state"], json!({ "a": null, "b": [2], "c": 3, "deep": {} }));
    assert_eq!((&all["name"], &all["metadata"]), (&json!("new"), &json!({ "k": 2 })), "fields of their own, not of the state");
    let kept = patch(&agent, &id, json!({ "d": 4 })).await.ok(200);
    assert_eq!((&kept["name"], &kept["metadata"]), (&json!("new"), &json!({ "k": 2 })));
    fleet.finish().await;
}

#[tokio::test]
async fn numbers_lists_and_large_values_come_back_as_they_were_sent() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    let id = create(&agent, json!({})).await;
    let exact = r#"{"state":{"big":12345678901234567890,"exact":1.10,"none":[],"empty":{},"e":1e3,"text":"\u00fc"}}"#;
    let path = format!("/v1/sessions/{id}");
    agent.ask(reqwest::Method::PATCH, &path).raw(exact).await.has_status(200);
    let after = patch(&agent, &id, json!({ "more": 1 })).await.has_status(200).text;
    for part in [r#""big":12345678901234567890"#, r#""exact":1.10"#, r#""none":[]"#, r#""empty":{}"#, r#""e":1e3"#, r#""text":"\u00fc""#] {
        assert!(after.contains(part), "{part} is not in {after}");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn changes_that_race_on_two_replicas_are_all_kept() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    let id = create(&agent, json!({})).await;
    let changes = (0..20).map(|n| {
        let (agent, id) = (agent.on(n % 2), id.clone());
        async move { patch(&agent, &id, json!({ "state": { (format!("k{n}")): n } })).await.ok(200) }
    });
    join_all(changes).await;
    let state = agent.get(&format!("/v1/sessions/{id}")).await.ok(200)["state"].clone();
    assert_eq!(state.as_object().unwrap().len(), 20, "{state}");
    fleet.finish().await;
}

#[tokio::test]
async fn a_change_that_others_outrun_again_and_again_is_given_up_and_changes_nothing() {
    let fleet = Fleet::start(1).await;
    let agent = fleet.agent("owner").await;
    let id = create(&agent, json!({})).await;
    // Somebody else who is always faster: each round the record has another revision.
    const OTHERS: &str = "local a, n, rest = string.match(redis.call('HGET', KEYS[1], ARGV[1]), '^(%d+\\31%d+\\31)(%d+)(.*)$')
        redis.call('HSET', KEYS[1], ARGV[1], a .. (n + 1) .. rest)";
    let key = format!("{}{{{}}}:sessions:{}", fleet.prefix(), &agent.key_id[..20], agent.key_id);
    let (rounds, going) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(true)));
    let others: Vec<_> = (0..3)
        .map(|_| {
            let (redis, key, session, rounds, going) = (fleet.redis().clone(), key.clone(), id.clone(), rounds.clone(), going.clone());
            tokio::task::spawn_blocking(move || {
                let mut conn = redis.conn();
                while going.load(Ordering::Relaxed) {
                    cmd("EVAL").arg(OTHERS).arg(1).arg(&key).arg(&session).query::<()>(&mut conn).expect("it is a session");
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    eventually("the others have begun", Duration::from_secs(10), || async { rounds.load(Ordering::Relaxed) > 100 }).await;
    // On a busy machine one may slip in between; then the next tries.
    let began = Instant::now();
    let (refused, lost) = loop {
        let field = format!("k{}", began.elapsed().as_micros());
        let answer = patch(&agent, &id, json!({ "state": { (field.clone()): 1 } })).await;
        if answer.status == 409 {
            break (answer, field);
        }
        assert!(began.elapsed() < Duration::from_secs(30), "nobody is ever outrun");
    };
    going.store(false, Ordering::Relaxed);
    join_all(others).await;
    refused.refused(409, "session_conflict");
    assert!(agent.get(&format!("/v1/sessions/{id}")).await.ok(200)["state"].get(&lost).is_none());
    patch(&agent, &id, json!({ "state": { "mine": 1 } })).await.ok(200);
    fleet.finish().await;
}
