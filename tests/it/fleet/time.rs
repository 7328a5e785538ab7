//! Clocks that go back: after a failover to a Redis that lost its tail, readers hold cursors that lie ahead of the channel.

use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::support::client::Agent;
use crate::support::fleet::Fleet;

fn seconds_from_now(seconds: i64) -> String {
    format!("{:.6}", Timestamp::now() + SignedDuration::from_secs(seconds))
}

fn contents(page: &Value) -> Vec<&str> {
    page["data"].as_array().unwrap().iter().map(|m| m["content"].as_str().unwrap()).collect()
}

fn time(message: &Value) -> Timestamp {
    message["created_at"].as_str().unwrap().parse().unwrap()
}

async fn post(agent: &Agent, channel: &str, content: &str) -> Value {
    agent.post_to(channel, json!({ "content": content })).await.ok(201)["message"].clone()
}

#[tokio::test]
async fn a_reader_whose_cursor_lies_ahead_by_less_than_a_minute_sees_what_is_posted_next() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    for status in ["", "&status=unclaimed", "&status=claimed"] {
        let channel = agent.channel("claimable").await;
        post(&agent, &channel, "before").await;
        let cursor = seconds_from_now(30);
        let page = agent.on(0).list(&channel, &format!("cursor={cursor}{status}")).await.ok(200);
        assert_eq!((&page["data"], &page["next_cursor"], page.get("gap")), (&json!([]), &json!(cursor), None), "{status}");
        let mut last = cursor.parse().unwrap();
        for content in ["1", "2", "3"] {
            let message = post(&agent.on(1), &channel, content).await;
            assert!(time(&message) > last, "above what the reader has seen, and increasing");
            last = time(&message);
            agent.claim(message["id"].as_str().unwrap()).await.ok(200);
            if status == "&status=unclaimed" {
                agent.release(message["id"].as_str().unwrap()).await.ok(200);
            }
        }
        let page = agent.on(0).list(&channel, &format!("cursor={cursor}{status}")).await.ok(200);
        assert_eq!(contents(&page), ["1", "2", "3"], "{status}");
        assert_eq!(page["next_cursor"], page["data"][2]["created_at"]);
    }
    // The same for one that waits.
    let channel = agent.channel("broadcast").await;
    let cursor = seconds_from_now(30);
    let waiter = tokio::spawn(agent.on(0).list(&channel, &format!("cursor={cursor}&wait=20")).into_future());
    crate::support::wait::eventually("it waits", std::time::Duration::from_secs(10), || async {
        fleet.metric(0, "backchannel_waiters").await == Some(1.0)
    })
    .await;
    post(&agent.on(1), &channel, "new").await;
    assert_eq!(contents(&waiter.await.unwrap().ok(200)), ["new"]);
    fleet.finish().await;
}

#[tokio::test]
async fn a_cursor_that_lies_further_ahead_gets_a_gap_and_the_last_minute_and_goes_on_from_there() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let cursor = seconds_from_now(3600);
    for status in ["", "&status=unclaimed"] {
        // Nothing there: the cursor of the lost future is not given back.
        let empty = agent.list(&agent.channel("claimable").await, &format!("cursor={cursor}{status}&wait=20")).await.ok(200);
        assert_eq!((&empty["data"], &empty["gap"]), (&json!([]), &json!(true)), "at once, though it would wait");
        let next: Timestamp = empty["next_cursor"].as_str().unwrap().parse().unwrap();
        let age = Timestamp::now().duration_since(next).as_secs();
        assert!((59..90).contains(&age), "about a minute ago: {age} s");
    }
    for content in ["1", "2"] {
        post(&agent, &channel, content).await;
    }
    let page = agent.list(&channel, &format!("cursor={cursor}&limit=1")).await.ok(200);
    assert_eq!((contents(&page), &page["gap"]), (vec!["1"], &json!(true)), "repeat rather than skip");
    post(&agent, &channel, "3").await;
    let page = agent.list(&channel, &format!("cursor={}", page["next_cursor"].as_str().unwrap())).await.ok(200);
    assert_eq!((contents(&page), page.get("gap")), (vec!["2", "3"], None), "and it goes on as ever");
    let subscribed = agent.post("/v1/tasks/subscribe", json!({ "channel": channel, "cursor": cursor })).await.ok(200);
    assert_eq!((contents(&subscribed), &subscribed["gap"]), (vec!["1", "2", "3"], &json!(true)));
    fleet.finish().await;
}

#[tokio::test]
async fn numbers_stay_unique_and_increasing_when_the_clock_stands_still_or_went_back() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let channel = agent.channel("claimable").await;
    let first = post(&agent, &channel, "before").await;
    // Its Redis was forty seconds ahead when the newest message was posted: longer than all of this takes, and less than a minute.
    let ahead = Timestamp::now() + SignedDuration::from_secs(40);
    let last = ahead.as_microsecond();
    let log = key(&fleet, &channel, "log");
    let newest: String = fleet.redis().run(&["XADD", &log, &last.to_string(), "h", ""]);
    fleet.redis().run::<()>(&["XDEL", &log, &newest]);
    let posts = futures::future::join_all((0..20).map(|i| post(&agent, &channel, if i % 2 == 0 { "even" } else { "odd" }))).await;
    let mut numbers: Vec<_> = posts.iter().map(|m| time(m).as_microsecond()).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=20).map(|i| last + i).collect::<Vec<_>>(), "each above the last, none twice");
    let page = agent.list(&channel, "").await.ok(200);
    assert_eq!(page["data"].as_array().unwrap().len(), 21);
    assert_eq!(page["data"][0]["id"], first["id"]);
    let after = agent.list(&channel, &format!("cursor={}", page["next_cursor"].as_str().unwrap())).await.ok(200);
    assert_eq!(after["data"], json!([]));
    post(&agent, &channel, "next").await;
    let after = agent.list(&channel, &format!("cursor={}", page["next_cursor"].as_str().unwrap())).await.ok(200);
    assert_eq!(contents(&after), ["next"]);
    // They can be worked on as any other.
    assert_eq!(agent.claim_next(&channel, json!({ "max": 10 })).await.ok(200)["claims"].as_array().unwrap().len(), 10);
    fleet.finish().await;
}

fn key(fleet: &Fleet, channel: &str, name: &str) -> String {
    format!("{}{{{channel}}}:{name}", fleet.prefix())
}
