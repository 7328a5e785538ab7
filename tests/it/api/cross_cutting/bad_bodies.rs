//! Bodies that are no JSON object, sent to every operation that reads one.

use backchannel::operation::{Auth, Operation};
use reqwest::Method;
use serde_json::json;

use crate::support::client::{Agent, Ask};
use crate::support::fleet::Fleet;

pub const ADMIN: &str = "operator-token";

/// Everything an operation's path may need, and a request to it.
pub struct World {
    pub fleet: Fleet,
    pub agent: Agent,
    pub channel: String,
    pub message: String,
    lease: String,
    invitation: String,
    session: String,
    /// A key that may be revoked.
    spare_key: String,
}

impl World {
    pub async fn start() -> Self {
        let fleet = Fleet::builder().replicas(1).env("BACKCHANNEL_ADMIN_TOKEN", ADMIN).start().await;
        let agent = fleet.agent("clumsy").await;
        let channel = agent.channel("claimable").await;
        let message = agent.post_message(&channel, "a task").await;
        let held = agent.post_message(&channel, "held").await;
        let lease = agent.claim_with_lease(&held, 3600).await.ok(200)["lease_token"].as_str().unwrap().to_owned();
        let invitation = agent.post(&format!("/v1/channels/{channel}/invitations"), json!({})).await.ok(201);
        let invitation = invitation["id"].as_str().unwrap().to_owned();
        let session = agent.post("/v1/sessions", json!({})).await.ok(201)["id"].as_str().unwrap().to_owned();
        let spare_key = fleet.agent("spare").await.key_id;
        Self { fleet, agent, channel, message, lease, invitation, session, spare_key }
    }

    /// A request to an operation whose path leads to something that is there.
    pub fn ask(&self, operation: &Operation) -> Ask {
        let path = operation
            .path
            .replace("{message_id}", &self.message)
            .replace("{lease_token}", &self.lease)
            .replace("{session_id}", &self.session)
            .replace("{key_id}", &self.spare_key)
            .replace("{member_key_id}", &self.agent.key_id)
            .replace("{invitation_id}", &self.invitation)
            .replace("{delivery_id}", "dlv_aaaaaaaaaaaaaaaaaaaa_1760000000123-0")
            .replace("/actors/{identifier}", &format!("/actors/{}", self.agent.label))
            .replace("{identifier}", &self.channel);
        self.ask_path(operation, &path)
    }

    pub fn ask_path(&self, operation: &Operation, path: &str) -> Ask {
        self.agent.ask(operation.method.parse().unwrap(), path).header("X-Admin-Token", ADMIN)
    }
}

/// Operations that read a body, declared or not: all that write, but for the end of a key.
pub fn with_body() -> impl Iterator<Item = &'static Operation> {
    backchannel::router::operations().into_iter().filter(|operation| operation.writes() && operation.id != "deleteKeysMe")
}

#[tokio::test]
async fn every_operation_refuses_what_is_no_json_object() {
    let world = World::start().await;
    let deep_list = format!("{{\"metadata\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let deep_object = format!("{}1{}", "{\"a\":".repeat(100), "}".repeat(100));
    let unclosed = "[".repeat(100_000);
    let bad: Vec<(&[u8], u16, &str)> = vec![
        (b"{", 400, "invalid_json"),
        (b"nonsense", 400, "invalid_json"),
        (b"{\"a\":1,}", 400, "invalid_json"),
        (b"{'a':1}", 400, "invalid_json"),
        (b"{\"a\":NaN}", 400, "invalid_json"),
        (b"{} {}", 400, "invalid_json"),
        (b"{\"a\":\"line\nbreak\"}", 400, "invalid_json"),
        (b"{\"a\":\"\0\"}", 400, "invalid_json"),
        (b"\0", 400, "invalid_json"),
        (b"{\"\\ud800\":1}", 400, "invalid_json"),
        (b"{\"a\":\"\xff\"}", 400, "invalid_json"),
        (b"\xff\xfe{\0}\0", 400, "invalid_json"),
        (b"\xef\xbb\xbf{}", 400, "invalid_json"),
        (b"{\"a\":\"\xed\xa0\x80\"}", 400, "invalid_json"),
        (deep_list.as_bytes(), 400, "invalid_json"),
        (deep_object.as_bytes(), 400, "invalid_json"),
        (unclosed.as_bytes(), 400, "invalid_json"),
        (b"[]", 422, "invalid_json_shape"),
        (b"[{}]", 422, "invalid_json_shape"),
        (b"null", 422, "invalid_json_shape"),
        (b"true", 422, "invalid_json_shape"),
        (b"\"{}\"", 422, "invalid_json_shape"),
        (b"17", 422, "invalid_json_shape"),
        (b"1e999", 422, "invalid_json_shape"),
    ];
    let mut seen = 0;
    for operation in with_body() {
        for (body, status, code) in &bad {
            let reply = world.ask(operation).raw(*body).await;
            assert!(
                reply.body["error"] == *code,
                "{}: {:?}: {}",
                operation.id,
                String::from_utf8_lossy(&body[..body.len().min(40)]),
                reply.text
            );
            reply.refused(*status, code);
        }
        // Who may not ask is told so before the body is looked at.
        if matches!(operation.auth, Auth::Key(_)) {
            let path = operation.path.replace(['{', '}'], "");
            let stranger = world.fleet.client().ask(operation.method.parse().unwrap(), &path).raw("{");
            stranger.await.refused(401, "unauthorized");
        }
        seen += 1;
    }
    assert!(seen >= 20, "{seen} operations read a body");
    // Nothing of all this had an effect.
    let left = world.agent.list(&world.channel, "status=unclaimed").await.ok(200);
    assert_eq!(left["data"].as_array().unwrap().len(), 1);
    world.fleet.finish().await;
}

#[tokio::test]
async fn an_empty_body_is_an_empty_object_and_a_content_type_says_nothing() {
    let world = World::start().await;
    for operation in with_body() {
        // What has an effect with nothing said comes last, below.
        if ["deleteChannel", "deleteMessage", "removeChannelMember", "adminDeleteChannel"].contains(&operation.id) {
            continue;
        }
        let mut answers = Vec::new();
        for body in ["", "{}", " \r\n\t", "{\"unknown\": 1}"] {
            if operation.id == "updateChannel" && body.contains("unknown") {
                continue; // the one operation that refuses fields it does not know
            }
            // Twice where the first answer changes the second: a claim is claimed once.
            let once = world.ask(operation).raw(body).await;
            let reply = world.ask(operation).raw(body).header("Content-Type", "text/plain").await;
            drop(once);
            answers.push((reply.status, reply.body["error"].clone(), reply.body["field"].clone()));
        }
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{}: {answers:?}", operation.id);
    }
    let refused = world.agent.patch(&format!("/v1/channels/{}", world.channel), json!({ "unknown": 1, "id": "x", "name": "y" }));
    assert_eq!(refused.await.refused(422, "invalid_fields")["fields"], json!(["id", "unknown"]));
    let refused = world.agent.patch(&format!("/v1/channels/{}", world.channel), json!({ "ttl_seconds": 600 }));
    assert_eq!(refused.await.refused(422, "invalid_fields")["fields"], json!(["ttl_seconds"]));
    world.agent.ask(Method::DELETE, &format!("/v1/channels/{}", world.channel)).raw("").await.has_status(204);
    world.fleet.finish().await;
}
