//! An agent that knows one URL and nothing else gets a task done.

use backchannel::documents::Kind;
use serde_json::Value;

use super::blocks;
use crate::support::balancer::Balancer;
use crate::support::fleet::Fleet;

#[tokio::test]
async fn who_follows_llms_txt_step_by_step_ends_with_a_completed_handoff() {
    let fleet = Fleet::start(2).await;
    let base = Balancer::start(&fleet).await;
    // It asks for the front page, as agents do, and gets the instructions.
    let page = fleet.client().get("/").header("User-Agent", "Claude-User/1.0").header("Host", &base.url()["http://".len()..]).await;
    let page = page.has_status(200);
    assert_eq!(page.header("content-type"), Some("text/markdown; charset=utf-8"));
    let steps = blocks::of(Kind::Text, &page.text);
    let said = blocks::run(&steps, &[], "$KEY $CHANNEL $MESSAGE $CURSOR").await;
    assert!(base.connections() >= 10, "each request was made");

    let answer = |step: usize| said[step].lines().rev().find_map(|line| serde_json::from_str::<Value>(line).ok()).expect("JSON");
    assert_eq!(answer(0)["active"], true, "1. a key");
    assert_eq!(answer(1)["message"]["state"], "open", "2. a task");
    assert_eq!(answer(2)["claimed"]["content"], "Summarise the report", "3. claimed");
    assert!(answer(3)["lease_expires_at"].is_string(), "4. kept");
    assert_eq!(answer(4)["status"], "acknowledged", "5. done");
    assert_eq!((&answer(5)["state"], &answer(5)["result"]), (&"done".into(), &"The report says yes".into()), "6. the result");

    // And so it is, for who looks from outside.
    let ids: Vec<&str> = said.last().expect("what was echoed").split(' ').collect();
    let list = fleet.client().with_key(ids[0]).get(&format!("/v1/channels/{}/messages", ids[1])).await.ok(200);
    assert_eq!(list["data"].as_array().map(Vec::len), Some(1));
    assert_eq!((&list["data"][0]["id"], &list["data"][0]["state"]), (&ids[2].into(), &"done".into()), "{list}");
    assert_eq!(answer(6)["next_cursor"], ids[3], "an empty page gives the cursor back: {said:#?}");
    fleet.finish().await;
}
