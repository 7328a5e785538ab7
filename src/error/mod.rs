//! Errors: one value for every refusal (a 4xx we mean) and fault (a 5xx we do not), turned into a response and logged in one place.

mod codes;
pub mod render;

use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

pub use codes::{Code, Spec};

/// What handlers and operations return.
pub type Result<T> = std::result::Result<T, ApiError>;

/// A refusal or fault on its way to the caller.
///
/// The caller gets the code's words and the details; the cause goes to the log only.
#[derive(Clone, Debug)]
pub struct ApiError(Box<Inner>);

#[derive(Clone, Debug)]
struct Inner {
    code: Code,
    message: Option<String>,
    details: Map<String, Value>,
    retry_after_s: Option<u64>,
    cause: Option<String>,
}

impl ApiError {
    pub fn new(code: Code) -> Self {
        Self(Box::new(Inner { code, message: None, details: Map::new(), retry_after_s: None, cause: None }))
    }

    /// A fault of ours: the text goes to the log, never to the caller.
    pub fn internal(cause: impl Into<String>) -> Self {
        Self::new(Code::InternalError).cause(cause)
    }

    /// Names the field or parameter that is wrong.
    pub fn field(self, name: &str) -> Self {
        self.with("field", name)
    }

    /// Says what exactly was wrong, in place of the code's general words.
    pub fn because(mut self, message: impl Into<String>) -> Self {
        self.0.message = Some(message.into());
        self
    }

    /// Adds a detail at the top level of the body. Details are values, not prose.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.0.details.insert(key.to_owned(), value.into());
        self
    }

    /// Seconds after which a retry makes sense: `retry_after` in the body and the Retry-After header. At least 1.
    pub fn retry_after(mut self, seconds: u64) -> Self {
        self.0.retry_after_s = Some(seconds.max(1));
        self
    }

    /// What the log says about it.
    pub fn cause(mut self, cause: impl Into<String>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }

    /// The body of the response. `base` and `request_id` are filled in by the outermost layer, which alone knows them.
    pub fn body(&self, base: &str, request_id: &str) -> Value {
        let spec = self.0.code.spec();
        let mut body = Map::new();
        body.insert("error".into(), json!(spec.word));
        body.insert("message".into(), json!(self.0.message.as_deref().unwrap_or(spec.meaning)));
        body.insert("suggestion".into(), json!(spec.next_step));
        body.insert("request_id".into(), json!(request_id));
        body.insert("documentation_url".into(), json!(format!("{base}/docs/errors.md#{}", spec.word.replace('_', "-"))));
        if let Some(seconds) = self.retry_after_s() {
            body.insert("retry_after".into(), json!(seconds));
        }
        body.extend(self.0.details.clone());
        Value::Object(body)
    }

    /// Seconds for Retry-After. Every 503 has one.
    pub fn retry_after_s(&self) -> Option<u64> {
        self.0.retry_after_s.or((self.0.code.spec().status == 503).then_some(1))
    }

    /// The cause for the log, if one is known.
    pub fn log_cause(&self) -> Option<&str> {
        self.0.cause.as_deref()
    }
}

impl IntoResponse for ApiError {
    /// The status only; `http::finish` writes the body, since it knows the request id and base URL.
    fn into_response(self) -> Response {
        let mut response = self.code().status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}
