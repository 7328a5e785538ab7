//! The yardstick of deliveries: a loop that does nothing but POST with the HTTP client that workers use.

use std::time::Duration;

use anyhow::{Context, Result};
use futures::future::join_all;
use reqwest::Client;
use reqwest::header::CONTENT_TYPE;
use reqwest::redirect::Policy;

/// Longest time for one, as that of workers.
const TIMEOUT: Duration = Duration::from_secs(15);
/// About as long as what a worker sends of a message of 200 bytes.
const BODY_BYTES: usize = 650;

/// Posts to `url`, so many at the same time, until it is killed. Whoever listens there counts.
///
/// # Errors
/// When the HTTP client cannot be made, or nobody listens.
pub async fn push(url: &str, at_once: u16) -> Result<()> {
    let _ = rustls::crypto::ring::default_provider().install_default(); // reqwest asks for one also where all is plain
    let client = Client::builder()
        .redirect(Policy::none())
        .no_proxy()
        .referer(false)
        .timeout(TIMEOUT)
        .pool_max_idle_per_host(at_once.into())
        .build()
        .context("the HTTP client")?;
    let body = "x".repeat(BODY_BYTES);
    let loops = (0..at_once).map(|_| {
        let (client, body, url) = (client.clone(), body.clone(), url.to_owned());
        tokio::spawn(async move {
            loop {
                let answer = client.post(&url).header(CONTENT_TYPE, "application/json").body(body.clone()).send().await;
                if let Err(failure) = answer.and_then(reqwest::Response::error_for_status) {
                    return failure;
                }
            }
        })
    });
    let ended = join_all(loops).await.into_iter().next().context("at least one at a time")?;
    Err(ended?.into())
}
