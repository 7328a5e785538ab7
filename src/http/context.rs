//! What is known of one request while it runs, for the outermost layer: it logs, counts and finishes the response.

use std::net::IpAddr;
use std::sync::atomic::{AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, OnceLock};

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::error::ApiError;
use crate::ids::KeyId;
use crate::operation::Operation;

/// Shared by the layers and extractors of one request.
#[derive(Clone)]
pub struct Context(Arc<Inner>);

struct Inner {
    request_id: String,
    client: IpAddr,
    base_url: String,
    operation: Option<&'static Operation>,
    key: OnceLock<KeyId>,
    remaining: AtomicI64,
}

impl Context {
    pub fn new(request_id: String, client: IpAddr, base_url: String, operation: Option<&'static Operation>) -> Self {
        Self(Arc::new(Inner { request_id, client, base_url, operation, key: OnceLock::new(), remaining: AtomicI64::new(-1) }))
    }

    pub fn request_id(&self) -> &str {
        &self.0.request_id
    }

    /// Where the request came from, as far as trusted proxies tell.
    pub fn client(&self) -> IpAddr {
        self.0.client
    }

    /// The URL under which this instance is to be advertised, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.0.base_url
    }

    /// What it asks for; None where the route is no operation of the API.
    pub fn operation(&self) -> Option<&'static Operation> {
        self.0.operation
    }

    pub fn key(&self) -> Option<&KeyId> {
        self.0.key.get()
    }

    /// Notes which key asks, and how many requests it has left, if that is limited.
    pub fn set_key(&self, key: &KeyId, remaining: Option<u64>) {
        let _ = self.0.key.set(key.clone()); // set by the one Caller of this request
        self.0.remaining.store(remaining.and_then(|n| i64::try_from(n).ok()).unwrap_or(-1), Relaxed);
    }

    /// Requests left in the key's window; None where there is no key or no limit.
    pub fn remaining(&self) -> Option<u64> {
        u64::try_from(self.0.remaining.load(Relaxed)).ok()
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Context {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or_else(|| ApiError::internal("no request context: the finish layer is missing"))
    }
}
