//! `POST /v1/tasks/subscribe`: a page of messages, the channel in the body.

use serde_json::json;

use crate::support::fleet::Fleet;

#[tokio::test]
async fn it_lists_like_the_channels_own_page_and_waits_like_it() {
    let fleet = Fleet::start(2).await;
    let (poster, reader) = (fleet.agent("poster").await, fleet.agent("reader").await);
    let channel = poster.channel_with(json!({ "name": "jobs", "mode": "claimable" })).await;
    for content in ["one", "two", "three"] {
        poster.post_message(&channel, content).await;
    }
    let subscribe = |mut fields: serde_json::Value| {
        fields["channel"] = channel.clone().into();
        reader.post("/v1/tasks/subscribe", fields)
    };
    let all = subscribe(json!({})).await.ok(200);
    assert_eq!(all, reader.list(&channel, "").await.ok(200));
    assert_eq!(all["data"].as_array().map(Vec::len), Some(3));
    assert_eq!(poster.post("/v1/tasks/subscribe", json!({ "channel": "jobs" })).await.ok(200), all);
    let page = subscribe(json!({ "limit": 2, "cursor": "0" })).await.ok(200);
    assert_eq!((page["data"].as_array().map(Vec::len), &page["limit"]), (Some(2), &json!(2)));
    for word in ["cursor", "since"] {
        assert_eq!(subscribe(json!({ word: page["next_cursor"] })).await.ok(200)["data"], json!([all["data"][2]]));
    }
    // cursor wins over since.
    assert_eq!(subscribe(json!({ "since": "nonsense", "cursor": page["next_cursor"] })).await.ok(200)["data"], json!([all["data"][2]]));

    let end = all["next_cursor"].clone();
    let nothing = subscribe(json!({ "cursor": end, "wait": 0.05 })).await.ok(200);
    assert_eq!((&nothing["data"], &nothing["next_cursor"]), (&json!([]), &end));
    let (woken, _) =
        tokio::join!(subscribe(json!({ "cursor": end, "wait": 20 })).on(0), poster.on(1).post_to(&channel, json!({ "content": "four" })));
    assert_eq!(woken.ok(200)["data"][0]["content"], "four");

    let bad = [
        (json!({ "limit": 0 }), "invalid_limit", "limit"),
        (json!({ "limit": 101 }), "invalid_limit", "limit"),
        (json!({ "limit": "x" }), "invalid_limit", "limit"),
        (json!({ "cursor": "yesterday" }), "invalid_cursor", "cursor"),
        (json!({ "since": "yesterday" }), "invalid_cursor", "since"),
        (json!({ "cursor": 7 }), "invalid_string", "cursor"),
        (json!({ "wait": -0.1 }), "invalid_field", "wait"),
        (json!({ "wait": true }), "invalid_field", "wait"),
    ];
    for (fields, code, field) in bad {
        assert_eq!(subscribe(fields).await.refused(422, code)["field"], field);
    }
    reader.post("/v1/tasks/subscribe", json!({})).await.refused(422, "missing_field");
    reader.post("/v1/tasks/subscribe", json!({ "channel": "jobs" })).await.refused(404, "channel_not_found");
    let restricted = poster.restricted("broadcast").await;
    reader.post("/v1/tasks/subscribe", json!({ "channel": restricted })).await.refused(403, "channel_access_denied");
    fleet.finish().await;
}
