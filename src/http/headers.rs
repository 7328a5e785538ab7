//! The headers of every response (protocol, chapter 1).

use std::cell::RefCell;

use http::header::{HeaderMap, HeaderName, HeaderValue};
use rand::Rng;

use crate::settings::Settings;

/// A Content-Security-Policy for pages that load nothing from elsewhere.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// What stands on each response, whoever asked.
pub fn add_fixed(headers: &mut HeaderMap, settings: &Settings, https: bool) {
    let fixed = [
        ("access-control-allow-origin", "*"),
        (
            "access-control-expose-headers",
            "X-Request-Id, Retry-After, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Window, X-Idempotent-Replay, X-Idempotency-Source, Idempotency-Key",
        ),
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", POLICY),
    ];
    for (name, value) in fixed {
        headers.entry(HeaderName::from_static(name)).or_insert(HeaderValue::from_static(value));
    }
    headers.insert("x-ratelimit-limit", HeaderValue::from(settings.rate_limit));
    headers.insert("x-ratelimit-window", HeaderValue::from(settings.rate_limit_window_s));
    if https {
        headers.insert("strict-transport-security", HeaderValue::from_static("max-age=31536000"));
    }
}

/// Points an agent that sees only this response to the documents.
pub fn add_links(headers: &mut HeaderMap, base: &str) {
    thread_local! {
        /// The links of the last base URL: nearly all requests of an instance have the same one.
        static LINKS: RefCell<(String, Vec<HeaderValue>)> = const { RefCell::new((String::new(), Vec::new())) };
    }
    LINKS.with_borrow_mut(|(of, links)| {
        if of != base {
            base.clone_into(of);
            *links = [
                format!("<{base}/openapi.json>; rel=\"service-desc\"; type=\"application/json\""),
                format!("<{base}/.well-known/ai-manifest.json>; rel=\"ai-manifest\"; type=\"application/json\""),
            ]
            .iter()
            .filter_map(|link| HeaderValue::from_str(link).ok())
            .collect();
        }
        for link in links.iter() {
            headers.append("link", link.clone());
        }
    });
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

/// The request's id: an incoming one that is sane, else a new one.
pub fn request_id(headers: &HeaderMap) -> String {
    let sane = |v: &&str| (1..=128).contains(&v.len()) && v.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    headers.get("x-request-id").and_then(|v| v.to_str().ok()).filter(sane).map_or_else(|| format!("req_{}", hex(12)), str::to_owned)
}

/// W3C trace context: the incoming trace goes on under a new span, or a new trace begins.
pub fn traceparent(headers: &HeaderMap) -> String {
    let incoming = headers.get("traceparent").and_then(|v| v.to_str().ok()).filter(|v| is_traceparent(v));
    let (trace, flags) = incoming.map_or_else(|| (hex(16), "00".to_owned()), |v| (v[3..35].to_owned(), v[53..55].to_owned()));
    format!("00-{trace}-{}-{flags}", hex(8))
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

fn hex(bytes: usize) -> String {
    let mut random = [0u8; 16];
    rand::rng().fill_bytes(&mut random[..bytes]);
    data_encoding::HEXLOWER.encode(&random[..bytes])
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
        assert_eq!(request_id(&with("x-request-id", "job-7.a_B")), "job-7.a_B");
        assert!(request_id(&with("x-request-id", "a b\"c")).starts_with("req_"));
        assert!(request_id(&with("x-request-id", &"x".repeat(129))).starts_with("req_"));
    }

    #[test]
    fn a_trace_goes_on_and_nonsense_begins_a_new_one() {
        let incoming = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let ours = traceparent(&with("traceparent", incoming));
        assert!(is_traceparent(&ours) && ours[3..35] == incoming[3..35] && ours[36..52] != incoming[36..52] && ours.ends_with("-01"));
        for bad in [
            "nonsense",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473é-00f067aa0ba902b7-01",
        ] {
            let mut map = HeaderMap::new();
            map.insert("traceparent", HeaderValue::from_bytes(bad.as_bytes()).expect("a header value"));
            assert!(is_traceparent(&traceparent(&map)), "{bad}");
        }
    }
}
