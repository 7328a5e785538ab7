//! Nonsense where an id or a name stands in the path.

use super::bad_bodies::World;

#[tokio::test]
async fn nonsense_in_a_path_is_refused_in_words() {
    let world = World::start().await;
    let words = [
        "x",
        "ch_",
        "ch_aaaaaaaaaaaaaaaaaaaa",
        "CH_aaaaaaaaaaaaaaaaaaaa",
        "msg_",
        "msg_aaaaaaaaaaaaaaaaaaaa0000000000000000",
        "msg_aaaaaaaaaaaaaaaaaaaa9999999999999999",
        "msg_aaaaaaaaaaaaaaaaaaaa1760000000123456",
        "lease_aaaaaaaaaaaaaaaaaaaa1760000000123456_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "act_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bck_aaaaaaaaaaaaaaaaaaaaaaaaaa",
        "bck_aaaaaaaaaaaaaaaaaaaaaaaaaa.secret",
        "%00",
        "%0a%0d",
        "a%00b",
        "%ff",
        "%ff%fe",
        "%c0%af",
        "%ed%a0%80",
        "%f4%90%80%80",
        "%",
        "%zz",
        "%2",
        "%2f",
        "..%2f..%2fetc%2fpasswd",
        "%7b%7d",
        "%7Bch_x%7D",
        "{x}",
        "*",
        "%20",
        "+",
        "%e2%80%ae",
        "%F0%9F%92%A9",
        "'%20OR%201=1--",
        "%3Cscript%3E",
        "null",
        "undefined",
        "-1",
        "0",
    ];
    let long = "x".repeat(6000);
    let long_encoded = "%41".repeat(3000);
    let mut asked = 0;
    for operation in backchannel::router::operations().into_iter().filter(|operation| operation.path.contains('{')) {
        for word in words.iter().copied().chain([long.as_str(), long_encoded.as_str()]) {
            let nonsense: Vec<&str> = operation.path.split('/').map(|s| if s.starts_with('{') { word } else { s }).collect();
            let body = "{\"content\":\"x\",\"alias\":\"y\",\"name\":\"z\"}";
            let reply = world.ask_path(operation, &nonsense.join("/")).raw(body).await;
            let what = format!("{} of {}", operation.id, &word[..word.len().min(50)]);
            let (status, code) = (reply.status, reply.body["error"].as_str().unwrap_or_default().to_owned());
            assert!(matches!(status, 404 | 410 | 422), "{what} was answered {status}: {}", reply.text);
            reply.refused(status, &code);
            asked += 1;
        }
        // Invalid UTF-8 is no name of anything.
        let invalid: Vec<&str> = operation.path.split('/').map(|s| if s.starts_with('{') { "%ff" } else { s }).collect();
        world.ask_path(operation, &invalid.join("/")).await.refused(422, "invalid_path");
    }
    assert!(asked > 500, "{asked}");
    // One half right: the member's id is nonsense.
    for word in ["x", "%00", "bck_aaaaaaaaaaaaaaaaaaaaaaaaaa", &long] {
        let path = format!("/v1/channels/{}/members/{word}", world.channel);
        world.agent.delete(&path).await.refused(404, "member_not_found");
    }
    // A message id that leads into a channel that is there, at a time that is not.
    let nowhere = format!("msg_{}1760000000123456", &world.channel[3..]);
    world.agent.claim(&nowhere).await.refused(404, "message_not_found");
    world.agent.ack(&nowhere).await.refused(404, "message_not_found");
    world.agent.release(&nowhere).await.refused(404, "message_not_found");
    world.agent.delete(&format!("/v1/messages/{nowhere}")).await.refused(404, "message_not_found");
    world.agent.get("/v1/keys/me").await.ok(200);
    world.fleet.finish().await;
}
