//! Ids of keys, the slot that everything of a key shares, and the key as a client presents it.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{KEY_RANDOM, base32, digest, is_word, random};

/// Characters of the label hash in a key id; this part is the hash tag of everything a key owns.
pub(super) const LABEL_HASH: usize = 16;
/// Characters of an API key's secret: 200 bits.
const KEY_SECRET: usize = 40;

/// The hash tag shared by a label, the keys minted for it, and their names and actors: `bck_` + 16 characters of the label's SHA-256.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct KeySlot(pub(super) String);

impl KeySlot {
    /// The slot of everything that belongs to this label.
    pub fn of_label(label: &str) -> Self {
        let hash = base32().encode(&Sha256::digest(label.as_bytes()));
        Self(format!("bck_{}", &hash[..LABEL_HASH]))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// `bck_` + label hash (the slot) + 10 random characters. Rights, names and actors hang on it; the label is only shown.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyId(pub(super) Arc<str>);

impl KeyId {
    /// A new id for a label; another one each time, so a re-minted label inherits nothing.
    pub fn generate(label: &str) -> Self {
        Self(format!("{}{}", KeySlot::of_label(label).as_str(), random(KEY_RANDOM)).into())
    }

    /// The id of a key of the service itself, the same one every time. No other key of the label gets it: theirs are random.
    pub fn well_known(label: &str) -> Self {
        let hash = base32().encode(&Sha256::digest(format!("well-known key {label}").as_bytes()));
        Self(format!("{}{}", KeySlot::of_label(label).as_str(), &hash[..KEY_RANDOM]).into())
    }

    /// None unless the text is exactly a key id.
    pub fn parse(s: &str) -> Option<Self> {
        s.strip_prefix("bck_").filter(|r| is_word(r, LABEL_HASH + KEY_RANDOM)).map(|_| Self(s.into()))
    }

    pub fn slot(&self) -> KeySlot {
        KeySlot(self.0[..4 + LABEL_HASH].to_owned())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A presented API key, split: `bck_<id>.<secret>`. Neither `Debug` nor `Display` shows the secret.
#[derive(Clone)]
pub struct PresentedKey {
    pub id: KeyId,
    /// SHA-256 of the whole key, lower-case hex: the only form that is stored or sent to Redis.
    pub digest: String,
}

impl PresentedKey {
    /// A fresh key for this id: the text for its owner, and what we keep of it.
    pub fn mint(id: KeyId) -> (String, Self) {
        let text = format!("{}.{}", id.as_str(), random(KEY_SECRET));
        let digest = digest(&text);
        (text, Self { id, digest })
    }

    /// None unless the text has the form of a key. Whether it is one, only the stored digest tells.
    pub fn parse(text: &str) -> Option<Self> {
        let (id, secret) = text.split_once('.')?;
        if !(16..=128).contains(&secret.len()) {
            return None;
        }
        Some(Self { id: KeyId::parse(id)?, digest: digest(text) })
    }
}
