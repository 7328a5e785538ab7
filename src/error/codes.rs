//! The table of errors: each code with its status, what it means and what the caller does next.
//!
//! Responses, `/openapi.json` and `docs/errors.md` take their words from here and from nowhere else.

use http::StatusCode;

/// What the table says about one code.
#[derive(Clone, Copy, Debug)]
pub struct Spec {
    /// The word clients branch on.
    pub word: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The default `message`: what happened, for a reader who has never seen this code.
    pub meaning: &'static str,
    /// The `suggestion`: the caller's next step.
    pub next_step: &'static str,
}

const fn spec(word: &'static str, status: u16, meaning: &'static str, next_step: &'static str) -> Spec {
    Spec { word, status, meaning, next_step }
}

/// Declares the enum and the list of all codes together, so that a code cannot miss in the list that documents are made from.
macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident => $spec:expr,)+) => {
        /// Every error this service can answer with.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Code { $($(#[$doc])* $name,)+ }

        impl Code {
            /// All codes, in the order of the table.
            pub const ALL: &[Code] = &[$(Code::$name,)+];

            /// Everything there is to say about a code.
            pub const fn spec(self) -> Spec {
                match self { $(Self::$name => $spec,)+ }
            }
        }
    };
}

codes! {
    // The request itself
    NotFound => spec("not_found", 404, "There is no such route.", "Check the method and path against GET /openapi.json."),
    MethodNotAllowed => spec("method_not_allowed", 405, "This path does not take that method.", "Use one of the methods in the Allow header."),
    InvalidJson => spec("invalid_json", 400, "The body is not valid JSON.", "Send one JSON object, UTF-8, Content-Type: application/json."),
    InvalidJsonShape => spec("invalid_json_shape", 422, "The body must be a JSON object.", "Wrap the fields in { }."),
    MissingField => spec("missing_field", 422, "A required field is missing or blank.", "Add the field named in `field` and send the request again."),
    InvalidString => spec("invalid_string", 422, "A field must be a string of the allowed form.", "Correct the field named in `field` and send the request again."),
    InvalidObject => spec("invalid_object", 422, "A field must be a JSON object.", "Correct the field named in `field` and send the request again."),
    InvalidField => spec("invalid_field", 422, "A field or parameter has a value that is not allowed.", "Correct the field named in `field` and send the request again."),
    InvalidFields => spec("invalid_fields", 422, "The body has fields that cannot be changed here.", "Remove the fields listed in `fields` and send the request again."),
    InvalidPath => spec("invalid_path", 422, "The path is not valid percent-encoded UTF-8.", "Percent-encode names and aliases as UTF-8."),
    MalformedRequest => spec("malformed_request", 400, "This is no HTTP/1.1 request: its first line or a header cannot be read.", "Use an HTTP client library; percent-encode paths, and put no line breaks into headers."),
    UriTooLong => spec("uri_too_long", 414, "The path with its query is longer than 65,534 bytes.", "Put long values into the body."),
    HeadersTooLarge => spec("headers_too_large", 431, "The request's head is longer than 64 KiB or has more than 100 headers.", "Send fewer and shorter headers; put data into the body."),
    PayloadTooLarge => spec("payload_too_large", 413, "The body is larger than this server reads.", "Send less than `max_body_bytes`; hand over a reference instead of the data."),
    RequestTimeout => spec("request_timeout", 408, "The body did not arrive in time.", "Send the whole body without pausing, then try again."),
    InvalidIdempotencyKey => spec("invalid_idempotency_key", 422, "The Idempotency-Key header is not 1 to 255 visible characters.", "Send a UUID."),
    IdempotencyKeyReused => spec("idempotency_key_reused", 422, "This Idempotency-Key was used for a request with another body.", "Use a fresh Idempotency-Key for a new request; repeat the old body to get the old answer."),

    // Who asks
    Unauthorized => spec("unauthorized", 401, "The API key is missing, malformed, unknown or revoked.", "Send your key as X-API-Key. No key yet? POST /v1/keys {\"agent_label\": \"<your name>\"}."),
    ApiKeyRequired => spec("api_key_required", 401, "This needs an API key, and none was sent.", "Get a key at once, without signup: POST /v1/keys {\"agent_label\": \"<your name>\"}. Then send this request again with it as X-API-Key."),
    InsufficientScope => spec("insufficient_scope", 403, "This key's scopes do not allow the operation.", "Use a key whose scopes include `required_scope`."),
    RateLimitExceeded => spec("rate_limit_exceeded", 429, "Too many requests.", "Wait `retry_after` seconds (also in Retry-After), then try again."),
    MintingClosed => spec("minting_closed", 403, "This instance does not hand out keys at the moment.", "Ask its operator for a key."),
    AdminDisabled => spec("admin_disabled", 403, "This instance has no admin token, so its admin operations are off.", "The operator sets BACKCHANNEL_ADMIN_TOKEN."),
    AdminUnauthorized => spec("admin_unauthorized", 401, "The X-Admin-Token header is missing or wrong.", "Send the operator's token as X-Admin-Token."),
    LabelInUse => spec("label_in_use", 409, "An active key has this label.", "Mint with another agent_label, for example with a random suffix."),
    InvalidScopes => spec("invalid_scopes", 422, "`scopes` must be a list of scope names.", "Send {\"scopes\": [\"messages:read\", …]}."),
    InvalidScope => spec("invalid_scope", 422, "`scopes` names an unknown scope, or one this key does not have.", "Use names out of `allowed`. A key can only narrow its own scopes."),

    // Channels
    ChannelNotFound => spec("channel_not_found", 404, "There is no channel with this id, alias, or name of yours.", "Check the id. Names work only for the key that created the channel; others use the id or an alias."),
    ChannelAccessDenied => spec("channel_access_denied", 403, "This channel is restricted and this key is not a member.", "Ask to be let in: POST /v1/channels/{id}/access-requests. Or use an invitation of its owner."),
    Forbidden => spec("forbidden", 403, "This key may not do that here.", "Use the key that owns the channel or posted the message."),
    InvalidMode => spec("invalid_mode", 422, "`mode` must be \"claimable\" or \"broadcast\".", "claimable: each message to exactly one agent. broadcast: every message to every reader."),
    InvalidAccess => spec("invalid_access", 422, "`access` must be \"open\" or \"restricted\".", "open: any key with the id. restricted: only the owner and members."),
    InvalidDiscoverable => spec("invalid_discoverable", 422, "`discoverable` must be true or false.", "Send a JSON boolean."),
    InvalidTtlSeconds => spec("invalid_ttl_seconds", 422, "`ttl_seconds` is not an integer in the allowed range.", "Choose a value between `min` and `max`."),
    InvalidRetentionDays => spec("invalid_retention_days", 422, "`retention_days` must be an integer from 1 to 365.", "Choose a value between 1 and 365."),
    InvalidMaxMessages => spec("invalid_max_messages", 422, "`max_messages` must be null or an integer from 1 to 1000000.", "Choose a value in that range, or null."),
    InvalidMaxWritesPerMinute => spec("invalid_max_writes_per_minute", 422, "`max_writes_per_minute` must be null or an integer from 1 to 1000000.", "Choose a value in that range, or null."),
    InvalidRelatedChannels => spec("invalid_related_channels", 422, "`related_channels` must be a list of at most 20 channel ids, aliases or names of yours that you can read.", "Remove the entries that do not resolve."),
    InvalidChannelName => spec("invalid_channel_name", 422, "A channel name has 1 to 200 characters, no control characters and no invisible formatting characters.", "Choose a plain name such as \"deploy-jobs\"."),
    InvalidAlias => spec("invalid_alias", 422, "An alias has 1 to 200 characters, no control or invisible characters, and must not look like an id.", "Choose a plain word such as \"ops-alerts\"."),
    InvalidMetadataSchema => spec("invalid_metadata_schema", 422, "`metadata_schema` must be a JSON Schema: an object of at most 16 KiB, without references that leave it and with patterns without look-around and back-references.", "Correct what `message` names and send the request again. {} asks for nothing."),
    ChannelNameInUse => spec("channel_name_in_use", 409, "You already have a channel of this name with another mode or access.", "Use the channel in `channel_id`, or choose another name."),
    AliasConflict => spec("alias_conflict", 409, "This alias belongs to another channel or actor.", "Choose another alias; aliases are global."),
    AliasNotFound => spec("alias_not_found", 404, "This channel or actor has no such alias.", "Look at its `aliases`: GET /v1/channels/{id} or /v1/actors/{id}."),
    ChannelNotEmpty => spec("channel_not_empty", 409, "The mode cannot change while the channel has live messages.", "Create a new channel, or wait until the messages have expired."),
    InvalidWebhookUrl => spec("invalid_webhook_url", 422, "The webhook URL must be an http or https URL with a public host and without credentials, at most 2,048 bytes long.", "Send a URL such as https://example.com/hook."),
    DeliveryNotFound => spec("delivery_not_found", 404, "This webhook has no such delivery among its newest 200 tries and its dead letters.", "Take an id out of GET …/webhook/deliveries or …/webhook/dead-letters."),
    ChannelPaused => spec("channel_paused", 503, "The channel takes no messages at the moment; reading and claiming work.", "Wait `retry_after` seconds (also in Retry-After), then post again."),
    ChannelWriteRateExceeded => spec("channel_write_rate_exceeded", 429, "The channel takes only so many messages a minute.", "Wait `retry_after` seconds (also in Retry-After), then post again."),
    WebhookBacklogFull => spec("webhook_backlog_full", 503, "As much of this channel waits to be pushed to webhooks as the instance keeps, and none of it may be lost: nothing was done.", "Wait `retry_after` seconds (also in Retry-After), then try again. A message without mentions goes through once the channel's owner has cleared webhook_url: PATCH /v1/channels/{id} {\"webhook_url\": null}."),
    QuotaExceeded => spec("quota_exceeded", 409, "A limit of this instance is reached; nothing was changed.", "Delete, acknowledge or release what you no longer need, or ask the operator to raise the limit named in `limit`, which is `value`. What you use of each: GET /v1/account/usage."),

    // Messages
    ContentTooLarge => spec("content_too_large", 422, "`content` is longer than this instance takes.", "Send at most `max_content_bytes` bytes; hand over a reference instead of the data."),
    MetadataValidationFailed => spec("metadata_validation_failed", 422, "`metadata` is not what the channel's metadata_schema asks for; nothing was posted.", "Correct every field in `violations` and post again. The schema: GET /v1/channels/{id}, `metadata_schema`."),
    MetadataTooLarge => spec("metadata_too_large", 422, "`metadata` is longer than 16 KiB of JSON or nested deeper than 64 levels.", "Put the data elsewhere and send a reference."),
    InvalidMentions => spec("invalid_mentions", 422, "`mentions` must be a list of at most 50 actor ids or aliases.", "Send {\"mentions\": [\"act_…\"]}."),
    InvalidCursor => spec("invalid_cursor", 422, "The cursor is not an RFC 3339 time.", "Send the next_cursor of your last page unchanged, or leave it out to start from the beginning."),
    InvalidLimit => spec("invalid_limit", 422, "`limit` must be an integer from 1 to 100.", "Choose a value between 1 and 100."),
    InvalidStatus => spec("invalid_status", 422, "`status` must be \"unclaimed\" or \"claimed\".", "Send one of the two, or leave it out."),
    MessageNotFound => spec("message_not_found", 404, "There is no such message: it never existed, was retracted, or is past its retention.", "Take the next one: POST /v1/tasks/claim or GET …/messages?status=unclaimed."),
    MessageExpired => spec("message_expired", 410, "The message has outlived its channel's ttl_seconds.", "Take the next one. Do not report a result for this one."),
    MessageClaimed => spec("message_claimed", 409, "An agent holds or has finished this message, so it cannot be retracted.", "Let the holder finish, or tell it in another message to stop."),

    // Actors
    ActorNotFound => spec("actor_not_found", 404, "There is no actor with this id, alias, or name of yours.", "Create it: POST /v1/actors {\"name\": …}, or send actor_label as free text."),
    ActorForbidden => spec("actor_forbidden", 403, "This actor belongs to another key.", "Act as an actor that your own key registered, or leave `actor` out. A word that is somebody's alias is yours once you create it: POST /v1/actors {\"name\": …}."),
    WebhookNotFound => spec("webhook_not_found", 404, "There is no webhook here.", "Set one: PATCH /v1/channels/{id} {\"webhook_url\": …}, or of an actor POST /v1/actors/{id}/webhook {\"url\": …}."),
    InvalidActorName => spec("invalid_actor_name", 422, "An actor name has 1 to 128 characters, no control or invisible characters, and must not look like an id.", "Choose a plain name such as \"worker-1\"."),

    // Claims
    AlreadyClaimed => spec("already_claimed", 409, "Another actor, or another process of this one, holds this message.", "Take the next unclaimed message: POST /v1/tasks/claim. Do not retry this one."),
    ChannelNotClaimable => spec("channel_not_claimable", 409, "This is a broadcast channel: its messages are read, not claimed.", "Read with GET …/messages, or use a channel with mode \"claimable\"."),
    InvalidLeaseSeconds => spec("invalid_lease_seconds", 422, "`lease_seconds` must be an integer from 1 to 3600.", "Choose a value in that range and extend it with heartbeats."),
    LeaseExpired => spec("lease_expired", 410, "This lease has ended, was released, or is not yours.", "Stop working on the message: another agent may have it. Claim again before you go on."),
    LeaseLost => spec("lease_lost", 409, "Your lease is no longer the current one; nothing was changed.", "Stop and report nothing: another agent may hold the message. Claim the next one."),
    NotClaimed => spec("not_claimed", 409, "Nobody holds this message.", "Claim it first: POST /v1/messages/{id}/claim."),
    TooManyAcks => spec("too_many_acks", 409, "This broadcast message has its maximum of 1000 acknowledgements.", "Treat it as acknowledged."),

    // Members
    InvalidKeyId => spec("invalid_key_id", 422, "`key_id` is not the id of an API key.", "Send the key_id that the other agent got from GET /v1/keys/me, without the secret."),
    KeyNotFound => spec("key_not_found", 404, "There is no active key with this id.", "Ask the other agent for its key_id: GET /v1/keys/me."),
    MemberNotFound => spec("member_not_found", 404, "This key is not a member of the channel.", "List the members: GET /v1/channels/{id}/members."),
    CannotRemoveOwner => spec("cannot_remove_owner", 409, "The owner cannot be removed from its own channel.", "Delete the channel instead."),
    AccessRequestNotFound => spec("access_request_not_found", 404, "There is no such access request on this channel.", "List those that wait: GET /v1/channels/{id}/access-requests."),
    AccessRequestResolved => spec("access_request_resolved", 409, "This access request was answered before; `status` says how.", "Nothing more to do. To change your mind, add or remove the member."),

    // Invitations
    InvitationNotFound => spec("invitation_not_found", 404, "There is no such invitation, or its channel was deleted.", "Check the URL. Otherwise ask for a new invitation."),
    InvitationExpired => spec("invitation_expired", 410, "This invitation has ended: it lives for 24 hours.", "Ask for a new invitation."),
    InvitationRevoked => spec("invitation_revoked", 410, "This invitation was revoked.", "Ask for a new invitation."),

    // Sessions
    SessionNotFound => spec("session_not_found", 404, "This key has no session with this id: it ended after 24 hours, was deleted, or is another key's.", "List your sessions: GET /v1/sessions, or create one: POST /v1/sessions."),
    SessionConflict => spec("session_conflict", 409, "Too many others changed the session at the same time; nothing was changed.", "Send the request again, after a short random pause."),
    StateTooLarge => spec("state_too_large", 422, "The session's `state` would be longer than 64 KiB of JSON.", "Keep references in the state instead of the data, or use another session."),

    // Results of tasks
    ResultNotReady => spec("result_not_ready", 404, "No result of this task has been published yet.", "Ask again with growing pauses. New code: GET /v1/messages/{id}?wait=&until=done."),

    // Ours
    OutcomeUnknown => spec("outcome_unknown", 503, "The store's answer got lost: the request may or may not have taken effect.", "Look before you repeat it: list from your cursor, or read what it would have changed. Next time send an Idempotency-Key: then repeating is safe."),
    NotReplicated => spec("not_replicated", 503, "It was done, but too few replicas of the store confirmed it in time: if its primary is lost now, so is this.", "Wait `retry_after` seconds (also in Retry-After) and repeat the same request with the same Idempotency-Key: it takes effect once and is answered when replicas have it. Without a key look first, as after outcome_unknown."),
    StorageUnavailable => spec("storage_unavailable", 503, "The store cannot be reached or did not answer in time.", "Wait `retry_after` seconds (also in Retry-After), then send the same request again: repeating this one is safe."),
    StorageFull => spec("storage_full", 503, "The store is full; nothing was changed.", "Wait `retry_after` seconds (also in Retry-After), then try again. Reading, claiming and acknowledging go on."),
    Overloaded => spec("overloaded", 503, "This replica has more work than it can hold; nothing was changed.", "Wait `retry_after` seconds (also in Retry-After), then try again."),
    InternalError => spec("internal_error", 500, "Something broke on our side.", "Try again; if it stays, report the request_id to the operator."),
}

impl Code {
    /// The code that a script or document names, if there is one.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.spec().word == word)
    }

    /// The HTTP status as a type.
    pub fn status(self) -> StatusCode {
        StatusCode::from_u16(self.spec().status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn each_word_is_used_once_and_found_again() {
        let words: HashSet<_> = Code::ALL.iter().map(|c| c.spec().word).collect();
        assert_eq!(words.len(), Code::ALL.len());
        for code in Code::ALL {
            assert_eq!(Code::from_word(code.spec().word), Some(*code));
            assert!((400..=599).contains(&code.spec().status));
        }
    }
}
