//! What a field may hold beyond its type: formats, bounds, the words it is one of. By the field's name, so that the same name means the
//! same in each body and a new body has it from the start.

use serde_json::{Map, Value, json};

use crate::members::list::MOST;
use crate::operation::{Operation, Scope};

/// Which way a body goes: what is asked of callers is more than what is said of answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Request,
    Answer,
}

/// What cannot be seen in a name (`names::is_plain`).
macro_rules! invisible {
    () => {
        r"\u0000-\u001F\u007F-\u009F\u00AD\u061C\u200B-\u200F\u202A-\u202E\u2060-\u2064\u2066-\u2069\uFEFF"
    };
}

/// What is trimmed off at both ends.
macro_rules! blanks {
    () => {
        r"\t-\r \u0085\u00A0\u1680\u2000-\u200A\u2028\u2029\u202F\u205F\u3000"
    };
}

/// Nothing that cannot be seen, but for what is trimmed.
const PLAIN: &str = concat!("^[", blanks!(), "]*[^", invisible!(), "]*[", blanks!(), "]*$");
/// Nothing that cannot be seen, and one character at least that is no blank.
const NAME: &str = concat!("^[^", invisible!(), "]*[^", blanks!(), invisible!(), "][^", invisible!(), "]*$");
/// Strings are trimmed, so one of blanks is blank.
const NOT_BLANK: &str = concat!("[^", blanks!(), "]");
/// RFC 3339 in UTC, or nothing or `0` for the start.
const TIME_OR_START: &str = concat!(
    "^(?:0|[0-9]{4}-",
    "(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))",
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](?:\.[0-9]{1,9})?(?:Z|\+00:00))?$",
);
const EXAMPLE_TIME: &str = "2026-11-22T01:27:01.350436Z";

/// A name of at most so many characters.
fn name(most: u32) -> Value {
    json!({ "minLength": 1, "maxLength": most, "pattern": NAME })
}

fn id(prefix: &str, len: usize) -> Value {
    let example: String = "7h2kq5w3m4n6p2r5t3vx".chars().cycle().take(len).collect();
    json!({ "pattern": format!("^{prefix}_[a-z2-7]{{{len}}}$"), "example": format!("{prefix}_{example}") })
}

fn one_of(words: &[&str]) -> Value {
    json!({ "enum": words })
}

fn between(least: u64, most: u64) -> Value {
    json!({ "minimum": least, "maximum": most })
}

fn scopes() -> Value {
    json!({ "items": { "type": "string", "enum": Scope::ALL.iter().map(|s| s.word()).collect::<Vec<_>>() } })
}

/// What the field of this name holds in the body of this name.
fn of_field(side: Side, body: &str, field: &str) -> Option<Value> {
    Some(match (side, body, field) {
        (
            _,
            _,
            "created_at" | "updated_at" | "expires_at" | "lease_expires_at" | "claimed_at" | "archived_at" | "occurred_at" | "granted_at"
            | "revoked_at",
        ) => json!({ "format": "date-time", "example": EXAMPLE_TIME }),
        (
            _,
            _,
            "key_id" | "created_by_key_id" | "posted_by_key_id" | "claimed_by_key_id" | "requester_key_id" | "actor_key_id"
            | "subject_key_id",
        ) => id("bck", 26),
        (_, _, "channel_id") => id("ch", 20),
        (Side::Answer, "Channel" | "FoundChannel" | "RelatedChannel", "id") => id("ch", 20),
        (Side::Answer, "Message", "id") => json!({ "pattern": "^msg_[a-z2-7]{20}[0-9]{16}$" }),
        (Side::Answer, "Actor" | "ActorRef" | "Ack", "id") => id("act", 26),
        (Side::Answer, "Session", "id") => id("ses", 20),
        (Side::Answer, "Invitation", "id") => id("inv", 26),
        (Side::Answer, _, "invitation_id" | "granted_via_invitation_id") => id("inv", 26),
        (Side::Answer, _, "request_id") if body != "Error" => id("acr", 36),
        (Side::Answer, _, "lease_token") => json!({ "pattern": "^lease_[a-z2-7]{20}[0-9]{16}_[a-z2-7]{26}$" }),
        (Side::Answer, _, "documentation_url" | "resolve_url" | "status_url") => json!({ "format": "uri" }),
        (_, _, "mode") => one_of(&["claimable", "broadcast"]),
        (_, _, "access") => one_of(&["open", "restricted"]),
        (Side::Answer, _, "state") if body == "Message" => one_of(&["open", "claimed", "done", "expired", "retracted"]),
        (_, _, "scopes") => scopes(),
        (_, _, "retention_days") => between(1, 365),
        (_, _, "ttl_seconds") => between(1, 2_592_000),
        (_, _, "max_messages" | "max_writes_per_minute") if body != "Evictions" => between(1, 1_000_000),
        (Side::Answer, _, "limit") => between(1, 1000),

        (Side::Request, "CreateChannel", "name") => name(200),
        // Of a channel a null name is none; of the others it means that nothing changes.
        (Side::Request, "UpdateChannel", "name") => json!({ "type": "string", "minLength": 1, "maxLength": 200, "pattern": NAME }),
        (Side::Request, "CreateActor", "name") => name(128),
        (Side::Request, "CreateSession" | "PatchSession" | "CreateClaimableSession", "name") => {
            json!({ "maxLength": 200, "pattern": PLAIN })
        }
        (Side::Request, _, "actor") => json!({ "maxLength": 128, "pattern": PLAIN }),
        (Side::Request, _, "actor_label") => json!({ "maxLength": 256 }),
        (Side::Request, "CreateChannel" | "UpdateChannel" | "CreateClaimableSession", "description" | "pinned_message") => {
            json!({ "maxLength": 10_000 })
        }
        (Side::Request, _, "alias") => name(200),
        (Side::Request, _, "agent_label") => name(128),
        // A channel of this name is made where there is none.
        (Side::Request, "PostTask", "channel") => name(200),
        (Side::Request, _, "content" | "channel" | "message_id") => json!({ "minLength": 1, "pattern": NOT_BLANK }),
        (Side::Request, _, "wait") => json!({ "minimum": 0 }),
        (Side::Request, _, "mentions") => json!({ "maxItems": 50 }),
        (Side::Request, _, "related_channels") => json!({ "maxItems": 20 }),
        (Side::Request, _, "cursor" | "since") => json!({ "pattern": TIME_OR_START, "example": EXAMPLE_TIME }),
        (Side::Request, "SetActorWebhook", "url") => json!({ "pattern": "^https?://.+$", "maxLength": 2048 }),
        (Side::Request, _, "webhook_url") => json!({ "pattern": "^(https?://.+)?$", "maxLength": 2048 }),
        _ => return None,
    })
}

/// What the query parameter of this name holds.
pub fn of_parameter(operation: &Operation, name: &str, kind: &str) -> Value {
    let of_audit = matches!(operation.id, "adminAudit" | "securityAudit");
    match name {
        "limit" if of_audit => json!({ "type": "integer", "minimum": 1, "maximum": 500, "default": 100 }),
        "limit" if operation.id == "listChannelMembers" => json!({ "type": "integer", "minimum": 1, "maximum": MOST, "default": MOST }),
        "limit" => json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 50 }),
        "wait" => json!({ "type": "number", "minimum": 0, "default": 0 }),
        "status" => json!({ "type": "string", "enum": ["unclaimed", "claimed"] }),
        "until" => json!({ "type": "string", "enum": ["done", "claimed"], "default": "done" }),
        "key_id" => id("bck", 26),
        "cursor" | "since" | "expiring_before" => {
            json!({ "type": "string", "pattern": TIME_OR_START, "example": EXAMPLE_TIME })
        }
        _ => json!({ "type": kind }),
    }
}

/// Adds to each field of a schema what it holds.
pub fn refine(side: Side, body: &str, schema: &mut Value) {
    for part in ["allOf", "oneOf", "anyOf"] {
        for part in schema.get_mut(part).and_then(Value::as_array_mut).into_iter().flatten() {
            refine(side, body, part);
        }
    }
    let Some(fields) = schema.get_mut("properties").and_then(Value::as_object_mut) else { return };
    for (name, field) in fields {
        if let (Some(more), Some(field)) = (of_field(side, body, name), field.as_object_mut()) {
            add(field, more);
        }
    }
}

fn add(field: &mut Map<String, Value>, more: Value) {
    let Value::Object(mut more) = more else { return };
    let nullable = field.get("type").is_some_and(|kind| kind.as_array().is_some_and(|kinds| kinds.contains(&json!("null"))));
    if nullable && let Some(words) = more.get_mut("enum").and_then(Value::as_array_mut) {
        words.push(Value::Null);
    }
    field.extend(more);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_may_be_null_stays_so() {
        let mut schema = json!({ "properties": { "mode": { "type": ["string", "null"] }, "access": { "type": "string" } } });
        refine(Side::Request, "UpdateChannel", &mut schema);
        assert_eq!(schema["properties"]["mode"]["enum"], json!(["claimable", "broadcast", null]));
        assert_eq!(schema["properties"]["access"]["enum"], json!(["open", "restricted"]));
    }
}
