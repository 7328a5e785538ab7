//! Bodies: bounded in size and time, read only after the caller is known.

use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use axum::extract::{FromRequest, Request};
use bytes::Bytes;
use http::header::CONTENT_LENGTH;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use super::Fields;
use crate::app::App;
use crate::error::{ApiError, Code};

/// A read body: its bytes (for the hash of an idempotent request) and its fields.
#[derive(Debug)]
pub struct Body {
    pub bytes: Bytes,
    pub fields: Fields,
}

impl FromRequest<App> for Body {
    type Rejection = ApiError;

    async fn from_request(request: Request, app: &App) -> Result<Self, ApiError> {
        let bytes = read(request, app.settings.max_body_bytes(), app.settings.request_read_timeout).await?;
        let fields = Fields::parse(&bytes)?;
        Ok(Self { bytes, fields })
    }
}

/// The bytes of a body of at most `limit`.
///
/// # Errors
/// `payload_too_large`, `request_timeout`; `invalid_json` where it breaks off.
pub async fn read(request: Request, limit: usize, longest: Duration) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::new(Code::PayloadTooLarge).with("max_body_bytes", limit);
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|v| v.to_str().ok()?.parse::<usize>().ok());
    if announced.is_some_and(|n| n > limit) {
        return Err(too_large());
    }
    let mut whole = pin!(Limited::new(request.into_body(), limit).collect());
    // Most have come with their head, and need no timer.
    let read = match futures::poll!(whole.as_mut()) {
        Poll::Ready(read) => Ok(read),
        Poll::Pending => timeout(longest, whole).await,
    };
    match read {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(e)) if e.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(e)) => Err(ApiError::new(Code::InvalidJson).because("The body could not be read to its end.").cause(e.to_string())),
        Err(_) => Err(ApiError::new(Code::RequestTimeout)),
    }
}
