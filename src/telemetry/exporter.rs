//! The way of spans out of the process. A collector that is away costs spans, never a request, and a line in the log once a minute.

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use anyhow::{Result, anyhow, ensure};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::trace::{SpanData, SpanExporter};
use parking_lot::Mutex;
use reqwest::Certificate;
use reqwest::blocking::Client;

/// Between two lines about failed exports.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// A client that believes certificates of the authorities in this file (PEM) and no others.
///
/// # Errors
/// When the file cannot be read or holds no certificate.
pub fn trusting(authorities: &Path, timeout: Duration) -> Result<Client> {
    let authorities = Certificate::from_pem_bundle(&fs::read(authorities)?)?;
    ensure!(!authorities.is_empty(), "the file holds no certificate");
    // It must not be made on a thread of tokio.
    let made = thread::spawn(move || Client::builder().timeout(timeout).tls_certs_only(authorities).build());
    Ok(made.join().map_err(|_| anyhow!("the client cannot be made"))??)
}

/// An exporter whose failures are told rarely.
#[derive(Debug)]
pub struct Quiet<E> {
    inner: E,
    troubles: Mutex<Troubles>,
}

/// Failed exports since the last line about them.
#[derive(Debug, Default)]
struct Troubles {
    exports: u64,
    spans: u64,
    said: Option<Instant>,
}

impl Troubles {
    /// Takes in a failure; what there is to say, if it is time.
    fn failed(&mut self, spans: usize, now: Instant) -> Option<(u64, u64)> {
        self.exports += 1;
        self.spans += spans as u64;
        if self.said.is_some_and(|said| now.duration_since(said) < SAY_EVERY) {
            return None;
        }
        self.said = Some(now);
        Some((std::mem::take(&mut self.exports), std::mem::take(&mut self.spans)))
    }
}

impl<E> Quiet<E> {
    pub fn new(inner: E) -> Self {
        Self { inner, troubles: Mutex::default() }
    }
}

impl<E: SpanExporter> SpanExporter for Quiet<E> {
    /// Never an error: the SDK would log each.
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let spans = batch.len();
        if let Err(error) = self.inner.export(batch).await
            && let Some((exports, spans)) = self.troubles.lock().failed(spans, Instant::now())
        {
            // The text names a class or a status, not the URL, which may hold a secret.
            tracing::warn!(exports, spans, cause = %error, "traces cannot be exported; requests go on, these spans are lost");
        }
        Ok(())
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn shutdown(&self) -> OTelSdkResult {
        self.inner.shutdown()
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_are_told_once_a_minute_with_their_number() {
        let (mut troubles, began) = (Troubles::default(), Instant::now());
        assert_eq!(troubles.failed(3, began), Some((1, 3)), "the first one at once");
        for second in 1..60 {
            assert_eq!(troubles.failed(2, began + Duration::from_secs(second)), None);
        }
        assert_eq!(troubles.failed(1, began + Duration::from_secs(60)), Some((60, 119)));
    }
}
