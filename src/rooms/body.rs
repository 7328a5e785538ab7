//! Bodies of rooms' calls.

use axum::extract::Request;
use serde_json::{Map, Value};

use super::refused::{Refused, Result};
use crate::app::App;
use crate::error::Code;
use crate::http::body;

/// A text of 65,536 characters with each escaped as a surrogate pair, and room for the other fields.
const MAX_BODY_BYTES: usize = 65_536 * 12 + 8192;

/// The fields of a JSON object.
pub struct Fields(Map<String, Value>);

impl Fields {
    /// Reads the body. It comes after the rate limit.
    ///
    /// # Errors
    /// `invalid_json` for whatever is no JSON object; 413 and 408 of the service.
    pub async fn read(app: &App, request: Request) -> Result<Self> {
        let bytes = body::read(request, MAX_BODY_BYTES, app.settings.request_read_timeout).await.map_err(|error| match error.code() {
            Code::InvalidJson => Refused::because("invalid_json"),
            _ => Refused::Service(error),
        })?;
        serde_json::from_slice(&bytes).map(Self).map_err(|_| Refused::because("invalid_json"))
    }

    /// A field that is a text, also an empty one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A field that is a text and not empty.
    pub fn filled(&self, name: &str) -> Option<&str> {
        self.text(name).filter(|text| !text.is_empty())
    }
}
