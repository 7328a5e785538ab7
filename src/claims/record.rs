//! The claim record: `lua/lib/record.lua` in Rust.

use deadpool_redis::redis::Value;

use crate::error::{ApiError, Result};
use crate::ids::Micros;
use crate::messages::SEPARATOR;
use crate::store::reply::str_of;

/// The part of a message that changes.
#[derive(Clone, Debug)]
pub struct ClaimRecord {
    state: State,
    pub attempt: u64,
    /// None: held until ack or expiry.
    pub lease_until: Option<Micros>,
    /// Secret half of the lease token. Goes to the holder only.
    pub secret: String,
    pub key: String,
    pub actor_id: String,
    pub actor_name: String,
    pub claimed_at: Micros,
    pub acks: Vec<Ack>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Held,
    OpenAgain,
    Done,
    Broadcast,
}

/// One acknowledgement.
#[derive(Clone, Debug)]
pub struct Ack {
    pub actor_id: String,
    pub at: Micros,
    pub actor_name: String,
}

impl ClaimRecord {
    /// Reads a record; None if the text is not one.
    pub fn parse(text: &str) -> Option<Self> {
        let mut parts = text.splitn(10, SEPARATOR);
        let state = match parts.next()? {
            "h" => State::Held,
            "o" => State::OpenAgain,
            "d" => State::Done,
            "b" => State::Broadcast,
            _ => return None,
        };
        let attempt = parts.next()?.parse().ok()?;
        let lease_until = Some(Micros(parts.next()?.parse().ok()?)).filter(|t| t.0 > 0);
        let [secret, key, actor_id, actor_name] = [(); 4].map(|()| parts.next().map(str::to_owned));
        let claimed_at = Micros(parts.next()?.parse().ok()?);
        let _since = parts.next()?;
        let (mut rest, mut acks) = (parts.next()?.split(SEPARATOR), Vec::new());
        while let (Some(actor_id), Some(at), Some(name)) = (rest.next(), rest.next(), rest.next()) {
            acks.push(Ack { actor_id: actor_id.to_owned(), at: Micros(at.parse().ok()?), actor_name: name.to_owned() });
        }
        Some(Self {
            state,
            attempt,
            lease_until,
            secret: secret?,
            key: key?,
            actor_id: actor_id?,
            actor_name: actor_name?,
            claimed_at,
            acks,
        })
    }

    /// A record out of a list of them; none where there is no claim yet.
    ///
    /// # Errors
    /// When what is stored is not what we write.
    pub fn parse_value(value: Option<&Value>) -> Result<Option<Self>> {
        match value.and_then(str_of) {
            None | Some("") => Ok(None),
            Some(text) => Self::parse(text).map(Some).ok_or_else(|| ApiError::internal("a claim record is not one of ours")),
        }
    }

    /// Whether somebody holds the message at this time; a lease that ran out holds nothing.
    pub fn is_held(&self, now: Micros) -> bool {
        self.state == State::Held && self.lease_until.is_none_or(|end| end > now)
    }

    pub fn is_done(&self) -> bool {
        self.state == State::Done
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_record_as_the_scripts_write_it_is_read() {
        let text = "d\u{1f}2\u{1f}0\u{1f}s3cret\u{1f}bck_k\u{1f}act_a\u{1f}worker 1\u{1f}1760000000000001\u{1f}1760000000000000\u{1f}act_a\u{1f}1760000000000002\u{1f}worker 1\u{1f}";
        let r = ClaimRecord::parse(text).expect("a record");
        assert!(r.is_done() && !r.is_held(Micros(0)));
        assert_eq!((r.attempt, r.lease_until, r.actor_name.as_str(), r.acks.len()), (2, None, "worker 1", 1));
        assert_eq!(r.acks[0].at, Micros(1_760_000_000_000_002));
    }

    #[test]
    fn a_lease_holds_until_its_end() {
        let r = ClaimRecord::parse("h\u{1f}1\u{1f}100\u{1f}s\u{1f}k\u{1f}a\u{1f}n\u{1f}1\u{1f}1\u{1f}").expect("a record");
        assert!(r.is_held(Micros(99)) && !r.is_held(Micros(100)));
    }

    proptest! {
        #[test]
        fn no_text_makes_the_parser_panic(s in "\\PC*") {
            let _ = ClaimRecord::parse(&s.replace('|', "\u{1f}"));
        }
    }
}
