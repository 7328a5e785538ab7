//! The yardstick of deliveries: a loop that does nothing but POST with the HTTP client that workers use.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method, Request, Url};

/// Longest time for one, as that of workers.
const TIMEOUT: Duration = Duration::from_secs(15);
/// As long as what a worker sends of the bench's messages.
const BODY_BYTES: usize = 760;
const USER_AGENT: &str = "Backchannel-Webhook/1";
/// The headers that receivers are promised, with values of the lengths that they have. They are the same in each request: nothing is computed.
const PROMISED: &[(&str, &str)] = &[
    ("x-backchannel-event", "message.created"),
    ("x-backchannel-attempt", "1"),
    ("webhook-id", "dlv_o55466prnlzbomxgntow_1795363967278-0"),
    ("webhook-timestamp", "1795364282"),
    ("traceparent", "00-e5363be23ebb3d2ec0b42cde04232c38-2a54b1e9b9ae39bd-01"),
    ("x-backchannel-signature", "sha256=97817c54917a4bf9a183487be028db91737e4ce2dcdd3dae8c9e8b4d9d78d1aa"),
    ("webhook-signature", "v1,b49xx7KPO7dM2EdHKcMKk2ToEeMhmCZc5lQGimDypFc="),
];

/// Posts to `url`, so many at the same time, until it is killed. Whoever listens there counts. `plain`: without the headers of a delivery.
///
/// # Errors
/// When the HTTP client cannot be made, or nobody listens.
pub async fn push(url: &str, at_once: u16, plain: bool) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // reqwest asks for one also where all is plain
    let mut client =
        Client::builder().redirect(Policy::none()).no_proxy().referer(false).timeout(TIMEOUT).pool_max_idle_per_host(at_once.into());
    let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
    if !plain {
        client = client.user_agent(USER_AGENT);
        let promised = PROMISED.iter().map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        headers.extend(promised);
    }
    let (client, url) = (client.build().context("the HTTP client")?, Url::parse(url).context("the URL")?);
    let body = "x".repeat(BODY_BYTES);
    let loops = (0..at_once).map(|_| {
        let (client, body, url, headers) = (client.clone(), body.clone(), url.clone(), headers.clone());
        tokio::spawn(async move {
            loop {
                let mut request = Request::new(Method::POST, url.clone());
                *request.headers_mut() = headers.clone();
                *request.body_mut() = Some(body.clone().into());
                let answer = client.execute(request).await;
                if let Err(failure) = answer.and_then(reqwest::Response::error_for_status) {
                    return failure;
                }
            }
        })
    });
    let ended = join_all(loops).await.into_iter().next().context("at least one at a time")?;
    Err(ended?.into())
}
