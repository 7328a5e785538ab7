//! One try: a POST to a target, and what became of it.

use std::error::Error;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::RngExt;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, Response};
use sha2::{Digest, Sha256};
use url::Url;

use super::guard::{Guard, Refused};
use super::sign::Signer;
use crate::telemetry::TrySpan;

/// Of an answer's body so much is read, so that the connection can be used again; what it says is of no interest.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
const USER_AGENT: &str = "Backchannel-Webhook/1";

/// What is sent.
pub struct Push<'a> {
    pub url: &'a Url,
    /// None: it is not signed.
    pub signer: Option<&'a Signer>,
    pub delivery: &'a str,
    pub event: &'static str,
    pub attempt: u32,
    /// Seconds since 1970, by Redis' clock.
    pub timestamp: u64,
    pub body: String,
    /// None: it is not traced.
    pub span: Option<Box<TrySpan>>,
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// Of the answer; none came: 0.
    pub status: u16,
    /// Empty where it was delivered; else a word for owners and metrics.
    pub error: &'static str,
    pub retry_after: Option<Duration>,
    pub took: Duration,
}

impl Outcome {
    pub fn delivered(&self) -> bool {
        self.error.is_empty()
    }

    /// 410: the receiver wants nothing any more.
    pub fn is_gone(&self) -> bool {
        self.status == 410
    }

    /// Whether there was no answer: what holds a connection for long, and what a breaker counts.
    pub fn silent(&self) -> bool {
        !self.delivered() && self.status == 0 && self.error != "refused_address"
    }
}

/// Sends; one client for all targets.
pub struct Pusher {
    client: Client,
    guard: Guard,
}

impl Pusher {
    /// # Errors
    /// When the HTTP client cannot be made.
    pub fn new(guard: Guard, timeout: Duration, per_host: usize) -> reqwest::Result<Self> {
        let client = Client::builder()
            .dns_resolver(Arc::new(guard.clone()))
            .redirect(Policy::none())
            .no_proxy()
            .referer(false)
            // A try is repeated by the queue only. Without retries the client keeps no copy of a request; `never` alone keeps one.
            .retry(reqwest::retry::never().max_retries_per_request(0))
            .timeout(timeout)
            .pool_idle_timeout(IDLE_CONNECTION)
            .pool_max_idle_per_host(per_host)
            .user_agent(USER_AGENT)
            .build()?;
        Ok(Self { client, guard })
    }

    /// One try.
    pub async fn push(&self, mut push: Push<'_>) -> Outcome {
        let began = Instant::now();
        let span = push.span.take();
        let (status, error, retry_after) = match self.send(push, span.as_ref().map(|span| span.traceparent())).await {
            Ok(response) => judge(response).await,
            Err(word) => (0, word, None),
        };
        if let Some(span) = span {
            span.ended(status, error);
        }
        Outcome { status, error, retry_after, took: began.elapsed() }
    }

    async fn send(&self, push: Push<'_>, traceparent: Option<&str>) -> Result<Response, &'static str> {
        self.guard.check(push.url).map_err(|_| "refused_address")?;
        let mut request = Request::new(Method::POST, push.url.clone());
        *request.headers_mut() = headers_of(&push, traceparent).ok_or("broken")?;
        *request.body_mut() = Some(push.body.into());
        let response = self.client.execute(request).await.map_err(|e| word_of(&e))?;
        // The resolver let nothing else through; should the client ever connect past it, nothing more is read.
        match response.remote_addr() {
            Some(peer) if !self.guard.allows(peer.ip()) => Err("refused_address"),
            _ => Ok(response),
        }
    }
}

/// None: a value is none of ours. The names are known, and the table has room for all of them and what the client adds.
/// The values made for this try lie in one text, which the client's copies of the table share.
fn headers_of(push: &Push<'_>, traceparent: Option<&str>) -> Option<HeaderMap> {
    let (body, delivery) = (push.body.as_bytes(), push.delivery);
    let mut text = String::with_capacity(320);
    text.push_str(delivery);
    let mut ends = [0; 5];
    ends[0] = text.len();
    write!(text, "{}", push.timestamp).ok()?;
    ends[1] = text.len();
    match traceparent {
        Some(traceparent) => text.push_str(traceparent),
        None => trace(delivery, &mut text),
    }
    ends[2] = text.len();
    if let Some(signer) = push.signer {
        signer.backchannel(body, &mut text);
        ends[3] = text.len();
        let mut standard = String::with_capacity(48);
        signer.standard(delivery, &text[ends[0]..ends[1]], body, &mut standard);
        text.push_str(&standard);
        ends[4] = text.len();
    }
    let text = Bytes::from(text);
    let value = |from: usize, to: usize| HeaderValue::from_maybe_shared(text.slice(from..to)).ok();
    let mut headers = HeaderMap::with_capacity(16);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(HeaderName::from_static("x-backchannel-event"), HeaderValue::from_static(push.event));
    let attempt = if push.attempt == 1 { HeaderValue::from_static("1") } else { push.attempt.into() };
    headers.insert(HeaderName::from_static("x-backchannel-attempt"), attempt);
    headers.insert(HeaderName::from_static("webhook-id"), value(0, ends[0])?);
    headers.insert(HeaderName::from_static("webhook-timestamp"), value(ends[0], ends[1])?);
    headers.insert(HeaderName::from_static("traceparent"), value(ends[1], ends[2])?);
    if push.signer.is_some() {
        headers.insert(HeaderName::from_static("x-backchannel-signature"), value(ends[2], ends[3])?);
        headers.insert(HeaderName::from_static("webhook-signature"), value(ends[3], ends[4])?);
    }
    Some(headers)
}

/// The status decides, whatever becomes of the body.
async fn judge(mut response: Response) -> (u16, &'static str, Option<Duration>) {
    let status = response.status().as_u16();
    let error = match status {
        200..300 => "",
        300..400 => "redirect",
        400..500 => "status_4xx",
        _ => "status_5xx",
    };
    let asked = matches!(status, 429 | 503).then(|| response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()).flatten();
    let is_empty = response.headers().get(CONTENT_LENGTH).is_some_and(|length| length == "0");
    let mut read = 0;
    while !is_empty
        && read < MAX_ANSWER_BYTES
        && let Ok(Some(chunk)) = response.chunk().await
    {
        read += chunk.len();
    }
    (status, error, asked.map(Duration::from_secs))
}

fn word_of(error: &reqwest::Error) -> &'static str {
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(e) = cause {
        if e.is::<Refused>() {
            return "refused_address";
        }
        cause = e.source();
    }
    match error {
        e if e.is_timeout() => "timeout",
        e if e.is_connect() => "connect",
        _ => "broken",
    }
}

/// Appends a `traceparent`. All tries of a delivery are one trace.
fn trace(delivery: &str, text: &mut String) {
    text.push_str("00-");
    data_encoding::HEXLOWER.encode_append(&Sha256::digest(delivery.as_bytes())[..16], text);
    text.push('-');
    let span: u64 = rand::rng().random_range(1..=u64::MAX);
    data_encoding::HEXLOWER.encode_append(&span.to_be_bytes(), text);
    text.push_str("-01");
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
