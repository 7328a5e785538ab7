//! `GET /v1/channels/{identifier}/messages`: order, cursors, limits.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::fleet::Fleet;

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().unwrap().iter().map(|m| m["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_go_on_strictly_after_the_cursor_oldest_first() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("claimable").await;
    assert_eq!(agent.list(&id, "").await.ok(200), json!({ "data": [], "limit": 50, "next_cursor": null }));
    let mut posted = Vec::new();
    for i in 0..55 {
        posted.push(agent.post_message(&id, &i.to_string()).await);
    }
    let all = agent.list(&id, "limit=100").await.ok(200);
    assert_eq!(ids(&all), posted);
    let times: Vec<_> = all["data"].as_array().unwrap().iter().map(|m| m["created_at"].as_str().unwrap()).collect();
    assert!(times.windows(2).all(|pair| pair[0] < pair[1]), "unique and increasing");
    assert_eq!((&all["next_cursor"], &all["limit"]), (&json!(times[54]), &json!(100)));
    assert_eq!(ids(&agent.list(&id, "").await.ok(200)), posted[..50], "50 unless said otherwise");

    let (mut seen, mut cursor) = (Vec::new(), "0".to_owned());
    loop {
        let page = agent.list(&id, &format!("limit=7&cursor={cursor}")).await.ok(200);
        let next = page["next_cursor"].as_str().unwrap().to_owned();
        if page["data"].as_array().unwrap().is_empty() {
            assert_eq!(next, cursor, "an empty page gives the cursor back as it was sent");
            break;
        }
        seen.extend(ids(&page));
        cursor = next;
    }
    assert_eq!(seen, posted);
    // Acked ones stay listed.
    agent.claim(&posted[0]).await.ok(200);
    agent.ack(&posted[0]).await.ok(200);
    let first = agent.list(&id, "limit=1").await.ok(200)["data"][0].clone();
    assert_eq!((&first["id"], &first["state"]), (&json!(posted[0]), &json!("done")));
    fleet.finish().await;
}

#[tokio::test]
async fn cursors_are_taken_in_every_form_that_clients_send_and_nonsense_is_refused() {
    let fleet = Fleet::start(1).await;
    let agent = fleet.agent("agent").await;
    let id = agent.channel("broadcast").await;
    let posted = [agent.post_message(&id, "1").await, agent.post_message(&id, "2").await];
    let cursor = agent.list(&id, "limit=1").await.ok(200)["next_cursor"].as_str().unwrap().to_owned();
    let plain = cursor.trim_end_matches('Z');
    for same in
        [cursor.clone(), format!("{plain}%2B00:00"), format!("{plain}+00:00"), format!("{plain}%2000:00"), format!("%20{cursor}%20")]
    {
        for name in ["cursor", "since"] {
            assert_eq!(ids(&agent.list(&id, &format!("{name}={same}")).await.ok(200)), posted[1..], "{name}={same}");
        }
    }
    for start in ["cursor=0", "cursor=", "since=0", "since=", "cursor=&since=", "cursor=1960-01-01T00:00:00Z"] {
        assert_eq!(ids(&agent.list(&id, start).await.ok(200)), posted, "{start}");
    }
    assert_eq!(ids(&agent.list(&id, &format!("cursor=0&since={cursor}")).await.ok(200)), posted, "cursor wins");
    assert_eq!(ids(&agent.list(&id, &format!("cursor={cursor}&since=nonsense")).await.ok(200)), posted[1..]);
    for (query, sent) in [("cursor=9&limit=1", false), ("since=2026-01-01T00:00:00Z", true), ("cursor=0&since=0", false), ("", false)] {
        let reply = agent.list(&id, query).await;
        assert_eq!((reply.header("deprecation").is_some(), reply.header("sunset").is_some()), (sent, sent), "{query}");
    }
    for nonsense in ["yesterday", "12", "-1", "2026-13-01T00:00:00Z", "2026-11-22", "2026-11-22T01:27:01", "%00", "msg_x"] {
        for name in ["cursor", "since"] {
            assert_eq!(agent.list(&id, &format!("{name}={nonsense}")).await.refused(422, "invalid_cursor")["field"], name);
        }
    }
    for (limit, fine) in
        [("1", true), ("100", true), ("0", false), ("101", false), ("-1", false), ("ten", false), ("", false), ("1.5", false)]
    {
        let reply = agent.list(&id, &format!("limit={limit}")).await;
        if fine {
            reply.ok(200);
        } else {
            assert_eq!(reply.refused(422, "invalid_limit")["field"], "limit");
        }
    }
    for (query, code, field) in [
        ("status=open", "invalid_status", "status"),
        ("status=CLAIMED", "invalid_status", "status"),
        ("wait=long", "invalid_field", "wait"),
        ("wait=-1", "invalid_field", "wait"),
        ("wait=NaN", "invalid_field", "wait"),
        ("expiring_before=soon", "invalid_field", "expiring_before"),
    ] {
        assert_eq!(agent.list(&id, query).await.refused(422, code)["field"], field);
    }
    agent.list("nowhere", "").await.refused(404, "channel_not_found");
    agent.list("ch_abcdefghij2345672345", "").await.refused(404, "channel_not_found");
    fleet.finish().await;
}

#[tokio::test]
async fn expiring_before_shows_only_what_ends_earlier() {
    let fleet = Fleet::start(1).await;
    let agent = fleet.agent("agent").await;
    for mode in ["claimable", "broadcast"] {
        let id = agent.channel_with(json!({ "mode": mode, "ttl_seconds": 600 })).await;
        let mut posted = Vec::new();
        for content in ["1", "2", "3"] {
            posted.push(agent.post_to(&id, json!({ "content": content })).await.ok(201)["message"].clone());
        }
        let third_ends = posted[2]["expires_at"].as_str().unwrap();
        for status in ["", "&status=unclaimed"] {
            let page = agent.list(&id, &format!("expiring_before={third_ends}{status}")).await.ok(200);
            assert_eq!(ids(&page).len(), 2, "before, not at: {page}");
            let first_ends = posted[0]["expires_at"].as_str().unwrap();
            assert_eq!(agent.list(&id, &format!("expiring_before={first_ends}{status}")).await.ok(200)["data"], json!([]));
        }
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_page_is_at_most_a_mebibyte_and_the_next_one_goes_on() {
    let fleet = Fleet::start(2).await;
    let agent = fleet.agent("agent").await;
    // Plain text; text that triples when it is escaped; metadata on top.
    for (content, metadata) in [("x".repeat(10_000), 0), ("\u{1}".repeat(10_000), 0), ("y".repeat(5_000), 16_000)] {
        let id = agent.channel("claimable").await;
        let body = json!({ "content": content, "metadata": { "m": "z".repeat(metadata) } });
        let posts = join_all((0..110).map(|_| agent.post_to(&id, body.clone()).into_future())).await;
        assert!(posts.iter().all(|p| p.status == 201));
        for status in ["", "&status=unclaimed"] {
            let (mut seen, mut cursor) = (Vec::new(), String::new());
            loop {
                let page = agent.list(&id, &format!("limit=100&cursor={cursor}{status}")).await.has_status(200);
                assert!(page.text.len() <= 1_048_576, "{} bytes{status}", page.text.len());
                if ids(&page.body).is_empty() {
                    break;
                }
                seen.extend(ids(&page.body));
                cursor = page.body["next_cursor"].as_str().unwrap().to_owned();
            }
            let mut posted: Vec<_> = posts.iter().map(|p| p.body["message"]["id"].as_str().unwrap().to_owned()).collect();
            posted.sort();
            assert_eq!(seen, posted);
        }
    }
    fleet.finish().await;
}
