//! How a document is answered: its type, a tag to ask again with, how long it may be kept.

use axum::body::Bytes;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};

/// What a document is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text,
    Markdown,
    Html,
    Json,
    Css,
    Script,
    Svg,
}

impl Kind {
    /// Its `Content-Type`.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Markdown => "text/markdown; charset=utf-8",
            Self::Html => "text/html; charset=utf-8",
            Self::Json => "application/json; charset=utf-8",
            Self::Css => "text/css; charset=utf-8",
            Self::Script => "text/javascript; charset=utf-8",
            Self::Svg => "image/svg+xml",
        }
    }
}

/// Kept for a minute, since an operator may close minting or change a limit; then asked for again with its tag.
const A_MINUTE: &str = "public, max-age=60";
/// For what has its version in its URL.
const FOR_GOOD: &str = "public, max-age=31536000, immutable";

/// A document on its way out.
pub struct Cached {
    kind: Kind,
    body: Bytes,
    keep: &'static str,
    vary: Option<&'static str>,
    gzip: bool,
}

impl Cached {
    /// A page that follows from what is true now.
    pub fn page(kind: Kind, text: String) -> Self {
        Self { kind, body: text.into(), keep: A_MINUTE, vary: None, gzip: false }
    }

    /// A file that never changes under its URL; `gzip`: its bytes are compressed.
    pub fn file(kind: Kind, body: Bytes, gzip: bool) -> Self {
        Self { kind, body, keep: FOR_GOOD, vary: Some("Accept-Encoding"), gzip }
    }

    /// Which request header decides what is answered.
    pub fn varies_by(mut self, header: &'static str) -> Self {
        self.vary = Some(header);
        self
    }

    /// 304 to who has it already.
    pub fn answer(self, asked: &HeaderMap) -> Response {
        let digest = Sha256::digest(&self.body);
        let tag = format!("\"{}\"", data_encoding::HEXLOWER.encode(&digest[..12]));
        let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|v| v.to_str().ok()).any(|list| names(list, &tag));
        let mut response = if known { StatusCode::NOT_MODIFIED.into_response() } else { self.body.into_response() };
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.headers_mut().insert(name, value);
            }
        };
        set(ETAG, &tag);
        set(CACHE_CONTROL, self.keep);
        if let Some(header) = self.vary {
            set(VARY, header);
        }
        if !known {
            set(CONTENT_TYPE, self.kind.content_type());
            if self.gzip {
                set(CONTENT_ENCODING, "gzip");
            }
        }
        response
    }
}

/// Whether an `If-None-Match` names this tag. A proxy that compresses makes tags weak.
fn names(list: &str, tag: &str) -> bool {
    list.split(',').map(str::trim).any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag)
}
