//! Each call: fields, statuses, words.

use reqwest::Method;
use serde_json::{Value, json};

use super::{Room, entries, refused};
use crate::support::fleet::Fleet;

fn is_hex(value: &Value, length: usize) -> bool {
    value.as_str().is_some_and(|t| t.len() == length && t.bytes().all(|b| b.is_ascii_hexdigit() && !b.is_ascii_uppercase()))
}

#[tokio::test]
async fn a_room_is_made_joined_sent_to_polled_and_left() {
    let fleet = Fleet::builder().env("BACKCHANNEL_BASE_URL", "https://rooms.example").start().await;
    let made = fleet.client().ask(Method::POST, "/channels").await.ok(200);
    assert!(is_hex(&made["channel_id"], 16) && is_hex(&made["token"], 48), "{made}");
    let id = made["channel_id"].as_str().unwrap();
    for call in ["join", "poll", "send"] {
        assert_eq!(made[format!("api_{call}_url")], format!("https://rooms.example/channels/{id}/{call}"));
    }
    let link = format!("https://rooms.example/c/{id}?token={}#k=__KEY__", made["token"].as_str().unwrap());
    for message in ["share_message", "share_message_human"] {
        assert!(made[message].as_str().unwrap().contains(&link), "{made}");
    }
    assert_eq!(made.as_object().unwrap().len(), 7);

    let room = Room { client: fleet.client(), id: id.to_owned(), token: made["token"].as_str().unwrap().to_owned() };
    let body = json!({ "token": room.token, "name": "ada", "key_fp": "ABCDEF0123456789" });
    let ada = room.client.post(&room.path("join"), body).await.ok(200);
    assert!(is_hex(&ada["participant_id"], 16));
    let roster = json!([{ "name": "ada", "key_fp": "abcdef0123456789", "last_seen_s": 0 }]);
    assert_eq!((&ada["participants"], &ada["roster"], &ada["cursor"]), (&json!(["ada"]), &roster, &json!(1)));
    let fields = json!({ "token": room.token, "name": "bob", "key_fp": "no fingerprint" });
    let bob = room.client.post(&room.path("join"), fields).await.ok(200);
    assert_eq!((&bob["participants"], &bob["roster"][1]["key_fp"]), (&json!(["ada", "bob"]), &Value::Null));
    let (ada, bob) = (ada["participant_id"].as_str().unwrap(), bob["participant_id"].as_str().unwrap());

    assert_eq!(room.send(ada, "sealed").await.ok(200), json!({ "ok": true, "index": 2 }));
    let page = room.poll(bob, 0).await;
    assert_eq!(page.header("cache-control"), Some("no-store"));
    let page = page.ok(200);
    let all = [(0, "join", "ada"), (1, "join", "bob"), (2, "message", "ada")].map(|(n, k, f)| (n, k.to_owned(), f.to_owned()));
    assert_eq!((entries(&page), &page["cursor"]), (all.to_vec(), &json!(3)));
    assert_eq!(page["messages"][2]["text"], "sealed");
    assert!(page["messages"][2]["timestamp"].as_u64().unwrap() > 1_700_000_000_000 && page["messages"][0].get("text").is_none());
    assert!(page.get("reset").is_none());

    assert_eq!(room.leave(ada).await.ok(200), json!({ "ok": true }));
    let page = room.poll(bob, 3).await.ok(200);
    assert_eq!(entries(&page), [(3, "leave".to_owned(), "ada".to_owned())]);
    assert_eq!(page["roster"].as_array().unwrap().len(), 1);
    refused(room.leave(ada).await, 400, "participant_not_in_channel");
    refused(room.send(ada, "x").await, 400, "participant_not_in_channel");
    refused(room.poll(ada, 0).await, 400, "participant_not_in_channel");
    fleet.finish().await;
}

#[tokio::test]
async fn every_mistake_has_its_word_and_they_are_told_in_their_order() {
    let fleet = Fleet::builder().env("CH_MAX_PARTICIPANTS", "1").env("CH_POLL_TIMEOUT_MS", "50").start().await;
    let room = Room::make(&fleet.client()).await;
    let wrong = "0".repeat(48);
    let post = |call: &str, body: Value| room.client.post(&room.path(call), body);
    // What is no JSON object comes before everything, also where there is no such room.
    let deep = format!("{}1{}", "[".repeat(5000), "]".repeat(5000));
    for body in ["", "{", "[]", "null", "\"x\"", "{\"token\":\"\\ud800\"}", &deep, "\u{feff}{}"] {
        for call in ["join", "send", "leave"] {
            refused(room.client.ask(Method::POST, &room.path(call)).raw(body).await, 400, "invalid_json");
        }
        refused(room.client.ask(Method::POST, "/channels/x/join").raw(body).await, 400, "invalid_json");
    }
    let invalid_utf8 = room.client.ask(Method::POST, &room.path("join")).raw(b"{\"token\":\"\xff\"}".to_vec()).await;
    refused(invalid_utf8, 400, "invalid_json");
    for (call, word) in
        [("join", "missing_token_or_name"), ("send", "missing_token_participant_id_or_text"), ("leave", "missing_token_or_participant_id")]
    {
        let full = json!({ "token": wrong, "name": "a", "participant_id": "p", "text": "t" });
        for field in word
            .trim_start_matches("missing_")
            .split("_or_")
            .flat_map(|w| if w == "token_participant_id" { vec!["token", "participant_id"] } else { vec![w] })
        {
            for broken in [Value::Null, json!(7), json!(""), json!(["x"])] {
                if field == "text" && broken == "" {
                    continue; // that is empty_text
                }
                let mut body = full.clone();
                body[field] = broken;
                refused(post(call, body).await, 400, word);
            }
        }
        // Nobody learns whether the room or the token was wrong.
        refused(post(call, full.clone()).await, 404, "channel_or_token_invalid");
        for elsewhere in ["0000000000000000", "x", "AAAAAAAAAAAAAAAA", "%00", "%ff"] {
            let path = format!("/channels/{elsewhere}/{call}");
            let mut body = full.clone();
            body["token"] = json!(room.token);
            let reply = room.client.post(&path, body).await;
            if elsewhere == "%ff" {
                reply.refused(422, "invalid_path");
            } else {
                refused(reply, 404, "channel_or_token_invalid");
            }
        }
        for token in ["short", &format!("{}\n", room.token), &room.token.to_uppercase()] {
            let mut body = full.clone();
            body["token"] = json!(token);
            refused(post(call, body).await, 404, "channel_or_token_invalid");
        }
    }
    for name in ["x".repeat(65), "a\nb".into(), "\u{7f}".into(), "\u{1f}".into()] {
        refused(post("join", json!({ "token": wrong, "name": name })).await, 400, "invalid_name");
    }
    let ada = room.joined(&"ä".repeat(64)).await;
    refused(room.join(&"ä".repeat(64)).await, 400, "channel_full"); // before name_taken
    refused(room.send("nobody", "").await, 400, "participant_not_in_channel"); // before the text
    refused(room.send(&ada, "").await, 400, "empty_text");
    refused(room.send(&ada, &"x".repeat(65_537)).await, 400, "text_too_large");
    room.send(&ada, &"\u{1f600}".repeat(65_536)).await.ok(200);
    let escaped = format!("{{\"token\":\"{}\",\"participant_id\":\"{ada}\",\"text\":\"{}\"}}", room.token, "\\ud83d\\ude00".repeat(65_536));
    room.client.ask(Method::POST, &room.path("send")).raw(escaped).await.ok(200);
    room.send(&ada, &"x".repeat(900_000)).await.refused(413, "payload_too_large");

    let poll = |query: String| room.client.get(&format!("{}?{query}", room.path("poll")));
    let good = format!("token={}&participant_id={ada}", room.token);
    for query in ["".into(), format!("token={}", room.token), format!("participant_id={ada}"), format!("token=&participant_id={ada}")] {
        refused(poll(query).await, 400, "missing_or_invalid_query");
    }
    for since in ["-1", "x", "1.5", "%20", "99999999999999999999999"] {
        refused(poll(format!("{good}&since={since}")).await, 400, "missing_or_invalid_query");
    }
    refused(poll(format!("token={wrong}&participant_id={ada}")).await, 404, "channel_or_token_invalid");
    refused(poll(format!("token={}&participant_id=x", room.token)).await, 400, "participant_not_in_channel");
    assert_eq!(entries(&poll(good.clone()).await.ok(200)).len(), 3, "since is 0 where it is missing");
    assert_eq!(entries(&poll(format!("{good}&since=")).await.ok(200)).len(), 3);
    // Behind the end there is nothing, after the wait.
    for since in [3, 4, 1_000_000, u64::MAX] {
        let reply = room.poll(&ada, since).await.has_status(204);
        assert_eq!((reply.text.as_str(), reply.header("cache-control")), ("", Some("no-store")), "{since}");
    }
    let page = poll(format!("{good}&since=3&roster=1")).await.ok(200);
    assert_eq!((&page["messages"], &page["cursor"], page["roster"].as_array().map(Vec::len)), (&json!([]), &json!(3), Some(1)));
    for (method, path) in [(Method::GET, "/channels"), (Method::POST, "/channels/0000000000000000/poll"), (Method::PUT, "/channels/x/send")]
    {
        room.client.ask(method, path).await.refused(405, "method_not_allowed");
    }
    fleet.finish().await;
}

#[tokio::test]
async fn a_message_sent_again_under_its_id_is_there_once() {
    let fleet = Fleet::start(2).await;
    let room = Room::make(&fleet.client()).await;
    let (ada, bob) = (room.joined("ada").await, room.joined("bob").await);
    let send = |who: &str, text: &str, id: Value| {
        let body = json!({ "token": room.token, "participant_id": who, "text": text, "client_msg_id": id });
        room.client.post(&room.path("send"), body)
    };
    for _ in 0..3 {
        assert_eq!(send(&ada, "one", json!("m-1")).await.ok(200)["index"], 2);
    }
    assert_eq!(send(&bob, "two", json!("m-1")).await.ok(200)["index"], 3, "another sender's ids are another's");
    assert_eq!(send(&ada, "three", json!("x".repeat(65))).await.ok(200)["index"], 4);
    assert_eq!(send(&ada, "three", json!("x".repeat(65))).await.ok(200)["index"], 5, "too long to be an id");
    assert_eq!(send(&ada, "four", json!(7)).await.ok(200)["index"], 6);
    fleet.finish().await;
}

#[tokio::test]
async fn names_and_texts_come_back_as_they_were_sent() {
    let fleet = Fleet::start(2).await;
    let room = Room::make(&fleet.client()).await;
    let name = "O'Neil \"x\" <b> \\ ${HOME} \u{202e}🦊";
    let ada = room.joined(name).await;
    let text = "a\u{0}b\u{1f}c\n\"\\ \u{2028}🦊{}[]";
    room.send(&ada, text).await.ok(200);
    let page = room.poll(&ada, 0).await.ok(200);
    assert_eq!(
        (&page["messages"][1]["from"], &page["messages"][1]["text"], &page["roster"][0]["name"]),
        (&json!(name), &json!(text), &json!(name))
    );
    refused(room.join(name).await, 400, "name_taken");
    fleet.finish().await;
}
