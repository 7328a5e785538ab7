//! Answers: status, JSON, and the headers an operation adds.

use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde::Serialize;

use super::{Once, json};
use crate::error::{ApiError, Result};

/// What most answers fit into, so that they are written without making more room.
const USUAL_BYTES: usize = 1536;

/// The success of an operation.
#[derive(Debug)]
pub struct Answer {
    status: StatusCode,
    body: Option<Vec<u8>>,
    headers: Vec<(&'static str, HeaderValue)>,
}

impl Answer {
    /// # Errors
    /// A fault when the view cannot be written as JSON.
    pub fn json(status: StatusCode, view: &impl Serialize) -> Result<Self> {
        let mut body = Vec::with_capacity(USUAL_BYTES);
        json::write(&mut body, view).map_err(|e| ApiError::internal(format!("an answer could not be written: {e}")))?;
        Ok(Self { status, body: Some(body), headers: Vec::new() })
    }

    /// 200 with a body.
    ///
    /// # Errors
    /// As [`Answer::json`].
    pub fn ok(view: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::OK, view)
    }

    /// 201 with a body.
    ///
    /// # Errors
    /// As [`Answer::json`].
    pub fn created(view: &impl Serialize) -> Result<Self> {
        Self::json(StatusCode::CREATED, view)
    }

    /// 204.
    pub fn no_content() -> Self {
        Self { status: StatusCode::NO_CONTENT, body: None, headers: Vec::new() }
    }

    /// Tells the caller whether this is the stored answer to an earlier try.
    pub fn once(mut self, once: &Once, replayed: bool) -> Self {
        self.headers.extend(once.headers(replayed));
        self
    }

    pub fn header(mut self, name: &'static str, value: HeaderValue) -> Self {
        self.headers.push((name, value));
        self
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        let mut response = match self.body {
            Some(body) => {
                (self.status, [(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"))], body).into_response()
            }
            None => self.status.into_response(),
        };
        for (name, value) in self.headers {
            response.headers_mut().append(HeaderName::from_static(name), value);
        }
        response
    }
}
