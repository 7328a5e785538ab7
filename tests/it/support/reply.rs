//! What a replica answered, checked for what every answer must have.

use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::codes;

/// A whole response. Reading it has already failed the test if it was a 500, if a header that every response has was
/// missing, or if a body that claims to be JSON was not.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// Null when the body was empty or not JSON.
    pub body: Value,
    pub text: String,
    /// For messages: `POST http://127.0.0.1:12345/v1/keys`.
    asked: String,
}

impl Reply {
    pub(super) async fn read(method: &Method, response: reqwest::Response) -> Result<Self, reqwest::Error> {
        let asked = format!("{method} {}", response.url());
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let mut reply = Self { status, headers, body: Value::Null, text, asked };
        if !reply.text.is_empty() && reply.header("content-type").unwrap_or_default().starts_with("application/json") {
            match serde_json::from_str(&reply.text) {
                Ok(body) => {
                    codes::note(&body);
                    reply.body = body;
                }
                Err(error) => reply.fails(&format!("the body is not JSON ({error})")),
            }
        }
        reply.check_what_all_have(*method == Method::HEAD);
        Ok(reply)
    }

    /// The body of a success with exactly this status.
    #[track_caller]
    pub fn ok(self, status: u16) -> Value {
        assert!(status < 400, "ok() is for successes, refused() for {status}");
        self.has_status(status).body
    }

    /// The body of an error with exactly this status and `error` word, complete as the envelope promises.
    #[track_caller]
    pub fn refused(self, status: u16, error: &str) -> Value {
        let reply = self.has_status(status);
        if reply.body["error"] != error {
            reply.fails(&format!("expected error {error:?}"));
        }
        let text = |field: &str| reply.body[field].as_str().unwrap_or_default();
        if text("message").is_empty() {
            reply.fails("an error has a message");
        }
        if text("request_id").is_empty() || Some(text("request_id")) != reply.header("x-request-id") {
            reply.fails("request_id is that of X-Request-Id");
        }
        if !text("documentation_url").ends_with(&format!("/docs/errors.md#{}", error.replace('_', "-"))) {
            reply.fails("documentation_url leads to the code in docs/errors.md");
        }
        if matches!(status, 429 | 503) && reply.seconds("retry-after").is_none_or(|seconds| seconds == 0) {
            reply.fails("says when to try again in Retry-After, in whole seconds from 1");
        }
        if status == 405 && reply.header("allow").is_none() {
            reply.fails("says in Allow what the path takes");
        }
        reply.body
    }

    /// The same reply; fails the test when it has another status.
    #[track_caller]
    pub fn has_status(self, status: u16) -> Self {
        if self.status != status {
            self.fails(&format!("expected {status}"));
        }
        self
    }

    /// A header's value; `None` when it is absent or not text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A header that is a whole number.
    pub fn seconds(&self, name: &str) -> Option<u64> {
        self.header(name)?.parse().ok()
    }

    /// Is it the stored first answer to a repeated Idempotency-Key?
    pub fn is_replay(&self) -> bool {
        self.header("x-idempotent-replay") == Some("true")
    }

    /// Chapter 1 of the protocol: every response, whatever its status and route.
    fn check_what_all_have(&self, head: bool) {
        if self.status == 500 {
            self.fails("nothing may be answered with 500");
        }
        for (name, value) in [
            ("access-control-allow-origin", "*"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
        ] {
            if self.header(name) != Some(value) {
                self.fails(&format!("expected {name}: {value}"));
            }
        }
        let policy = self.header("content-security-policy").unwrap_or_default();
        for part in ["script-src 'self'", "style-src 'self' 'unsafe-inline'", "frame-ancestors 'none'"] {
            // The page of a room has scripts of its own, under a nonce.
            let fits = |directive: &str| directive == part || directive.starts_with(&format!("{part} 'nonce-"));
            if !policy.split(';').map(str::trim).any(fits) {
                self.fails(&format!("expected {part} in content-security-policy"));
            }
        }
        if self.header("x-request-id").is_none_or(str::is_empty) {
            self.fails("expected x-request-id");
        }
        if !self.header("traceparent").is_some_and(is_traceparent) {
            self.fails("expected a W3C traceparent");
        }
        if self.seconds("x-ratelimit-limit").is_none() || self.seconds("x-ratelimit-window").is_none() {
            self.fails("expected x-ratelimit-limit and x-ratelimit-window");
        }
        let links: Vec<&str> = self.headers.get_all("link").iter().filter_map(|link| link.to_str().ok()).collect();
        let links = links.join(", ");
        if self.status < 400 && !(links.contains("service-desc") && links.contains("ai-manifest")) {
            self.fails("expected Link headers for service-desc and ai-manifest");
        }
        if self.status == 204 && !self.text.is_empty() {
            self.fails("204 has no body");
        }
        if !self.body.is_null() && self.header("content-type") != Some("application/json; charset=utf-8") {
            self.fails("JSON is application/json; charset=utf-8");
        }
        // /health describes itself also when it is not well, and so does the page for people.
        let itself = ["/health", "/status.html"].iter().any(|path| self.asked.ends_with(path)) || self.asked.contains("/c/");
        let told = itself || self.body["error"].as_str().is_some_and(|word| !word.is_empty());
        if self.status >= 400 && !head && !told {
            self.fails("an error is the JSON envelope");
        }
    }

    #[track_caller]
    fn fails(&self, why: &str) -> ! {
        panic!("{why}, but {} was answered {}\n{:#?}\n{}", self.asked, self.status, self.headers, self.text)
    }
}

/// `00-<32 hex>-<16 hex>-<2 hex>`, neither id all zero.
fn is_traceparent(value: &str) -> bool {
    let parts: Vec<&str> = value.split('-').collect();
    let is_hex = |part: &str, len: usize| part.len() == len && part.bytes().all(|b| b.is_ascii_hexdigit());
    let [version, trace, span, flags] = parts[..] else { return false };
    version == "00"
        && [(trace, 32), (span, 16), (flags, 2)].iter().all(|&(part, len)| is_hex(part, len))
        && [trace, span].iter().all(|id| id.bytes().any(|b| b != b'0'))
}
