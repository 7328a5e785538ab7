//! What a room refuses with: words that clients in the field branch on, in bodies of their own form. Troubles of the service (503, 413) have
//! what all its errors have, beside the `error` and `retry_after_sec` of rooms.

use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde_json::{Value, json};

use crate::error::ApiError;
use crate::store::Reply;

/// What handlers of rooms return.
pub type Result<T> = std::result::Result<T, Refused>;

/// A refusal on its way to the caller.
#[derive(Debug)]
pub enum Refused {
    /// In the words of rooms.
    Room { status: StatusCode, body: Value, retry_after_s: Option<u64> },
    /// In the form of the service.
    Service(ApiError),
}

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self::Service(error)
    }
}

impl Refused {
    /// 400: the caller did something that cannot be done.
    pub fn because(word: &'static str) -> Self {
        Self::Room { status: StatusCode::BAD_REQUEST, body: json!({ "error": word }), retry_after_s: None }
    }

    /// 404 for a room that is not there and for a token that is wrong: nobody learns which.
    pub fn unknown() -> Self {
        Self::not_found(json!({ "error": "channel_or_token_invalid" }))
    }

    /// 429, with the time after which it is worth a try.
    pub fn too_many(word: &'static str, after_ms: u64) -> Self {
        let seconds = after_ms.div_ceil(1000).max(1);
        let body = json!({ "error": word, "retry_after_sec": seconds });
        Self::Room { status: StatusCode::TOO_MANY_REQUESTS, body, retry_after_s: Some(seconds) }
    }

    /// What a script of a room answered, where that is no success.
    pub fn by(reply: &Reply) -> Self {
        match reply.status() {
            "unknown" => Self::unknown(),
            "asleep" => Self::not_found(json!({
                "error": "channel_hibernating", "hibernating": true, "evicted_reason": "hibernating", "retry": "join",
            })),
            "over" => Self::over(reply).unwrap_or_else(Self::Service),
            "channel_full" => Self::because("channel_full"),
            "name_taken" => Self::because("name_taken"),
            "participant_not_in_channel" => Self::because("participant_not_in_channel"),
            _ => Self::Service(reply.unexpected()),
        }
    }

    /// 404 that says, for a day, how the room ended.
    fn over(reply: &Reply) -> std::result::Result<Self, ApiError> {
        let ago = reply.now().0.saturating_sub(reply.micros(1)?.0) / 1_000_000;
        Ok(Self::not_found(json!({
            "error": "channel_or_token_invalid", "evicted_reason": format!("evicted_{}", reply.text(0)?), "evicted_s_ago": ago,
        })))
    }

    fn not_found(body: Value) -> Self {
        Self::Room { status: StatusCode::NOT_FOUND, body, retry_after_s: None }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        match self {
            Self::Service(error) => match error.retry_after_s() {
                Some(seconds) => error.with("retry_after_sec", seconds).into_response(),
                None => error.into_response(),
            },
            Self::Room { status, body, retry_after_s } => {
                let mut response = json_response(status, body.to_string());
                if let Some(seconds) = retry_after_s {
                    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
                }
                response
            }
        }
    }
}

/// JSON that nobody keeps.
pub fn json_response(status: StatusCode, body: String) -> Response {
    (status, [(CONTENT_TYPE, "application/json; charset=utf-8"), (CACHE_CONTROL, "no-store")], body).into_response()
}
