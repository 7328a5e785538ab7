//! The headers of every response (protocol, chapter 1).

use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::body::HttpBody;
use axum::response::Response;
use http::header::{
    ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS, CONTENT_LENGTH, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, LINK, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use rand::Rng;

use crate::settings::Settings;

static X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
static TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");

/// A Content-Security-Policy for pages that load nothing from elsewhere.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What stands on each response, whoever asked.
pub struct Fixed {
    always: HeaderMap,
    /// With what follows from the base URL of the last request: nearly all requests of an instance have the same one.
    last: ArcSwap<Prepared>,
}

/// The headers of all answers under one base URL.
struct Prepared {
    base: String,
    https: bool,
    headers: HeaderMap,
}

impl Fixed {
    pub fn new(settings: &Settings) -> Self {
        let mut always: HeaderMap = [
            (ACCESS_CONTROL_ALLOW_ORIGIN, "*"),
            (
                ACCESS_CONTROL_EXPOSE_HEADERS,
                "X-Request-Id, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Window, X-Idempotent-Replay, X-Idempotency-Source, Idempotency-Key",
            ),
            (X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (X_FRAME_OPTIONS, "DENY"),
            (REFERRER_POLICY, "no-referrer"),
            (CONTENT_SECURITY_POLICY, POLICY),
        ]
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .into_iter()
        .collect();
        always.insert("x-ratelimit-limit", HeaderValue::from(settings.rate_limit));
        always.insert("x-ratelimit-window", HeaderValue::from(settings.rate_limit_window_s));
        // These differ from answer to answer. They have their places already, so that no answer has to make room for them.
        for name in [&X_REQUEST_ID, &TRACEPARENT, &CONTENT_TYPE, &CONTENT_LENGTH] {
            always.insert(name.clone(), HeaderValue::from_static(""));
        }
        let last = ArcSwap::from_pointee(Prepared::new(&always, String::new(), false));
        Self { always, last }
    }

    /// Puts a response's own headers among those that stand on all, over those that it says otherwise itself.
    pub fn add(&self, response: &mut Response, base: &str, https: bool, request_id: &str, traceparent: String) {
        let length = response.body().size_hint().exact();
        let own = std::mem::replace(response.headers_mut(), self.prepared(base, https));
        let (has_type, has_length) = (own.contains_key(CONTENT_TYPE), own.contains_key(CONTENT_LENGTH));
        let is_error = response.status().as_u16() >= 400;
        let headers = response.headers_mut();
        if !has_type {
            headers.remove(CONTENT_TYPE);
        }
        match length {
            _ if has_length => {}
            Some(bytes) => drop(headers.insert(CONTENT_LENGTH, HeaderValue::from(bytes))),
            None => drop(headers.remove(CONTENT_LENGTH)),
        }
        if is_error {
            headers.remove(LINK);
        }
        headers.extend(own);
        // Both are visible ASCII, as they were made or checked.
        let unknown = || HeaderValue::from_static("-");
        headers.insert(&X_REQUEST_ID, HeaderValue::from_str(request_id).unwrap_or_else(|_| unknown()));
        headers.insert(&TRACEPARENT, HeaderValue::try_from(traceparent).unwrap_or_else(|_| unknown()));
    }

    fn prepared(&self, base: &str, https: bool) -> HeaderMap {
        let last = self.last.load();
        if last.https == https && last.base == base {
            return last.headers.clone();
        }
        let prepared = Prepared::new(&self.always, base.to_owned(), https);
        let headers = prepared.headers.clone();
        self.last.store(Arc::new(prepared));
        headers
    }
}

impl Prepared {
    /// The links point an agent that sees only this response to the documents.
    fn new(always: &HeaderMap, base: String, https: bool) -> Self {
        let mut headers = always.clone();
        if https {
            headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000"));
        }
        let links = [
            format!("<{base}/openapi.json>; rel=\"service-desc\"; type=\"application/json\""),
            format!("<{base}/.well-known/ai-manifest.json>; rel=\"ai-manifest\"; type=\"application/json\""),
        ];
        for link in links.into_iter().filter_map(|link| HeaderValue::try_from(link).ok()) {
            headers.append(LINK, link);
        }
        Self { base, https, headers }
    }
}

/// Since when what is deprecated is so: 2025-11-01, as RFC 9745 writes it.
const DEPRECATED_SINCE: &str = "@1761955200";
/// Until when it is served at least.
const SUNSET: &str = "Wed, 01 Dec 2027 00:00:00 GMT";

/// Tells a client that what it called is kept for older clients only, and what to call instead.
pub fn add_deprecation(headers: &mut HeaderMap, base: &str, successor: &str) {
    headers.extend(deprecation().map(|(name, value)| (HeaderName::from_static(name), value)));
    if let Ok(link) = HeaderValue::from_str(&format!("<{base}{successor}>; rel=\"successor-version\"")) {
        headers.append("link", link);
    }
}

/// Since when and until when, for what is deprecated within an operation that is not.
pub fn deprecation() -> [(&'static str, HeaderValue); 2] {
    [("deprecation", HeaderValue::from_static(DEPRECATED_SINCE)), ("sunset", HeaderValue::from_static(SUNSET))]
}

/// The answer to a CORS preflight on a known path.
pub fn preflight() -> [(&'static str, &'static str); 3] {
    [
        ("access-control-allow-methods", "GET, POST, PUT, PATCH, DELETE, OPTIONS"),
        ("access-control-allow-headers", "Content-Type, X-API-Key, Authorization, Idempotency-Key, X-Admin-Token, traceparent"),
        ("access-control-max-age", "86400"),
    ]
}

/// What new ids of a request are made of, taken from the system's secure source at once: 12 bytes for its own, 16 for a trace, 8 for a span.
pub struct Fresh([u8; 36]);

impl Fresh {
    pub fn random() -> Self {
        let mut random = [0; 36];
        rand::rng().fill_bytes(&mut random);
        Self(random)
    }
}

/// The request's id: an incoming one that is sane, else a new one.
pub fn request_id(headers: &HeaderMap, fresh: &Fresh) -> String {
    let sane = |v: &&str| (1..=128).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    headers.get("x-request-id").and_then(|v| v.to_str().ok()).filter(sane).map(str::to_owned).unwrap_or_else(|| {
        let mut text = String::with_capacity(28);
        text.push_str("req_");
        push_hex(&mut text, &fresh.0[..12]);
        text
    })
}

/// W3C trace context: the incoming trace goes on under a new span, or a new trace begins.
pub fn traceparent(headers: &HeaderMap, fresh: &Fresh) -> String {
    let incoming = headers.get("traceparent").and_then(|v| v.to_str().ok()).filter(|v| is_traceparent(v));
    let mut text = String::with_capacity(55);
    text.push_str("00-");
    match incoming {
        Some(v) => text.push_str(&v[3..35]),
        None => push_hex(&mut text, &fresh.0[12..28]),
    }
    text.push('-');
    push_hex(&mut text, &fresh.0[28..]);
    text.push('-');
    text.push_str(incoming.map_or("00", |v| &v[53..55]));
    text
}

fn is_traceparent(v: &str) -> bool {
    let part = |range: std::ops::Range<usize>| v.get(range).filter(|p| p.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)));
    let not_zero = |p: &str| p.bytes().any(|b| b != b'0');
    v.len() == 55
        && v.starts_with("00-")
        && part(3..35).is_some_and(not_zero)
        && v.as_bytes()[35] == b'-'
        && part(36..52).is_some_and(not_zero)
        && v.as_bytes()[52] == b'-'
        && part(53..55).is_some()
}

fn push_hex(text: &mut String, bytes: &[u8]) {
    data_encoding::HEXLOWER.encode_append(bytes, text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        let mut map = HeaderMap::new();
        map.insert(name, value.parse().expect("a header value"));
        map
    }

    #[test]
    fn a_sane_request_id_is_kept_and_another_replaced() {
        assert_eq!(request_id(&with("x-request-id", "job-7.a_B"), &Fresh::random()), "job-7.a_B");
        assert!(request_id(&with("x-request-id", "a b\"c"), &Fresh::random()).starts_with("req_"));
        assert!(request_id(&with("x-request-id", &"x".repeat(129)), &Fresh::random()).starts_with("req_"));
    }

    #[test]
    fn a_trace_goes_on_and_nonsense_begins_a_new_one() {
        let incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let ours = traceparent(&with("traceparent", incoming), &Fresh::random());
        assert!(is_traceparent(&ours) && ours[3..35] == incoming[3..35] && ours[36..52] != incoming[36..52] && ours.ends_with("-01"));
        for bad in [
            "nonsense",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            let mut map = HeaderMap::new();
            map.insert("traceparent", HeaderValue::from_bytes(bad.as_bytes()).expect("a header value"));
            assert!(is_traceparent(&traceparent(&map, &Fresh::random())), "{bad}");
        }
    }
}
