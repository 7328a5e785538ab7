//! Fields of the wrong type or out of bounds, in every operation that has them: the answer names the field.

use serde_json::{Value, json};

use super::bad_bodies::{World, with_body};
use crate::support::process::unique;

/// The fields of each operation. Above them: those that make the request otherwise right.
fn fields_of(id: &str) -> (Value, &'static [(&'static str, Kind)]) {
    use Kind::{Bool, Count, Id, List, Name, Number, Object, Text, Time, Word};
    match id {
        "issueKey" => (json!({}), &[("agent_label", Name)]),
        "adminIssueKey" => (json!({}), &[("agent_label", Name)]),
        "setKeyScopes" => (json!({}), &[("scopes", List)]),
        "adminSetMinting" => (json!({}), &[("enabled", Bool)]),
        "createChannel" => (
            json!({ "name": format!("made-{}", unique()), "mode": "claimable" }),
            &[
                ("name", Name),
                ("mode", Word),
                ("access", Word),
                ("discoverable", Bool),
                ("description", Text),
                ("pinned_message", Text),
                ("metadata_schema", Object),
                ("ttl_seconds", Count),
                ("retention_days", Count),
                ("max_messages", Count),
                ("max_writes_per_minute", Count),
                ("paused", Bool),
                ("related_channels", List),
                ("webhook_url", Word),
                ("webhook_secret", Text),
            ],
        ),
        "updateChannel" => (
            json!({}),
            &[
                ("name", Name),
                ("mode", Word),
                ("access", Word),
                ("discoverable", Bool),
                ("description", Text),
                ("pinned_message", Text),
                ("metadata_schema", Object),
                ("retention_days", Count),
                ("max_messages", Count),
                ("max_writes_per_minute", Count),
                ("paused", Bool),
                ("related_channels", List),
                ("webhook_url", Word),
                ("webhook_secret", Text),
            ],
        ),
        "createChannelAlias" => (json!({}), &[("alias", Name)]),
        "addChannelMember" => (json!({}), &[("key_id", Id)]),
        "requestChannelAccess" => (json!({}), &[("reason", Text)]),
        "taskCreateClaimableSession" => (json!({}), &[("name", Name), ("description", Text)]),
        "createMessage" => (json!({ "content": "x" }), POST),
        "taskPost" => (json!({ "channel": "posted", "content": "x" }), POST),
        "taskBroadcast" => (json!({ "channel": "{channel}", "content": "x" }), POST),
        "taskSubscribe" => {
            (json!({ "channel": "{channel}" }), &[("channel", Id), ("cursor", Time), ("since", Time), ("limit", Count), ("wait", Number)])
        }
        "taskClaim" => (
            json!({ "channel": "{channel}" }),
            &[("channel", Id), ("actor", Name), ("lease_seconds", Count), ("wait", Number), ("max", Count)],
        ),
        "taskPostWithResult" => (json!({ "channel": "posted", "content": "x" }), POST),
        "taskPublishResult" => (json!({ "content": "x" }), POST),
        "taskClaimAndAck" => (json!({ "message_id": "{message}" }), &[("message_id", Id), ("actor", Name)]),
        // The state of a session has a test of its own: it may be longer than other objects.
        "createSession" | "patchSession" => (json!({}), &[("name", Name), ("metadata", Object)]),
        "claimMessage" => (json!({}), &[("actor", Name)]),
        "claimMessageWithLease" => (json!({}), &[("actor", Name), ("lease_seconds", Count)]),
        "ackMessage" => (json!({}), &[("actor", Name), ("lease_token", Id), ("result", Text)]),
        "releaseMessage" => (json!({}), &[("actor", Name), ("lease_token", Id)]),
        "heartbeatLease" => (json!({}), &[("lease_seconds", Count)]),
        "createActor" => (json!({ "name": format!("made-{}", unique()) }), &[("name", Name), ("description", Text), ("metadata", Object)]),
        "createActorAlias" => (json!({}), &[("alias", Name)]),
        "setActorWebhook" => (json!({ "url": "https://example.com/hook" }), &[("url", Word), ("secret", Text)]),
        "deleteChannel"
        | "deleteMessage"
        | "removeChannelMember"
        | "deleteChannelAlias"
        | "deleteActorAlias"
        | "deleteActorWebhook"
        | "approveChannelAccessRequest"
        | "denyChannelAccessRequest"
        | "createChannelInvitation"
        | "revokeChannelInvitation"
        | "deleteSession"
        | "replayChannelWebhookDelivery"
        | "replayActorWebhookDelivery"
        | "redriveChannelWebhookDeadLetters"
        | "redriveActorWebhookDeadLetters"
        | "testChannelWebhook"
        | "testActorWebhook" => (json!({}), &[]),
        "adminPauseChannel" | "adminResumeChannel" | "adminDeleteChannel" | "adminRevokeKey" => (json!({}), &[]),
        other => panic!("{other} reads a body and is not in this table"),
    }
}

const POST: &[(&str, Kind)] =
    &[("content", Kind::Content), ("actor", Kind::Id), ("actor_label", Kind::Text), ("metadata", Kind::Object), ("mentions", Kind::List)];

#[derive(Clone, Copy)]
enum Kind {
    /// A string without control characters, bounded in length.
    Name,
    /// One that stands for something.
    Id,
    /// One out of a few, or of a form.
    Word,
    /// Free, and bounded.
    Text,
    /// Free, required, bounded by the body's limit or its own.
    Content,
    Bool,
    Object,
    List,
    /// A positive whole number.
    Count,
    /// A number that is not negative.
    Number,
    Time,
}

impl Kind {
    /// Values in JSON that must be refused.
    fn wrong(self) -> Vec<String> {
        let strings = ["17", "true", "[]", "{}", "[\"a\"]", "1e999", "\"\\ud800\"", "\"\\udc00\\ud800\""];
        let long = format!("\"{}\"", "x".repeat(20_000));
        let own: Vec<String> = match self {
            Self::Name => vec!["\"nul\\u0000\"".into(), "\"line\\nbreak\"".into(), "\"\\u202ereversed\"".into(), long],
            Self::Id | Self::Word | Self::Text | Self::Content | Self::Time => vec![long],
            Self::Bool => return words(&["\"true\"", "0", "1", "[]", "{}", "\"\"", "1e999"]),
            Self::Object => {
                let big = format!("{{\"a\":\"{}\"}}", "x".repeat(20_000));
                let mut wrong = words(&["[]", "\"{}\"", "17", "true", "{\"a\":\"\\ud800\"}", "{\"a\":1e999}", "{\"a\":-1e999}"]);
                wrong.extend([big, format!("{{\"a\":{}}}", "9".repeat(400))]);
                return wrong;
            }
            Self::List => {
                let many: Vec<&str> = vec!["\"x\""; 101];
                let mut wrong = words(&["\"a\"", "17", "true", "{}", "[1]", "[null]", "[[]]", "[\"\\ud800\"]"]);
                wrong.push(format!("[{}]", many.join(",")));
                return wrong;
            }
            Self::Count => {
                return words(&[
                    "0",
                    "-1",
                    "1.5",
                    "\"5\"",
                    "true",
                    "[]",
                    "{}",
                    "1e999",
                    "-1e999",
                    "99999999999999999999999999",
                    "18446744073709551616",
                    "9223372036854775807",
                    "1e-2",
                    "\"\"",
                ]);
            }
            Self::Number => return words(&["-1", "-0.001", "\"5\"", "true", "[]", "{}", "1e999", "-1e999", "\"\""]),
        };
        strings.iter().map(|s| (*s).to_owned()).chain(own).collect()
    }
}

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

#[tokio::test]
async fn every_field_of_every_operation_is_checked_and_named() {
    let world = World::start().await;
    let mut asked = 0;
    for operation in with_body() {
        let (right, fields) = fields_of(operation.id);
        for (field, kind) in fields {
            for wrong in kind.wrong() {
                // As text: what is wrong is often what serde_json would not write.
                let mut others: Vec<String> = right
                    .as_object()
                    .unwrap()
                    .iter()
                    .filter(|(name, _)| name != field)
                    .map(|(name, value)| {
                        format!(
                            "\"{name}\":{}",
                            value.to_string().replace("{channel}", &world.channel).replace("{message}", &world.message)
                        )
                    })
                    .collect();
                others.push(format!("\"{field}\":{wrong}"));
                let body = format!("{{{}}}", others.join(","));
                let reply = world.ask(operation).raw(body).await;
                let what = format!("{} {field} = {}", operation.id, &wrong[..wrong.len().min(60)]);
                assert!(matches!(reply.status, 404 | 409 | 422), "{what} was answered {}: {}", reply.status, reply.text);
                let code = reply.body["error"].as_str().unwrap().to_owned();
                let status = reply.status;
                let refused = reply.refused(status, &code);
                // An id that is none stands for nothing: not found, and no field is wrong. Same for a stale token.
                let not_found = status == 404 || code == "lease_lost";
                assert!(not_found || refused["field"] == *field, "{what}: {refused}");
                asked += 1;
            }
        }
    }
    assert!(asked > 400, "{asked}");
    let left = world.agent.list(&world.channel, "status=unclaimed").await.ok(200);
    assert_eq!(left["data"].as_array().unwrap().len(), 1, "nothing of all this had an effect");
    world.fleet.finish().await;
}

#[tokio::test]
async fn query_parameters_are_checked_and_named() {
    let world = World::start().await;
    let long = "9".repeat(3000);
    let tables = [
        ("limit", "invalid_limit", vec!["0", "-1", "101", "1.5", "x", "", "1e1", "%00", "%ff", &long, "18446744073709551616"]),
        ("cursor", "invalid_cursor", vec!["x", "-1", "1", "2026-13-01T00:00:00Z", "2026-11-22", "%00", "%ff", &long, "null"]),
        ("since", "invalid_cursor", vec!["x", "yesterday", "2026-11-22T25:00:00Z"]),
        ("status", "invalid_status", vec!["open", "CLAIMED", "%00", "%ff", &long]),
        ("expiring_before", "invalid_field", vec!["x", "%ff", &long]),
        ("wait", "invalid_field", vec!["x", "-1", "nan", "inf", "-inf", "1e999", "%ff", "true"]),
    ];
    for (name, code, values) in tables {
        for value in values {
            let refused = world.agent.list(&world.channel, &format!("{name}={value}")).await.refused(422, code);
            assert_eq!(refused["field"], name, "{name}={value}");
        }
    }
    let receipt = |query: &str| world.agent.get(&format!("/v1/messages/{}?{query}", world.message));
    for (name, value) in
        [("wait", "x"), ("wait", "-1"), ("wait", "1e999"), ("until", "open"), ("until", "DONE"), ("until", "%00"), ("until", &long)]
    {
        assert_eq!(receipt(&format!("{name}={value}")).await.refused(422, "invalid_field")["field"], name, "{name}={value}");
    }
    for fine in ["wait=0", "until=", "until=claimed", "until=done&wait=", "unknown=%ff"] {
        assert_eq!(receipt(fine).await.ok(200)["state"], "open", "{fine}");
    }
    // Absent, empty and 0 are from the start; of two the last counts; what nobody knows is ignored.
    for fine in ["", "cursor=", "cursor=0", "since=0", "cursor=%20", "limit=x&limit=5", "unknown=%ff", "&&=&", "wait=", "wait=0", "status="]
    {
        let page = world.agent.list(&world.channel, fine).await.ok(200);
        assert_eq!(page["data"].as_array().unwrap().len(), 2, "{fine}");
    }
    world.fleet.finish().await;
}

#[tokio::test]
async fn an_idempotency_key_has_a_form() {
    let world = World::start().await;
    let name = unique();
    let ask = |key: &str| world.agent.post("/v1/actors", json!({ "name": name })).once(key);
    for bad in ["x".repeat(256), "ümlaut".into()] {
        assert_eq!(ask(&bad).await.refused(422, "invalid_idempotency_key")["field"], "Idempotency-Key", "{bad}");
    }
    assert!(!ask("").await.is_replay() && !ask("  ").await.is_replay(), "blank is absent");
    ask(&"x".repeat(255)).await.ok(200);
    assert!(ask(&"x".repeat(255)).await.is_replay());
    world.fleet.finish().await;
}
