//! `GET /v1/sessions`

use serde_json::{Value, json};

use super::create;
use crate::support::fleet::Fleet;

fn names(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|session| session["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn pages_go_from_the_newest_to_the_oldest_each_session_once() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    for n in 0..5 {
        create(&agent, json!({ "name": format!("s{n}") })).await;
    }
    let whole = agent.get("/v1/sessions").await.ok(200);
    assert_eq!(names(&whole), ["s4", "s3", "s2", "s1", "s0"]);
    assert_eq!((&whole["next_cursor"], &whole["limit"]), (&Value::Null, &json!(50)));
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    for replica in 0..3 {
        let page = agent.on(replica % 2).get(&format!("/v1/sessions?limit=2&cursor={cursor}")).await.ok(200);
        seen.extend(names(&page).into_iter().map(str::to_owned));
        cursor = page["next_cursor"].as_str().unwrap_or_default().to_owned();
    }
    assert_eq!((seen, cursor.as_str()), (["s4", "s3", "s2", "s1", "s0"].map(str::to_owned).to_vec(), ""));
    for (query, code, field) in [
        ("limit=0", "invalid_limit", "limit"),
        ("limit=101", "invalid_limit", "limit"),
        ("limit=x", "invalid_limit", "limit"),
        ("cursor=x", "invalid_cursor", "cursor"),
    ] {
        assert_eq!(agent.get(&format!("/v1/sessions?{query}")).await.refused(422, code)["field"], field);
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_page_of_large_sessions_ends_early_and_goes_on() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("owner").await;
    for _ in 0..20 {
        create(&agent, json!({ "state": { "a": "x".repeat(65_000) } })).await;
    }
    let first = agent.get("/v1/sessions").await.ok(200);
    let shown = first["data"].as_array().unwrap().len();
    assert!((10..20).contains(&shown), "{shown}");
    let cursor = first["next_cursor"].as_str().unwrap();
    let rest = agent.get(&format!("/v1/sessions?cursor={cursor}")).await.ok(200);
    assert_eq!(rest["data"].as_array().unwrap().len(), 20 - shown);
    fleet.finish().await;
}
