//! What scripts are called with where a test does not say.

use super::script::{ACTOR, CHANNEL, CONTENT, DELIVERY, INVITATION, OWNER, REQUEST, SESSION, STRANGER};

/// An argument that a test does not name.
pub fn default_of(script: &str, arg: &str) -> String {
    match arg {
        "key" => OWNER,
        "member" => STRANGER,
        "actor" | "actor_id" => ACTOR,
        "id" if script.starts_with("actors/") => ACTOR,
        "id" if script.starts_with("access_requests/") => REQUEST,
        "id" if script.starts_with("invitations/") && script != "invitations/route" => INVITATION,
        "id" if script.starts_with("sessions/") => SESSION,
        "id" if script.starts_with("hooks/") || script.starts_with("jobs/") => DELIVERY,
        "id" if script == "webhooks/actor_hook" || script == "webhooks/disable_actor" => ACTOR,
        "id" => CHANNEL,
        "delivery" => DELIVERY,
        "worker" => "w-1",
        "from" => "0-0",
        "job" => "a job",
        "outcome" => "delivered",
        "status" => "200",
        "mark" => "m1",
        "took_ms" => "7",
        "idle" => "1000",
        "requester" => STRANGER,
        "name" => "worker",
        "owner_label" | "label" => "me",
        "mode" => "claimable",
        "access" => "open",
        "head" => return format!("{OWNER}\u{1f}{ACTOR}\u{1f}worker\u{1f}"),
        "content" => CONTENT,
        "event_id" => "evt_1",
        "event" => return format!("key.issue\u{1f}{OWNER}\u{1f}\u{1f}192.0.2.1\u{1f}{{}}"),
        "keep" => "5",
        "keep_ms" | "life_ms" => "60000",
        "rev" => "1",
        "requests" | "errors" | "claims" | "acks" => "0",
        "secret" => "s1",
        "digest" => "d1",
        "body" => "00112233445566778899aabbccddeeff",
        "alias" => "nick",
        "max" | "attempt" => "1",
        "cap" | "most" | "cap_of_key" => "1000",
        "limit" => "50",
        "window_ms" => "60000",
        "n" | "due" | "floor" | "lease_ms" | "cursor" | "before" | "created" | "idem_ms" | "pin_ms" => "0",
        "task" | "metadata" | "state" | "instead_of" | "found" | "scopes" | "want" | "description" | "for_members" | "reason" | "freed"
        | "gone" | "mentions" | "reader" | "needed" | "error" => "",
        "url" => "https://example.com/hook",
        other => panic!("{script} has an argument {other} without a default in support/defaults.rs"),
    }
    .to_owned()
}
