//! Every key this service writes, declared once: name in scripts, form, type, life, and what it holds.

use std::fmt::Write;
use std::net::IpAddr;

use crate::ids::{ActorId, ChannelId, InvitationId, KeyId, KeySlot, MessageId, RoomId};

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
    key("poster", "poster", "string", "10 s", "of the sandbox: the replica that posts its heartbeats"),
    key("mark", "mark", "string", "1 s", "what replicas of Redis confirm, where BACKCHANNEL_DURABILITY is replicated"),
    key(
        "wake",
        "wake",
        "pub/sub",
        "none: a topic, nothing is stored",
        "wakes waiters; carries nothing but how many to wake. Followed by `:` and a number: those who wait for that message's receipt",
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

/// A global alias, of a channel or of an actor; each in a slot of its own.
pub static ALIAS: &[KeyDef] = &[key(
    "alias",
    "target",
    "string",
    "until it is deleted, its channel is, or its actor's key is revoked",
    "a global alias → channel or actor id",
)];

/// An invitation: it is handed to outsiders, so its id does not say which channel it leads to; each in a slot of its own.
pub const INVITATION: &[KeyDef] =
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
    key("wake", "wake", "pub/sub", "none: a topic, nothing is stored", "wakes waiting polls"),
];

/// Counts of all rooms, in one slot. Each follows from what the rooms say themselves; no decision rests on them.
pub static ROOMS: &[KeyDef] = &[
    key("awake", "awake", "zset", "2 × CH_MAX_LIFETIME_MS after the last write", "rooms that are awake, by when they are looked at next"),
    key("asleep", "asleep", "zset", "the same", "rooms that sleep, by when they are looked at next"),
    key("sizes", "sizes", "hash", "the same; each entry with its room", "room → what was last counted of it"),
    key("totals", "totals", "hash", "90 days after the last write", "sums over rooms, and how many ended for which reason"),
];

/// The list of channels that can be found, for the whole instance in one slot.
pub const DISCOVERABLE: &[KeyDef] = &[
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

/// Where a script's keys lie: prefix and hash tag.
#[derive(Clone, Debug)]
pub struct Slot {
    head: String,
    table: &'static [KeyDef],
}

/// Makes slots for one key prefix.
#[derive(Clone, Debug)]
pub struct Keyspace {
    prefix: String,
}

impl Keyspace {
    pub fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub fn channel(&self, id: &ChannelId) -> Slot {
        self.slot(id.as_str(), CHANNEL)
    }

    pub fn key(&self, id: &KeyId) -> Slot {
        self.slot(id.slot().as_str(), KEY)
    }

    pub fn label(&self, slot: &KeySlot) -> Slot {
        self.slot(slot.as_str(), KEY)
    }

    /// The slot an actor's record lies in: its owner's.
    pub fn actor(&self, id: &ActorId) -> Slot {
        self.slot(id.slot().as_str(), KEY)
    }

    pub fn mint(&self) -> Slot {
        self.slot("mint", MINT)
    }

    /// A channel's alias. It is free text: braces in it only choose another slot, and this slot has one key.
    pub fn alias(&self, alias: &str) -> Slot {
        self.slot(&format!("alias:{alias}"), ALIAS)
    }

    /// An actor's alias; the same word may be the alias of a channel too.
    pub fn actor_alias(&self, alias: &str) -> Slot {
        self.slot(&format!("actor-alias:{alias}"), ALIAS)
    }

    pub fn invitation(&self, id: &InvitationId) -> Slot {
        self.slot(id.as_str(), INVITATION)
    }

    /// `group` is what limits by address count together.
    pub fn address(&self, group: IpAddr) -> Slot {
        self.slot(&format!("address:{group}"), ADDRESS)
    }

    pub fn room(&self, id: &RoomId) -> Slot {
        self.slot(&format!("room:{}", id.as_str()), ROOM)
    }

    pub fn rooms(&self) -> Slot {
        self.slot("rooms", ROOMS)
    }

    /// The topic that wakes a room's waiting polls.
    pub fn room_topic(&self, id: &RoomId) -> String {
        format!("{}{{room:{}}}:wake", self.prefix, id.as_str())
    }

    pub fn discoverable(&self) -> Slot {
        self.slot("discoverable", DISCOVERABLE)
    }

    /// The part of the index of outboxes that this channel is in.
    pub fn outboxes(&self, channel: &ChannelId) -> Slot {
        let sum = channel.as_str().bytes().fold(0u8, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte));
        self.outboxes_part(sum % OUTBOX_PARTS)
    }

    /// Part `n` of the index of outboxes, below [`OUTBOX_PARTS`].
    pub fn outboxes_part(&self, n: u8) -> Slot {
        self.slot(&format!("outboxes:{n}"), OUTBOXES)
    }

    /// Queue `n` of webhook deliveries, below [`JOB_QUEUES`].
    pub fn jobs(&self, n: u8) -> Slot {
        self.slot(&format!("jobs:{n}"), JOBS)
    }

    /// The stream of queue `n`: the one key that is read by a command of its own, since scripts cannot wait.
    pub fn job_stream(&self, n: u8) -> String {
        format!("{}{{jobs:{n}}}:jobs", self.prefix)
    }

    /// How deliveries to the webhook of this channel or actor went.
    pub fn hook(&self, target: &str) -> Slot {
        self.slot(&format!("hook:{target}"), HOOK)
    }

    /// The topic that wakes a channel's waiters.
    pub fn wake_topic(&self, id: &ChannelId) -> String {
        format!("{}{{{}}}:wake", self.prefix, id.as_str())
    }

    /// The topic that wakes those who wait for a message's receipt.
    pub fn receipt_topic(&self, id: &MessageId) -> String {
        format!("{}:{}", self.wake_topic(id.channel()), id.micros().0)
    }

    /// The topic on which replicas tell each other which API keys changed.
    pub fn invalidation_topic(&self) -> String {
        format!("{}{{fleet}}:keys-changed", self.prefix)
    }

    fn slot(&self, tag: &str, table: &'static [KeyDef]) -> Slot {
        Slot { head: format!("{}{{{tag}}}:", self.prefix), table }
    }
}

impl Slot {
    /// The key that replicas confirm, of a channel.
    pub(super) fn mark(&self) -> String {
        format!("{}mark", self.head)
    }

    /// The full name of a key that takes no parameter. None if there is none of this name here.
    pub fn key(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        self.write_key(self.table.iter().find(|def| def.name == name)?, None, &mut text)?;
        Some(text)
    }

    /// Appends the full name of a key. None if the key is of another kind of slot, or a parameter is missing or too much.
    pub fn write_key(&self, def: &'static KeyDef, parameter: Option<&str>, text: &mut String) -> Option<()> {
        let is_ours = self.table.as_ptr_range().contains(&std::ptr::from_ref(def));
        if !is_ours || def.suffix.ends_with(':') != parameter.is_some() {
            return None;
        }
        text.push_str(&self.head);
        text.push_str(def.suffix);
        text.push_str(parameter.unwrap_or_default());
        Some(())
    }
}

/// The table of keys that a script's `@slot` line names.
pub fn table(slot: &str) -> Option<&'static [KeyDef]> {
    match slot {
        "channel" => Some(CHANNEL),
        "key" => Some(KEY),
        "mint" => Some(MINT),
        "alias" => Some(ALIAS),
        "invitation" => Some(INVITATION),
        "address" => Some(ADDRESS),
        "room" => Some(ROOM),
        "rooms" => Some(ROOMS),
        "discoverable" => Some(DISCOVERABLE),
        "outboxes" => Some(OUTBOXES),
        "jobs" => Some(JOBS),
        "hook" => Some(HOOK),
        _ => None,
    }
}

/// `docs/keyspace.md`, written from the tables above.
pub fn keyspace_md() -> String {
    let mut page = String::from(
        "# Keys in Redis\n\n\
         Every key this service writes. `bc:` stands for BACKCHANNEL_KEY_PREFIX; what is in braces chooses the slot, so all keys of one table that\n\
         share it lie on one node of a cluster. Every key has an owner that ends it, or an expiry. This page is written by\n\
         `backchannel print keyspace` from the table that scripts are called with.\n",
    );
    let slots = [
        ("A channel", "ch_…", CHANNEL),
        ("An API key, its label and its actors", "bck_…", KEY),
        ("Minting and the audit of the instance", "mint", MINT),
        ("A global alias of a channel", "alias:…", ALIAS),
        ("A global alias of an actor", "actor-alias:…", ALIAS),
        ("An invitation", "inv_…", INVITATION),
        ("A client address", "address:…", ADDRESS),
        ("An encrypted room", "room:…", ROOM),
        ("Counts of all rooms", "rooms", ROOMS),
        ("The list of channels that can be found", "discoverable", DISCOVERABLE),
        ("A part of the index of outboxes (0 to 15)", "outboxes:…", OUTBOXES),
        ("A queue of webhook deliveries (0 to 7)", "jobs:…", JOBS),
        ("Deliveries to the webhook of a channel or an actor", "hook:…", HOOK),
    ];
    for (title, tag, table) in slots {
        // Writing to a String cannot fail.
        let _ = write!(page, "\n## {title}\n\n| key | type | life | holds |\n| --- | --- | --- | --- |\n");
        for def in table {
            let parameter = if def.suffix.ends_with(':') { "…" } else { "" };
            let _ = writeln!(page, "| `bc:{{{tag}}}:{}{parameter}` | {} | {} | {} |", def.suffix, def.kind, def.life, def.holds);
        }
    }
    page + "\nOne topic more, outside any slot: `bc:{fleet}:keys-changed`, on which replicas tell each other which API keys changed.\n"
}
