//! `Idempotency-Key`: which earlier request a write may be the retry of. The record itself is kept by the scripts.

use std::fmt::Write;
use std::time::Duration;

use http::header::HeaderName;
use http::{HeaderMap, HeaderValue, Method};
use sha2::{Digest, Sha256};

use super::{Body, Caller};
use crate::error::{ApiError, Code, Result};

static IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");

/// Life of a client's record: 24 hours (protocol, chapter 3).
const CLIENT_MS: u64 = 86_400_000;

/// Where automatic mode never applies: doing these again is meant.
const NEVER_AUTOMATIC: &[&str] = &["/ack", "/claim", "/claim-with-lease", "/release", "/heartbeat", "/subscribe"];

/// What a script needs to recognise a retry. Bound to API key, method, path and body.
#[derive(Clone, Debug)]
pub struct Once {
    /// Names the record in its slot; `-` when none is kept.
    pub name: String,
    /// Hash of the body: another body under the same name is refused.
    pub body: String,
    /// Life of the record; 0: none is kept.
    pub ms: u64,
    kind: Kind,
}

#[derive(Clone, Debug)]
enum Kind {
    None,
    Client(HeaderValue),
    Automatic,
}

/// The header's value as a client may send it: visible ASCII, at most 255 characters; blank counts as absent.
///
/// # Errors
/// `invalid_idempotency_key`.
pub fn header(headers: &HeaderMap) -> Result<Option<HeaderValue>> {
    let Some(value) = headers.get(&IDEMPOTENCY_KEY) else { return Ok(None) };
    match value.to_str().map(str::trim) {
        Ok("") => Ok(None),
        Ok(text) if text.len() <= 255 && !text.contains('\t') => Ok(HeaderValue::from_str(text).ok()),
        _ => Err(ApiError::new(Code::InvalidIdempotencyKey).field("Idempotency-Key")),
    }
}

impl Once {
    /// Of one authenticated write. `automatic_s` is the operator's setting, 0: off.
    pub fn of(caller: &Caller, body: &Body, automatic_s: u64) -> Self {
        match &caller.idempotency_key {
            Some(key) => Self {
                name: record_name(caller, &["client", caller.method.as_str(), &caller.path, key.to_str().unwrap_or_default()]),
                body: short_hash(&[&body.bytes]),
                ms: CLIENT_MS,
                kind: Kind::Client(key.clone()),
            },
            None if automatic_s > 0 && caller.method != Method::GET && !NEVER_AUTOMATIC.iter().any(|end| caller.path.ends_with(end)) => {
                let hash = short_hash(&[&body.bytes]);
                Self {
                    name: record_name(caller, &["auto", caller.method.as_str(), &caller.path, &hash]),
                    body: hash,
                    ms: automatic_s * 1000,
                    kind: Kind::Automatic,
                }
            }
            None => Self::none(),
        }
    }

    /// Of the same request, but only to pin which channel it goes to: the record of its effect is kept elsewhere.
    pub fn pin_only(&self) -> Self {
        Self { name: format!("{}:channel", self.name), ..self.clone() }
    }

    /// Of something that the service itself does: under this name it takes effect once in that time.
    pub fn of_service(name: &str, life: Duration) -> Self {
        let ms = u64::try_from(life.as_millis()).unwrap_or(u64::MAX);
        Self { name: format!("service:{name}"), body: short_hash(&[]), ms, kind: Kind::None }
    }

    /// Nothing is kept: doing it again is doing it twice, or harmless.
    pub fn none() -> Self {
        Self { name: "-".to_owned(), body: String::new(), ms: 0, kind: Kind::None }
    }

    /// Whether a record is kept, so that a lost answer may be asked for again.
    pub fn is_kept(&self) -> bool {
        self.ms > 0
    }

    /// The headers that tell the caller about it.
    pub fn headers(&self, replayed: bool) -> Vec<(&'static str, HeaderValue)> {
        let mut headers = Vec::new();
        match &self.kind {
            Kind::None => {}
            Kind::Client(key) if replayed => {
                headers.push(("idempotency-key", key.clone()));
                headers.push(("x-idempotency-source", HeaderValue::from_static("client")));
            }
            Kind::Client(_) => {}
            Kind::Automatic => headers.push(("x-idempotency-source", HeaderValue::from_static("server-auto"))),
        }
        if replayed && self.is_kept() {
            headers.push(("x-idempotent-replay", HeaderValue::from_static("true")));
        }
        headers
    }
}

fn record_name(caller: &Caller, parts: &[&str]) -> String {
    let parts: Vec<&[u8]> = parts.iter().map(|p| p.as_bytes()).collect();
    format!("{}:{}", caller.key.as_str(), short_hash(&parts))
}

/// 128 bits of SHA-256 over the parts, each with its length, as hex.
fn short_hash(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize()[..16].iter().fold(String::with_capacity(32), |mut text, b| {
        let _ = write!(text, "{b:02x}"); // writing to a String cannot fail
        text
    })
}
