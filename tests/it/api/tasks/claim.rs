//! `POST /v1/tasks/claim`: the next unclaimed message, whichever that is.

use serde_json::{Value, json};

use crate::support::fleet::Fleet;

#[tokio::test]
async fn the_oldest_comes_first_and_an_empty_channel_is_no_error() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    for content in ["one", "two", "three"] {
        poster.post_message(&channel, content).await;
    }
    let first = worker.on(0).claim_next(&channel, json!({})).await.ok(200);
    assert_eq!((&first["claimed"]["content"], &first["attempt"]), (&json!("one"), &json!(1)));
    assert_eq!((&first["claimed"]["state"], &first["claimed"]["claimed_by"]["name"]), (&json!("claimed"), &json!(worker.label)));
    assert_eq!(first["claimed"]["claimed_by_key_id"], json!(worker.key_id));
    for absent in ["note", "lease_token", "lease_expires_at", "claims"] {
        assert!(first.get(absent).is_none(), "{absent} of a plain claim: {first}");
    }
    let second = worker.on(1).claim_next(&channel, json!({ "lease_seconds": 600, "actor": "helper", "metadata": {"v": 1} })).await.ok(200);
    assert_eq!((&second["claimed"]["content"], &second["claimed"]["claimed_by"]["name"]), (&json!("two"), &json!("helper")));
    assert_eq!(second["lease_expires_at"], second["claimed"]["lease_expires_at"]);
    worker.heartbeat(second["lease_token"].as_str().unwrap(), 600).await.ok(200);
    // What is given back comes before what is younger.
    worker.release(first["claimed"]["id"].as_str().unwrap()).await.ok(200);
    assert_eq!(worker.claim_next(&channel, json!({})).await.ok(200)["claimed"]["content"], "one");
    assert_eq!(worker.claim_next(&channel, json!({})).await.ok(200)["claimed"]["content"], "three");

    for body in [json!({}), json!({ "wait": 0 }), json!({ "wait": 0.05 }), json!({ "lease_seconds": 5 })] {
        let empty = worker.claim_next(&channel, body).await.ok(200);
        assert_eq!(empty["claimed"], Value::Null);
        assert!(empty["note"].as_str().is_some_and(|note| !note.is_empty()), "{empty}");
        assert!(empty.get("lease_token").is_none() && empty.get("attempt").is_none());
    }
    fleet.finish().await;
}

#[tokio::test]
async fn waiting_always_takes_a_lease() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    for (wanted, seconds) in [(json!({ "wait": 5 }), 300), (json!({ "wait": 0.5 }), 300), (json!({ "wait": 5, "lease_seconds": 70 }), 70)] {
        poster.post_message(&channel, "a task").await;
        let claimed = worker.claim_next(&channel, wanted).await.ok(200);
        let at = |time: &Value| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_microsecond();
        assert_eq!(at(&claimed["lease_expires_at"]) - at(&claimed["claimed"]["claimed_at"]), seconds * 1_000_000);
        worker.ack(claimed["claimed"]["id"].as_str().unwrap()).await.ok(200);
    }
    poster.post_message(&channel, "a task").await;
    let plain = worker.claim_next(&channel, json!({ "wait": 0 })).await.ok(200);
    assert!(
        plain.get("lease_token").is_none() && plain["claimed"]["lease_expires_at"].is_null(),
        "without a wait none is implied: {plain}"
    );
    fleet.finish().await;
}

#[tokio::test]
async fn several_come_at_once_each_with_its_own_claim() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel("claimable").await;
    for n in 0..12 {
        poster.post_message(&channel, &format!("{n}")).await;
    }
    let ten = worker.claim_next(&channel, json!({ "max": 10, "lease_seconds": 600 })).await.ok(200);
    let claims = ten["claims"].as_array().unwrap();
    let contents: Vec<_> = claims.iter().map(|claim| claim["message"]["content"].as_str().unwrap()).collect();
    assert_eq!(contents, ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]);
    assert_eq!((&ten["claimed"], &ten["lease_token"]), (&claims[0]["message"], &claims[0]["lease_token"]));
    assert_eq!((&ten["lease_expires_at"], &ten["attempt"]), (&claims[0]["lease_expires_at"], &json!(1)));
    for claim in claims {
        let id = claim["message"]["id"].as_str().unwrap();
        assert_eq!(claim["lease_expires_at"], claim["message"]["lease_expires_at"]);
        worker.heartbeat(claim["lease_token"].as_str().unwrap(), 30).await.ok(200);
        worker.post(&format!("/v1/messages/{id}/ack"), json!({ "lease_token": claim["lease_token"] })).await.ok(200);
    }
    // What is there, not more; and a list also when it is empty.
    let rest = worker.claim_next(&channel, json!({ "max": 10 })).await.ok(200);
    assert_eq!(rest["claims"].as_array().map(Vec::len), Some(2));
    assert!(rest["claims"][1].get("lease_token").is_none());
    let none = worker.claim_next(&channel, json!({ "max": 2 })).await.ok(200);
    assert_eq!((&none["claimed"], &none["claims"]), (&Value::Null, &json!([])));
    fleet.finish().await;
}

#[tokio::test]
async fn a_claim_that_makes_no_sense_is_refused_with_the_field_it_is_about() {
    let fleet = Fleet::start(2).await;
    let (poster, worker) = (fleet.agent("poster").await, fleet.agent("worker").await);
    let channel = poster.channel_with(json!({ "name": "jobs", "mode": "claimable" })).await;
    poster.post_message(&channel, "a task").await;
    let bad = [
        (json!({ "lease_seconds": 0 }), "invalid_lease_seconds", "lease_seconds"),
        (json!({ "lease_seconds": 3601 }), "invalid_lease_seconds", "lease_seconds"),
        (json!({ "lease_seconds": "5" }), "invalid_lease_seconds", "lease_seconds"),
        (json!({ "max": 0 }), "invalid_field", "max"),
        (json!({ "max": 11 }), "invalid_field", "max"),
        (json!({ "max": 1.5 }), "invalid_field", "max"),
        (json!({ "wait": -1 }), "invalid_field", "wait"),
        (json!({ "wait": "long" }), "invalid_field", "wait"),
        (json!({ "actor": 7 }), "invalid_string", "actor"),
    ];
    for (fields, code, field) in bad {
        assert_eq!(worker.claim_next(&channel, fields).await.refused(422, code)["field"], field);
    }
    for (body, code) in
        [(json!({}), "missing_field"), (json!({ "channel": " " }), "invalid_string"), (json!({ "channel": [] }), "invalid_string")]
    {
        assert_eq!(worker.post("/v1/tasks/claim", body).await.refused(422, code)["field"], "channel");
    }
    worker.claim_next("jobs", json!({})).await.refused(404, "channel_not_found"); // another key's name
    worker.claim_next("ch_aaaaaaaaaaaaaaaaaaaa", json!({ "wait": 5 })).await.refused(404, "channel_not_found");
    let restricted = poster.restricted("claimable").await;
    worker.claim_next(&restricted, json!({ "wait": 5 })).await.refused(403, "channel_access_denied");
    let foreign = poster.claim_next("jobs", json!({})).await.ok(200)["claimed"]["claimed_by"]["id"].clone();
    worker.claim_next(&channel, json!({ "actor": foreign })).await.refused(403, "actor_forbidden");
    fleet.finish().await;
}
