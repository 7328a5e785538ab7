//! The list of scripts. One line each: the name is the file under `lua/`.

use super::script::Script;
use crate::error::ApiError;

macro_rules! scripts {
    ($($name:ident = $file:literal,)+) => {
        $(#[doc = concat!("`lua/", $file, ".lua`")] pub static $name: Script = Script::new($file, include_str!(concat!("../../lua/", $file, ".lua")));)+

        /// All scripts.
        pub static ALL: &[&Script] = &[$(&$name,)+];
    };
}

scripts! {
    KEY_ADMIT = "api_keys/admit",
    KEY_ANNOUNCE = "api_keys/announce",
    KEY_ANNOUNCED = "api_keys/announced",
    KEY_CREATE = "api_keys/create",
    KEY_LOOK = "api_keys/look",
    KEY_MINTING_READ = "api_keys/minting_read",
    KEY_MINT_GATE = "api_keys/mint_gate",
    KEY_MINTING = "api_keys/minting",
    KEY_READ = "api_keys/read",
    KEY_REVOKE = "api_keys/revoke",
    KEY_SET_SCOPES = "api_keys/set_scopes",
    ACCESS_REQUEST = "access_requests/request",
    ACCESS_REQUEST_APPROVE = "access_requests/approve",
    ACCESS_REQUEST_DENY = "access_requests/deny",
    ACCESS_REQUEST_LIST = "access_requests/list",
    ACTOR_ALIAS_ADD = "actors/alias_add",
    ACTOR_ALIAS_REMOVE = "actors/alias_remove",
    ACTOR_FIND = "actors/find",
    ACTOR_HOOK_DELETE = "actors/hook_delete",
    ACTOR_HOOK_READ = "actors/hook_read",
    ACTOR_HOOK_SET = "actors/hook_set",
    ACTOR_KNOWN = "actors/known",
    ACTOR_READ = "actors/read",
    ACTOR_REGISTER = "actors/register",
    ALIAS_DROP = "aliases/drop",
    ALIAS_READ = "aliases/read",
    ALIAS_TAKE = "aliases/take",
    AUDIT_FILE = "audit/file",
    AUDIT_LIST = "audit/list",
    AUDIT_LIST_ALL = "audit/list_all",
    AUDIT_NOTE = "audit/note",
    CHANNEL_ALIAS_ADD = "channels/alias_add",
    CHANNEL_ALIAS_REMOVE = "channels/alias_remove",
    CHANNEL_BRIEF = "channels/brief",
    CHANNEL_CREATE = "channels/create",
    CHANNEL_DELETE = "channels/delete",
    CHANNEL_DISCOVER = "channels/discover",
    CHANNEL_DISCOVER_ENTER = "channels/discover_enter",
    CHANNEL_DISCOVER_LEAVE = "channels/discover_leave",
    CHANNEL_END_AFTER = "channels/end_after",
    CHANNEL_EXPIRE = "channels/expire",
    CHANNEL_FULL = "channels/full",
    CHANNEL_NAME_DROP = "channels/name_drop",
    CHANNEL_NAME_READ = "channels/name_read",
    CHANNEL_NAME_TAKE = "channels/name_take",
    CHANNEL_OWNED = "channels/owned",
    CHANNEL_READ = "channels/read",
    CHANNEL_SURVEY = "channels/survey",
    CHANNEL_UPDATE = "channels/update",
    CLAIM = "claims/claim",
    CLAIM_ACK = "claims/ack",
    CLAIM_ACK_WITH_RESULT = "claims/ack_with_result",
    CLAIM_AND_ACK = "claims/claim_and_ack",
    CLAIM_GIVE_BACK = "claims/give_back",
    CLAIM_HEARTBEAT = "claims/heartbeat",
    CLAIM_NEXT = "claims/next",
    CLAIM_RELEASE = "claims/release",
    DOCTOR_RIGHTS = "doctor/rights",
    DUTY_FILE = "duty/file",
    DUTY_FINDINGS = "duty/findings",
    DUTY_TAKE = "duty/take",
    EVENT_LIST = "events/list",
    HOOK_DEAD = "hooks/dead",
    HOOK_DELIVERED = "hooks/delivered",
    HOOK_DELIVERIES = "hooks/deliveries",
    HOOK_ONE = "hooks/one",
    HOOK_RECORD = "hooks/record",
    HOOK_REDRIVEN = "hooks/redriven",
    INVITATION_CREATE = "invitations/create",
    INVITATION_FIND = "invitations/find",
    INVITATION_GATE = "invitations/gate",
    INVITATION_RESOLVE = "invitations/resolve",
    INVITATION_REVOKE = "invitations/revoke",
    INVITATION_ROUTE = "invitations/route",
    JOB_ADOPT = "jobs/adopt",
    JOB_DONE = "jobs/done",
    JOB_DUE = "jobs/due",
    JOB_ENTER = "jobs/enter",
    JOB_FORGET = "jobs/forget",
    JOB_GAUGE = "jobs/gauge",
    JOB_GROUP = "jobs/group",
    JOB_PUT = "jobs/put",
    JOB_REDRIVE = "jobs/redrive",
    JOB_SETTLE = "jobs/settle",
    MEMBER_ADD = "members/add",
    MEMBER_CHECK = "members/check",
    MEMBER_LIST = "members/list",
    MEMBER_REMOVE = "members/remove",
    MESSAGE_HISTORY = "messages/history",
    MESSAGE_LIFT = "messages/lift",
    MESSAGE_LIST = "messages/list",
    MESSAGE_LIST_CLAIMED = "messages/list_claimed",
    MESSAGE_LIST_UNCLAIMED = "messages/list_unclaimed",
    MESSAGE_POST = "messages/post",
    MESSAGE_RECEIPT = "messages/receipt",
    MESSAGE_RETRACT = "messages/retract",
    MESSAGE_WATCH = "messages/watch",
    REPLICATION_MARK = "replication/mark",
    ROOM_ADMIT = "rooms/admit",
    ROOM_ADMIT_ROOM = "rooms/admit_room",
    ROOM_COUNTS = "rooms/counts",
    ROOM_CREATE = "rooms/create",
    ROOM_DUE = "rooms/due",
    ROOM_FILE = "rooms/file",
    ROOM_HOLD = "rooms/hold",
    ROOM_JOIN = "rooms/join",
    ROOM_LEAVE = "rooms/leave",
    ROOM_POLL = "rooms/poll",
    ROOM_REGISTER = "rooms/register",
    ROOM_RELEASE = "rooms/release",
    ROOM_SEND = "rooms/send",
    ROOM_SURVEY = "rooms/survey",
    SANDBOX_CHANNEL = "sandbox/channel",
    SANDBOX_OWNER = "sandbox/owner",
    SANDBOX_TURN = "sandbox/turn",
    SESSION_CREATE = "sessions/create",
    SESSION_DELETE = "sessions/delete",
    SESSION_LIST = "sessions/list",
    SESSION_READ = "sessions/read",
    SESSION_UPDATE = "sessions/update",
    TASK_ORIGIN = "tasks/origin",
    USAGE_ADD = "usage/add",
    USAGE_CHANNEL = "usage/channel",
    USAGE_CHANNEL_ADD = "usage/channel_add",
    USAGE_CHANNEL_METRICS = "usage/channel_metrics",
    USAGE_HOLDINGS = "usage/holdings",
    USAGE_LEASES = "usage/leases",
    USAGE_OVERVIEW = "usage/overview",
    WEBHOOK_ACTOR_HOOK = "webhooks/actor_hook",
    WEBHOOK_DISABLE = "webhooks/disable",
    WEBHOOK_DISABLE_ACTOR = "webhooks/disable_actor",
    WEBHOOK_INDEX_DROP = "webhooks/index_drop",
    WEBHOOK_INDEX_ENTER = "webhooks/index_enter",
    WEBHOOK_KEY_IS_ACTIVE = "webhooks/key_is_active",
    WEBHOOK_LOAD = "webhooks/load",
    WEBHOOK_OUTBOX_DONE = "webhooks/outbox_done",
    WEBHOOK_OUTBOX_READ = "webhooks/outbox_read",
    WEBHOOK_OWNER = "webhooks/owner",
    WEBHOOK_PUSH_ONCE = "webhooks/push_once",
    WEBHOOK_SWEEP_LEAVE = "webhooks/sweep_leave",
    WEBHOOK_SWEEP_PAGE = "webhooks/sweep_page",
}

macro_rules! pieces {
    ($($file:literal,)+) => {
        /// The pieces that scripts include.
        pub static LIB: &[(&str, &str)] = &[$(($file, include_str!(concat!("../../lua/", $file, ".lua"))),)+];
    };
}

pieces! {
    "lib/access",
    "lib/ack",
    "lib/actor",
    "lib/ahead",
    "lib/answer",
    "lib/audit",
    "lib/bucket",
    "lib/carry",
    "lib/channel",
    "lib/deadline",
    "lib/erase",
    "lib/event",
    "lib/fields",
    "lib/first_answer",
    "lib/forget",
    "lib/full",
    "lib/in_memory",
    "lib/in_time",
    "lib/invitation",
    "lib/last",
    "lib/lease_note",
    "lib/lease_room",
    "lib/let_in",
    "lib/mentions",
    "lib/message",
    "lib/minute",
    "lib/next_lease",
    "lib/number",
    "lib/once",
    "lib/outbox",
    "lib/outbox_room",
    "lib/owner",
    "lib/page",
    "lib/participant",
    "lib/person",
    "lib/place",
    "lib/queued",
    "lib/receipt",
    "lib/reclaim",
    "lib/record",
    "lib/record_parts",
    "lib/replication",
    "lib/request",
    "lib/result",
    "lib/room",
    "lib/room_append",
    "lib/room_carry",
    "lib/room_awake",
    "lib/room_life",
    "lib/room_seen",
    "lib/session",
    "lib/settings",
    "lib/trim",
    "lib/unbundled",
    "lib/used",
    "lib/wake",
}

/// Parses every script.
///
/// # Errors
/// The first header that does not fit the program.
pub fn check() -> Result<(), ApiError> {
    ALL.iter().try_for_each(|s| s.parsed().map(|_| ()))
}

/// The text that Redis gets of one script, for `backchannel print script`.
pub fn print(name: &str) -> Option<String> {
    let script = ALL.iter().find(|s| s.name() == name)?;
    script.parsed().ok().map(|p| p.text().to_owned())
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_header_fits_the_program() {
        super::check().expect("all scripts parse");
    }

    #[test]
    fn a_write_without_idempotency_sends_no_key_for_its_answer() {
        let sent = |script: &'static super::Script, is_kept| script.parsed().expect("it parses").keys_sent(is_kept).len();
        assert_eq!(sent(&super::MESSAGE_POST, false), sent(&super::MESSAGE_POST, true) - 1);
        assert_eq!(sent(&super::CHANNEL_CREATE, false), sent(&super::CHANNEL_CREATE, true) - 1);
        assert_eq!(sent(&super::MESSAGE_LIST, false), sent(&super::MESSAGE_LIST, true));
    }
}
