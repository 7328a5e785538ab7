//! One try: a POST to a target, and what became of it.

use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::RngExt;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};
use sha2::{Digest, Sha256};
use url::Url;

use super::guard::{Guard, Refused};
use super::sign;
use crate::telemetry::TrySpan;

/// Of an answer's body so much is read, so that the connection can be used again; what it says is of no interest.
const MAX_ANSWER_BYTES: usize = 16 * 1024;
const IDLE_CONNECTION: Duration = Duration::from_secs(30);
const USER_AGENT: &str = "Backchannel-Webhook/1";

/// What is sent.
pub struct Push<'a> {
    pub url: &'a Url,
    /// Empty: it is not signed.
    pub secret: &'a str,
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
        let traceparent = span.as_ref().map_or_else(|| traceparent(push.delivery), |span| span.traceparent().to_owned());
        let (status, error, retry_after) = match self.send(push, traceparent).await {
            Ok(response) => judge(response).await,
            Err(word) => (0, word, None),
        };
        if let Some(span) = span {
            span.ended(status, error);
        }
        Outcome { status, error, retry_after, took: began.elapsed() }
    }

    async fn send(&self, push: Push<'_>, traceparent: String) -> Result<Response, &'static str> {
        self.guard.check(push.url).map_err(|_| "refused_address")?;
        let mut request = self
            .client
            .post(push.url.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("X-Backchannel-Event", push.event)
            .header("X-Backchannel-Attempt", push.attempt)
            .header("traceparent", traceparent)
            .header("webhook-id", push.delivery)
            .header("webhook-timestamp", push.timestamp);
        if !push.secret.is_empty() {
            let body = push.body.as_bytes();
            request = request
                .header("X-Backchannel-Signature", sign::backchannel(push.secret, body))
                .header("webhook-signature", sign::standard(push.secret, push.delivery, push.timestamp, body));
        }
        let response = request.body(push.body).send().await.map_err(|e| word_of(&e))?;
        // The resolver let nothing else through; should the client ever connect past it, nothing more is read.
        match response.remote_addr() {
            Some(peer) if !self.guard.allows(peer.ip()) => Err("refused_address"),
            _ => Ok(response),
        }
    }
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
    let mut read = 0;
    while read < MAX_ANSWER_BYTES
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

/// All tries of a delivery are one trace.
fn traceparent(delivery: &str) -> String {
    let trace = data_encoding::HEXLOWER.encode(&Sha256::digest(delivery.as_bytes())[..16]);
    let span: u64 = rand::rng().random_range(1..=u64::MAX);
    format!("00-{trace}-{span:016x}-01")
}

#[cfg(test)]
#[path = "push_tests.rs"]
mod tests;
