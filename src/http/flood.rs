//! The flood shield: a per-replica limit on requests of one client address, in memory, before anything costs Redis a thought.
//! The limits that count (per key, per mint) are global and in Redis; this one keeps a single address from drowning a replica.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::response::{IntoResponse, Response};
use governor::clock::QuantaInstant;
use governor::middleware::NoOpMiddleware;
use http::Request;
use tower_governor::GovernorLayer;
use tower_governor::errors::GovernorError;
use tower_governor::governor::{GovernorConfig, GovernorConfigBuilder};
use tower_governor::key_extractor::KeyExtractor;

use super::{Context, address};
use crate::error::{ApiError, Code};

/// How often addresses that have been quiet are forgotten.
const FORGET_EVERY: Duration = Duration::from_secs(30);

/// Counts by the client's address as trusted proxies tell it; an IPv6 /64 counts as one.
#[derive(Clone, Debug)]
pub struct ByClient;

impl KeyExtractor for ByClient {
    type Key = IpAddr;

    fn name(&self) -> &'static str {
        "client address"
    }

    fn extract<T>(&self, request: &Request<T>) -> Result<IpAddr, GovernorError> {
        let context = request.extensions().get::<Context>().ok_or(GovernorError::UnableToExtractKey)?;
        Ok(address::limit_group(context.client()))
    }
}

type Config = GovernorConfig<ByClient, NoOpMiddleware<QuantaInstant>>;

/// The layer for `per_second` requests of one address, twice that at once; None for 0.
pub fn layer(per_second: u32) -> Option<GovernorLayer<ByClient, NoOpMiddleware<QuantaInstant>, axum::body::Body>> {
    let per_second = NonZeroU32::new(per_second)?;
    let config: Arc<Config> = Arc::new(
        GovernorConfigBuilder::default()
            .period(Duration::from_secs(1) / per_second.get())
            .burst_size(per_second.get().saturating_mul(2))
            .key_extractor(ByClient)
            .finish()?,
    );
    forget_quiet_addresses(&config);
    Some(GovernorLayer::new(config).error_handler(refuse))
}

fn refuse(error: GovernorError) -> Response {
    match error {
        GovernorError::TooManyRequests { wait_time, .. } => ApiError::new(Code::RateLimitExceeded)
            .because("Too many requests from this address to this replica.")
            .retry_after(wait_time + 1)
            .into_response(),
        other => ApiError::internal(format!("flood shield: {other}")).into_response(),
    }
}

/// Keeps the shield's memory bounded by who called lately.
fn forget_quiet_addresses(config: &Arc<Config>) {
    let limiter = Arc::downgrade(config.limiter());
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(FORGET_EVERY).await;
            let Some(limiter) = limiter.upgrade() else { return };
            limiter.retain_recent();
        }
    });
}
