//! The tables of keys, one a kind of slot.

/// One key of a slot. `{}` of the form is filled with the parameter that the caller names.
#[derive(Debug)]
pub struct KeyDef {
    /// The name scripts use in their `@key` lines.
    pub name: &'static str,
    /// What follows the hash tag; a trailing `:` takes a parameter.
    pub suffix: &'static str,
    /// The Redis type.
    pub kind: &'static str,
    /// Who owns it, or when it expires: no key is without one of them.
    pub life: &'static str,
    /// What it holds.
    pub holds: &'static str,
}

const fn key(name: &'static str, suffix: &'static str, kind: &'static str, life: &'static str, holds: &'static str) -> KeyDef {
    KeyDef { name, suffix, kind, life, holds }
}

// Tables are statics, not constants: a key is known by its address, and the compiler may put a constant into several places.

/// Keys of one channel; hash tag = channel id.
pub static CHANNEL: &[KeyDef] = &[
    key("meta", "meta", "hash", "until the channel is deleted", "the channel record; in `settings` what scripts need of it, packed"),
    key("members", "members", "hash", "with the channel; at most MAX_MEMBERS_PER_CHANNEL", "key id → since when, by which invitation"),
    key("roster", "roster", "zset", "with the channel; as many as members", "its members but the owner, by when they were let in"),
    key("requests", "requests", "hash", "with the channel; at most MAX_ACCESS_REQUESTS_PER_CHANNEL", "key id → its access request"),
    key("resolved", "resolved:", "string", "24 h", "how an access request was answered"),
    key(
        "invites",
        "invites",
        "hash",
        "48 h after the newest; at most MAX_INVITATIONS_PER_CHANNEL",
        "invitation id → when and by whom it was made and when it was revoked",
    ),
    key("events", "events", "stream", "24 h after the newest; at most 1,000", "who came and went, and what became of invitations"),
    key(
        "log",
        "log",
        "stream",
        "the channel's deadline: newest message + ttl + retention",
        "messages, the part that never changes: content, metadata, who posted; and the highest number given",
    ),
    key("open", "open", "zset", "the channel's deadline", "claimable messages that nobody holds, oldest first"),
    key(
        "claims",
        "claims",
        "hash",
        "the channel's deadline",
        "the part of a message that changes, once claimed or acked; `r` + number: the result of an ack",
    ),
    key("leases", "leases", "zset", "the channel's deadline", "running leases by their end: an index, the record in `claims` decides"),
    key("retracted", "retracted", "zset", "newest retraction + ttl + retention", "numbers of retracted messages"),
    key(
        "outbox",
        "outbox",
        "stream",
        "with the channel; at most 100,000, then what would be pushed is refused; empty: a day after its last entry was handed over",
        "what is to be pushed to webhooks and was not handed over yet: event, message, mentioned actor, member",
    ),
    key("pushed", "pushed:", "string", "60 s", "the delivery that told this actor of a mention last: one a minute is pushed"),
    key("gone", "gone", "string", "8 days", "the channel was deleted: its id is not used again while answers of its time may be replayed"),
    key("poster", "poster", "string", "10 s", "of the sandbox: the worker that posts its heartbeats"),
    key("mark", "mark", "string", "1 s", "what replicas of Redis confirm, where BACKCHANNEL_DURABILITY is replicated"),
    key(
        "wake",
        "wake",
        "pub/sub",
        "none: a topic, nothing is stored",
        "wakes waiters: one, all, or those who read, with the message. Followed by `:` and a number: those who wait for that message's receipt",
    ),
    key("idem", "idem:", "string", "24 h, or AUTO_IDEMPOTENCY_SECONDS", "facts of the first answer to a write, for its retries"),
];

/// Keys of an API key and its label; hash tag = label hash.
pub static KEY: &[KeyDef] = &[
    key("labels", "labels", "hash", "while its key is active", "label → active key id"),
    key("record", "key:", "hash", "while the key is active, then 30 days", "an API key: SHA-256, label, scopes, default actor"),
    key("window", "window:", "string", "the rate limit window", "requests of the running window"),
    key("channels", "channels:", "hash", "with the key; at most MAX_CHANNELS_PER_KEY", "the key's channel names → channel ids"),
    key("owned", "owned:", "zset", "with the key; at most MAX_CHANNELS_PER_KEY", "the key's channel ids, by when they were named"),
    key("actors", "actors:", "hash", "with the key; at most MAX_ACTORS_PER_KEY", "the key's actor names → actor ids"),
    key("book", "book", "hash", "each entry with its key", "actor id → actor: name, owner, label, made at, metadata, description"),
    key("nicknames", "nicknames", "hash", "each entry with its actor", "actor id → when that last changed, and its global aliases"),
    key("hooks", "hooks", "hash", "each entry with its actor", "actor id → its webhook: URL, secret, set at"),
    key(
        "sessions",
        "sessions:",
        "hash",
        "24 h after its newest session; at most MAX_SESSIONS_PER_KEY",
        "session id → session: times, revision, name, metadata, state",
    ),
    key("session_index", "session-index:", "zset", "24 h after its newest session", "the key's session ids by creation"),
    key("audit", "audit:", "stream", "AUDIT_RETENTION_DAYS after its newest event; at most 1,000", "security events that concern the key"),
    key("usage", "usage:", "hash", "90 days after the key was last used", "requests, errors, claims and acks of the key"),
    key(
        "running",
        "running:",
        "zset",
        "the end of its last lease",
        "running leases of the key, by their end; and those that ended before it",
    ),
    key(
        "holdings",
        "holdings:",
        "hash",
        "the last deadline of its channels",
        "channel → bytes that it held when a post looked, of the key's channels that hold something; and their sum",
    ),
    key("holdings_end", "holdings-end:", "zset", "the last deadline of its channels", "these channels by their deadlines"),
    key("pin", "pin:", "string", "24 h", "a write that came with a name → the channel id its retries go to"),
    key("idem", "idem:", "string", "24 h, or AUTO_IDEMPOTENCY_SECONDS", "facts of the first answer to a write, for its retries"),
];

/// Keys of minting and of the instance's audit; one slot for the whole instance, since mints and what is audited are rare.
pub static MINT: &[KeyDef] = &[
    key("closed", "closed", "string", "until minting is opened", "present while public minting is closed"),
    key("window", "window:", "string", "the mint window", "keys minted by one client address in the running window"),
    key(
        "audit_of_all",
        "audit",
        "stream",
        "AUDIT_RETENTION_DAYS after the newest event; at most 100,000",
        "security events of all keys, for the operator",
    ),
];

/// What all replicas tell each other, in one slot.
pub static FLEET: &[KeyDef] = &[key(
    "changes",
    "changes",
    "stream",
    "1 h after the newest; at most 1,000",
    "ids of keys that were about to be revoked or narrowed: who remembers them asks again",
)];

/// A global alias, of a channel or of an actor; each in a slot of its own.
pub static ALIAS: &[KeyDef] = &[key(
    "alias",
    "target",
    "string",
    "until it is deleted, its channel is, or its actor's key is revoked",
    "a global alias → channel or actor id",
)];

/// An invitation: it is handed to outsiders, so its id does not say which channel it leads to; each in a slot of its own.
pub static INVITATION: &[KeyDef] =
    &[key("route", "route", "string", "48 h: an invitation ends after 24", "an invitation → channel id, made at")];

/// What one client address does without a key; each in a slot of its own.
pub static ADDRESS: &[KeyDef] = &[
    key("lookups", "lookups", "string", "60 s", "invitations looked up in the running window"),
    key("bucket", "bucket:", "string", "1 h", "token bucket of rooms made, joined or sent to: when it is full again"),
    key("held", "held", "zset", "CH_MAX_LIFETIME_MS after the newest", "rooms that this address made and that count against its places"),
];

/// Keys of one encrypted room; hash tag = `room:` and the room's id.
pub static ROOM: &[KeyDef] = &[
    key("room", "room", "hash", "a day after the room's lifetime", "SHA-256 of the token, times, counters, how it ended"),
    key("log", "log", "stream", "shortly after the room fell asleep or ended", "what was said, sealed; who came and went"),
    key(
        "people",
        "people",
        "hash",
        "with the log",
        "participant id → place in the order, last seen, up to where it was given the log, fingerprint, name",
    ),
    key("sent", "sent:", "string", "10 minutes", "a participant's client_msg_id → index, for its retries"),
    key("wake", "wake", "pub/sub", "none: a topic, nothing is stored", "wakes waiting polls, with what was said"),
];

/// Counts of all rooms, in one slot. Each follows from what the rooms say themselves; no decision rests on them.
pub static ROOMS: &[KeyDef] = &[
    key("awake", "awake", "zset", "2 × CH_MAX_LIFETIME_MS after the last write", "rooms that are awake, by when they are looked at next"),
    key("asleep", "asleep", "zset", "the same", "rooms that sleep, by when they are looked at next"),
    key("sizes", "sizes", "hash", "the same; each entry with its room", "room → what was last counted of it"),
    key("totals", "totals", "hash", "90 days after the last write", "sums over rooms, and how many ended for which reason"),
];

/// The list of channels that can be found, for the whole instance in one slot.
pub static DISCOVERABLE: &[KeyDef] = &[
    key("listing", "listing", "zset", "each entry with its channel", "ids of channels that can be found, by when they were made"),
    key("fresh", "fresh:", "string", "60 s", "this channel was put on the list just now, before it could be found"),
];

/// Which channels have an outbox that may hold something: an index in this many parts, so that no node carries all of it.
pub const OUTBOX_PARTS: u8 = 16;

/// One part of the index of outboxes; each in a slot of its own.
pub static OUTBOXES: &[KeyDef] = &[
    key(
        "index",
        "index",
        "zset",
        "each entry with its channel",
        "ids of channels with a webhook or with mentions to push, by when they were last put there (µs)",
    ),
    key("sweeper", "sweeper", "string", "30 s", "the worker that looks into the outboxes of this part"),
];

/// How many queues of webhook deliveries there are, each in a slot of its own. All replicas and workers of a fleet must agree on it.
pub const JOB_QUEUES: u8 = 8;

/// One queue of webhook deliveries: what is to be tried now, what later, and what was handed over already, all in one slot.
pub static JOBS: &[KeyDef] = &[
    key(
        "jobs",
        "jobs",
        "stream",
        "always; at most WEBHOOK_QUEUE_MAX with `retries`",
        "deliveries to be tried now, read by the group `workers`; names and numbers, no content, no secret",
    ),
    key("bundled", "bundled", "string", "always", "how many deliveries of `jobs` stand behind another one in the same entry"),
    key("retries", "retries", "zset", "with its entries", "deliveries to be tried later, by when they are due (ms)"),
    key(
        "handed",
        "entered:",
        "list",
        "1 h after the last hand-over; 600 to 1,600 ids",
        "ids of the last entries of this channel's outbox that were handed over, and the highest of all",
    ),
    key("redriven", "redriven:", "zset", "1 h; at most 1,000", "dead letters of this webhook that were put into the queue, by when (ms)"),
    key("idem", "idem:", "string", "24 h, or AUTO_IDEMPOTENCY_SECONDS", "facts of the first answer to a replay or test, for its retries"),
];

/// How deliveries to one webhook went, of a channel or of an actor; each in a slot of its own.
pub static HOOK: &[KeyDef] = &[
    key("tries", "tries", "list", "30 days after the newest; 200", "how each try of a delivery ended, the newest first"),
    key("dead", "dead", "hash", "30 days after the newest; at most 1,000", "delivery id → when and how it was given up, and its job"),
    key("dead_index", "dead-index", "zset", "with `dead`", "ids of deliveries that were given up, by when"),
    key("failing", "failing", "string", "30 days after the last failure, or the next success", "since when every try has failed"),
];

/// The fleet's background work, for the whole instance in one slot.
pub static DUTY: &[KeyDef] = &[
    key("holder", "holder", "string", "8 s", "the worker that does the fleet's background work"),
    key("findings", "findings", "hash", "a day after its last write", "what was found last of channels and queues, and when"),
];

/// The table of keys that a script's `@slot` line names.
pub fn table(slot: &str) -> Option<&'static [KeyDef]> {
    match slot {
        "channel" => Some(CHANNEL),
        "key" => Some(KEY),
        "mint" => Some(MINT),
        "fleet" => Some(FLEET),
        "alias" => Some(ALIAS),
        "invitation" => Some(INVITATION),
        "address" => Some(ADDRESS),
        "room" => Some(ROOM),
        "rooms" => Some(ROOMS),
        "discoverable" => Some(DISCOVERABLE),
        "outboxes" => Some(OUTBOXES),
        "jobs" => Some(JOBS),
        "hook" => Some(HOOK),
        "duty" => Some(DUTY),
        _ => None,
    }
}
