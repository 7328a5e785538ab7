//! Ids and secrets of encrypted rooms: hexadecimal, in the lengths that clients in the field expect.

use std::fmt;

use rand::Rng;
use sha2::{Digest, Sha256};

const ID_BYTES: usize = 8;
const TOKEN_BYTES: usize = 24;

/// 16 hexadecimal characters; with `room:` the hash tag of all the room's keys.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RoomId(String);

impl RoomId {
    /// A new random id.
    pub fn generate() -> Self {
        Self(random_hex::<ID_BYTES>())
    }

    /// None unless the text is exactly such an id, as it was given out.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, ID_BYTES * 2).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RoomId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// 48 hexadecimal characters that open a room. Not `Debug`: it must not get into a log.
#[derive(Clone, PartialEq, Eq)]
pub struct RoomToken(String);

impl RoomToken {
    /// A new random token.
    pub fn generate() -> Self {
        Self(random_hex::<TOKEN_BYTES>())
    }

    /// None unless the text is exactly such a token, to the last byte.
    pub fn parse(text: &str) -> Option<Self> {
        is_hex(text, TOKEN_BYTES * 2).then(|| Self(text.to_owned()))
    }

    /// SHA-256, stored and compared in its place. How long the comparison of two digests takes tells nothing of a token. In base64, so that the field
    /// of a room's record that holds it stays within 64 bytes: Redis keeps a hash with a longer one as a table, 600 bytes instead of 240.
    pub fn digest(&self) -> String {
        data_encoding::BASE64URL_NOPAD.encode(&Sha256::digest(&self.0))
    }

    /// For whom it was made.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

/// The id of a participant: 16 hexadecimal characters.
pub fn new_participant() -> String {
    random_hex::<ID_BYTES>()
}

fn random_hex<const BYTES: usize>() -> String {
    let mut bytes = [0u8; BYTES];
    rand::rng().fill_bytes(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}

fn is_hex(text: &str, length: usize) -> bool {
    text.len() == length && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_tokens_are_hexadecimal_to_the_last_byte() {
        let (id, token) = (RoomId::generate(), RoomToken::generate());
        assert!(RoomId::parse(id.as_str()) == Some(id.clone()) && RoomToken::parse(token.reveal()).is_some());
        assert!(id != RoomId::generate() && token != RoomToken::generate());
        for wrong in ["", "a3f7", "A3F7E2A3F7E2A3F7", "a3f7e2a3f7e2a3g7", "a3f7e2a3f7e2a3f7\n", "a3f7e2a3f7e2a3f7'"] {
            assert!(RoomId::parse(wrong).is_none(), "{wrong:?}");
        }
        assert!(RoomToken::parse(&format!("{}\n", token.reveal())).is_none());
        assert_eq!(token.digest().len(), 43);
    }
}
