//! `POST /v1/tasks/create-claimable-session`

use serde_json::json;

use crate::support::fleet::Fleet;

const PATH: &str = "/v1/tasks/create-claimable-session";

#[tokio::test]
async fn a_session_is_a_restricted_channel_with_an_invitation_and_says_that_it_is_of_old() {
    let fleet = Fleet::start(2).await;
    let (owner, worker, stranger) = (fleet.agent("owner").await, fleet.agent("worker").await, fleet.agent("stranger").await);
    let fields = json!({ "name": "research-handoff", "description": "from researcher to executor" });
    let made = owner.post(PATH, fields.clone()).on(0).await.has_status(201);
    assert!(made.header("deprecation").is_some_and(|d| d.starts_with('@')), "{:?}", made.headers);
    assert!(made.header("sunset").is_some_and(|s| s.ends_with(" GMT")), "{:?}", made.headers);
    let links: Vec<_> = made.headers.get_all("link").iter().filter_map(|l| l.to_str().ok()).collect();
    assert!(links.iter().any(|l| l.contains("/v1/channels>; rel=\"successor-version\"")), "{links:?}");
    assert_eq!(links.len(), 3, "next to the two that every answer has");
    let (channel, invitation) = (&made.body["channel"], &made.body["invitation"]);
    assert_eq!([&channel["name"], &channel["mode"], &channel["access"]], ["research-handoff", "claimable", "restricted"]);
    assert_eq!((&channel["discoverable"], &channel["description"]), (&json!(false), &fields["description"]));
    assert_eq!(invitation["channel"]["id"], channel["id"]);

    let id = channel["id"].as_str().unwrap();
    let task = owner.post_message(id, "a task").await;
    stranger.claim(&task).await.refused(403, "channel_access_denied");
    worker.on(1).get(&format!("/v1/channel-invitations/{}", invitation["id"].as_str().unwrap())).await.ok(200);
    worker.claim(&task).await.ok(200);

    let again = owner.post(PATH, fields).on(1).await.ok(201);
    assert_eq!(again["channel"]["id"], channel["id"], "a name is one channel");
    assert_ne!(again["invitation"]["id"], invitation["id"]);
    // Two that name nothing do not meet.
    let [one, two] = [owner.post(PATH, json!({})).await.ok(201), owner.post(PATH, json!({ "name": " " })).await.ok(201)];
    assert_ne!(one["channel"]["id"], two["channel"]["id"]);
    assert!(one["channel"]["name"].as_str().unwrap().starts_with("session-"));
    fleet.finish().await;
}

#[tokio::test]
async fn each_mistake_has_its_answer_which_also_says_that_it_is_of_old() {
    let fleet = Fleet::start(1).await;
    let owner = fleet.agent("owner").await;
    let taken = owner.channel_with(json!({ "name": "open", "mode": "claimable" })).await;
    let refused = owner.post(PATH, json!({ "name": "open" })).await.refused(409, "channel_name_in_use");
    assert_eq!(refused["channel_id"], taken);
    let bad = owner.post(PATH, json!({ "name": "a\u{200b}b" })).await;
    assert!(bad.header("deprecation").is_some());
    bad.refused(422, "invalid_channel_name");
    for (fields, field) in [(json!({ "name": 1 }), "name"), (json!({ "description": [] }), "description")] {
        assert_eq!(owner.post(PATH, fields).await.refused(422, "invalid_string")["field"], field);
    }
    // What is here to stay does not say so.
    assert_eq!(owner.get("/v1/channels").await.header("deprecation"), None);
    fleet.finish().await;
}
