//! Every key this service writes, declared once: name in scripts, form, type, life, and what it holds.

mod document;
mod tables;

use std::net::IpAddr;

use crate::ids::{ActorId, ChannelId, InvitationId, KeyId, KeySlot, MessageId, RoomId};

pub use document::keyspace_md;
use tables::{ADDRESS, ALIAS, CHANNEL, DISCOVERABLE, DUTY, FLEET, HOOK, INVITATION, JOBS, KEY, MINT, OUTBOXES, ROOM, ROOMS};
pub use tables::{JOB_QUEUES, KeyDef, OUTBOX_PARTS, table};

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

    pub fn fleet(&self) -> Slot {
        self.slot("fleet", FLEET)
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

    pub fn duty(&self) -> Slot {
        self.slot("duty", DUTY)
    }

    /// What the records of all channels match, as a pattern of Redis. A prefix has no characters that mean something there.
    pub fn channel_records(&self) -> String {
        format!("{}{{ch_*}}:meta", self.prefix)
    }

    /// The channel whose record this key is.
    pub fn channel_of_record(&self, key: &str) -> Option<ChannelId> {
        ChannelId::parse(key.strip_prefix(&self.prefix)?.strip_prefix('{')?.strip_suffix("}:meta")?)
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
        Slot { head: [&self.prefix, "{", tag, "}:"].concat(), table }
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
        text.extend(self.parts_of(def, parameter)?);
        Some(())
    }

    /// The parts of a key's full name, one after the other. None as in [`Slot::write_key`].
    pub(super) fn parts_of<'a>(&'a self, def: &'static KeyDef, parameter: Option<&'a str>) -> Option<[&'a str; 3]> {
        let is_ours = self.table.as_ptr_range().contains(&std::ptr::from_ref(def));
        if !is_ours || def.suffix.ends_with(':') != parameter.is_some() {
            return None;
        }
        Some([&self.head, def.suffix, parameter.unwrap_or_default()])
    }
}
