//! Access requests: a key asks to be let into a restricted channel, the channel's owner answers.

pub mod approve;
pub mod deny;
pub mod list;
pub mod request;

use serde::Serialize;
use utoipa::ToSchema;

use crate::error::{ApiError, Code, Result};
use crate::http::Params;
use crate::ids::AccessRequestId;

/// An access request that was answered.
#[derive(Serialize, ToSchema)]
pub struct AnsweredRequest {
    /// `approved` or `denied`.
    status: &'static str,
    request_id: String,
    requester_key_id: String,
}

impl AnsweredRequest {
    fn new(status: &'static str, id: &AccessRequestId) -> Self {
        Self { status, request_id: id.as_str().to_owned(), requester_key_id: id.requester().as_str().to_owned() }
    }
}

/// The request that the path names.
fn named(params: &Params) -> Result<AccessRequestId> {
    AccessRequestId::parse(params.text("request_id")?).ok_or_else(|| ApiError::new(Code::AccessRequestNotFound))
}
