//! Identifiers: parse, print, and route to a Redis slot.
//!
//! Every id that clients hold carries the hash tag of the slot its data lives in, so no lookup table is needed (docs/architecture.md,
//! "Ids route themselves"). A wrong id never gets past this module.

mod key;
mod room;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use data_encoding::{BASE32_NOPAD, Encoding, Specification};
use rand::Rng;
use sha2::{Digest, Sha256};

use key::LABEL_HASH;
pub use key::{KeyId, KeySlot, PresentedKey};
pub use room::{RoomId, RoomToken, new_participant};

/// Characters of a channel's random part: 100 bits.
const CHANNEL_RANDOM: usize = 20;
/// Characters of the random part of key and actor ids.
const KEY_RANDOM: usize = 10;
/// Digits of a message's number: microseconds since 1970, good until the year 2286.
const MICROS_DIGITS: usize = 16;
/// Characters of an invitation: 130 bits.
const INVITATION_RANDOM: usize = 26;
/// Characters of a lease token's secret: 130 bits.
const LEASE_SECRET: usize = 26;

/// Lower-case base32 without padding, five bits a character.
fn base32() -> Encoding {
    let mut spec = Specification::new();
    spec.symbols.push_str("abcdefghijklmnopqrstuvwxyz234567");
    spec.encoding().unwrap_or(BASE32_NOPAD) // the alphabet above is a valid one
}

/// `n` random characters of the id alphabet, from the system's secure source.
fn random(n: usize) -> String {
    const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let mut bytes = [0u8; 64];
    rand::rng().fill_bytes(&mut bytes[..n]);
    bytes[..n].iter().map(|b| char::from(ALPHABET[usize::from(b & 31)])).collect()
}

/// Ten random characters, for a name that is to be one of its own.
pub fn suffix() -> String {
    random(KEY_RANDOM)
}

fn is_word(s: &str, len: usize) -> bool {
    s.len() == len && s.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b))
}

fn is_micros(s: &str) -> bool {
    s.len() == MICROS_DIGITS && s.bytes().all(|b| b.is_ascii_digit()) && !s.starts_with('0')
}

/// The last digits of a number, with zeros before them.
fn digits<const N: usize>(mut number: u64) -> [u8; N] {
    let mut digits = [0; N];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(number % 10).unwrap_or_default();
        number /= 10;
    }
    digits
}

/// Text of what is ASCII anyway.
fn ascii(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap_or_default()
}

/// Microseconds since 1970, by Redis' clock. A message's number, its `created_at` and its place in the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Micros(pub u64);

impl Micros {
    /// RFC 3339 in UTC with exactly six digits, as every timestamp of the API (protocol, chapter 1).
    pub fn rfc3339(self) -> String {
        let at = i64::try_from(self.0).ok().and_then(|us| jiff::Timestamp::from_microsecond(us).ok()).unwrap_or(jiff::Timestamp::MAX);
        let at = jiff::tz::Offset::UTC.to_datetime(at);
        let mut text = *b"0000-00-00T00:00:00.000000Z";
        text[..4].copy_from_slice(&digits::<4>(at.year().unsigned_abs().into()));
        for (part, begin) in [at.month(), at.day(), at.hour(), at.minute(), at.second()].into_iter().zip([5, 8, 11, 14, 17]) {
            text[begin..begin + 2].copy_from_slice(&digits::<2>(part.unsigned_abs().into()));
        }
        text[20..26].copy_from_slice(&digits::<6>((at.subsec_nanosecond() / 1000).unsigned_abs().into()));
        ascii(&text).to_owned()
    }

    /// This moment moved on by whole seconds.
    pub fn plus_seconds(self, seconds: u64) -> Self {
        Self(self.0.saturating_add(seconds.saturating_mul(1_000_000)))
    }
}

impl fmt::Display for Micros {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `ch_` + 20 random characters; the hash tag of all the channel's keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChannelId(Arc<str>);

impl ChannelId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(format!("ch_{}", random(CHANNEL_RANDOM)).into())
    }

    /// The id of a channel that each instance has under this name. No other channel gets it: theirs are random.
    pub fn well_known(name: &str) -> Self {
        let hash = base32().encode(&Sha256::digest(format!("well-known channel {name}").as_bytes()));
        Self(format!("ch_{}", &hash[..CHANNEL_RANDOM]).into())
    }

    /// None unless the text is exactly a channel id.
    pub fn parse(s: &str) -> Option<Self> {
        s.strip_prefix("ch_").filter(|r| is_word(r, CHANNEL_RANDOM)).map(|_| Self(s.into()))
    }

    /// The channel that results of a task go to: its id follows from the task's, so nothing has to be looked up.
    pub fn of_results(task: &MessageId) -> Self {
        let hash = base32().encode(&Sha256::digest(result_channel_name(task).as_bytes()));
        Self(format!("ch_{}", &hash[..CHANNEL_RANDOM]).into())
    }

    /// The channel that a word stands for by its form alone: an id, or `result-of-<message id>`.
    pub fn of_word(word: &str) -> Option<Self> {
        Self::parse(word).or_else(|| word.strip_prefix(RESULT_OF).and_then(MessageId::parse).map(|task| Self::of_results(&task)))
    }

    fn random_part(&self) -> &str {
        &self.0[3..]
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What the name of a channel of results begins with; the task's id follows.
const RESULT_OF: &str = "result-of-";

/// The name of the channel that results of a task go to.
pub fn result_channel_name(task: &MessageId) -> String {
    format!("{RESULT_OF}{task}")
}

/// `msg_` + the channel's 20 characters + the message's 16 digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MessageId {
    channel: ChannelId,
    micros: Micros,
}

impl MessageId {
    pub fn new(channel: ChannelId, micros: Micros) -> Self {
        Self { channel, micros }
    }

    /// None unless the text is exactly a message id.
    pub fn parse(s: &str) -> Option<Self> {
        let rest = s.strip_prefix("msg_").filter(|r| r.is_ascii() && r.len() == CHANNEL_RANDOM + MICROS_DIGITS)?;
        let (channel, micros) = rest.split_at(CHANNEL_RANDOM);
        if !is_word(channel, CHANNEL_RANDOM) || !is_micros(micros) {
            return None;
        }
        Some(Self { channel: ChannelId(["ch_", channel].concat().into()), micros: Micros(micros.parse().ok()?) })
    }

    pub fn channel(&self) -> &ChannelId {
        &self.channel
    }

    pub fn micros(&self) -> Micros {
        self.micros
    }

    /// As clients see it.
    pub fn to_text(&self) -> String {
        ["msg_", self.channel.random_part(), ascii(&digits::<MICROS_DIGITS>(self.micros.0))].concat()
    }
}

impl fmt::Display for MessageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// `lease_` + the message's 36 characters + `_` + 26 secret characters: the proof of holding one claim.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseToken {
    message: MessageId,
    secret: String,
}

impl LeaseToken {
    /// The secret half of a token, made before the claim runs so that a repeated claim offers the same one.
    pub fn new_secret() -> String {
        random(LEASE_SECRET)
    }

    pub fn new(message: MessageId, secret: String) -> Self {
        Self { message, secret }
    }

    /// None unless the text has exactly a token's form.
    pub fn parse(s: &str) -> Option<Self> {
        let (message, secret) = s.strip_prefix("lease_")?.split_once('_')?;
        let message = MessageId::parse(&format!("msg_{message}"))?;
        is_word(secret, LEASE_SECRET).then(|| Self { message, secret: secret.to_owned() })
    }

    pub fn message(&self) -> &MessageId {
        &self.message
    }

    pub fn secret(&self) -> &str {
        &self.secret
    }

    /// As its holder sees it.
    pub fn to_text(&self) -> String {
        let number = digits::<MICROS_DIGITS>(self.message.micros.0);
        ["lease_", self.message.channel.random_part(), ascii(&number), "_", &self.secret].concat()
    }
}

impl fmt::Display for LeaseToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_text())
    }
}

/// `act_` + the owner's label hash + 10 random characters, so an actor's record lies in its owner's slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ActorId(String);

impl ActorId {
    /// A new actor id in the slot of its owner.
    pub fn generate(owner: &KeySlot) -> Self {
        Self(format!("act_{}{}", &owner.as_str()[4..], random(KEY_RANDOM)))
    }

    /// None unless the text is exactly an actor id.
    pub fn parse(s: &str) -> Option<Self> {
        s.strip_prefix("act_").filter(|r| is_word(r, LABEL_HASH + KEY_RANDOM)).map(|_| Self(s.to_owned()))
    }

    pub fn slot(&self) -> KeySlot {
        KeySlot(format!("bck_{}", &self.0[4..4 + LABEL_HASH]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `acr_` + the requesting key's 26 characters + 10 random ones: another one each time the key asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessRequestId(String);

impl AccessRequestId {
    /// A new id for a request of this key.
    pub fn generate(requester: &KeyId) -> Self {
        Self(format!("acr_{}{}", &requester.as_str()[4..], random(KEY_RANDOM)))
    }

    /// None unless the text is exactly such an id.
    pub fn parse(s: &str) -> Option<Self> {
        s.strip_prefix("acr_").filter(|r| is_word(r, LABEL_HASH + 2 * KEY_RANDOM)).map(|_| Self(s.to_owned()))
    }

    /// The key that asks.
    pub fn requester(&self) -> KeyId {
        KeyId(format!("bck_{}", &self.0[4..4 + LABEL_HASH + KEY_RANDOM]).into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `inv_` + 26 random characters. It tells nothing of its channel, and cannot be guessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InvitationId(String);

impl InvitationId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(format!("inv_{}", random(INVITATION_RANDOM)))
    }

    /// None unless the text is exactly an invitation id.
    pub fn parse(s: &str) -> Option<Self> {
        s.strip_prefix("inv_").filter(|r| is_word(r, INVITATION_RANDOM)).map(|_| Self(s.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `ses_` + 20 random characters: found in the slot of the key that asks, so it names no slot.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(String);

impl SessionId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(format!("ses_{}", random(CHANNEL_RANDOM)))
    }

    /// None unless the text is exactly a session id.
    pub fn parse(s: &str) -> Option<Self> {
        s.strip_prefix("ses_").filter(|r| is_word(r, CHANNEL_RANDOM)).map(|_| Self(s.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The id of an event in an audit: `evt_` + 20 random characters.
pub fn event_id() -> String {
    format!("evt_{}", random(CHANNEL_RANDOM))
}

/// Lower-case hex SHA-256.
pub fn digest(text: &str) -> String {
    data_encoding::HEXLOWER.encode(&Sha256::digest(text.as_bytes()))
}

/// Whether a text could be taken for one of our ids; such texts are refused as aliases.
pub fn looks_like_an_id(s: &str) -> bool {
    ["ch_", "msg_", "act_", "bck_", "lease_", "inv_", "acr_", "evt_", "ses_", "result-of-msg_"].iter().any(|p| s.starts_with(p))
}
