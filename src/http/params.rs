//! Path segments and query parameters.

use std::collections::HashMap;

use axum::extract::{FromRequestParts, RawPathParams};
use http::request::Parts;

use super::fields::wrong;
use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::ids::{LeaseToken, MessageId, Micros};

/// The variable segments of a path, decoded.
pub struct Params(Vec<(String, String)>);

impl FromRequestParts<App> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self> {
        let raw = RawPathParams::from_request_parts(parts, app).await.map_err(|_| ApiError::new(Code::InvalidPath))?;
        Ok(Self(raw.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect()))
    }
}

impl Params {
    /// A segment by its name in the route. A name that the route lacks is a fault of ours.
    ///
    /// # Errors
    /// When the route has no such segment.
    pub fn text(&self, name: &str) -> Result<&str> {
        self.0
            .iter()
            .find(|(k, _)| k == name)
            .map(|(_, v)| v.as_str())
            .ok_or_else(|| ApiError::internal(format!("the route has no {{{name}}}")))
    }

    /// The message id in the path.
    ///
    /// # Errors
    /// `message_not_found` for whatever is not one.
    pub fn message_id(&self) -> Result<MessageId> {
        MessageId::parse(self.text("message_id")?).ok_or_else(|| ApiError::new(Code::MessageNotFound))
    }

    /// The lease token in the path.
    ///
    /// # Errors
    /// `lease_expired` for whatever is not one.
    pub fn lease_token(&self) -> Result<LeaseToken> {
        LeaseToken::parse(self.text("lease_token")?).ok_or_else(|| ApiError::new(Code::LeaseExpired))
    }
}

/// The query of a request, decoded; of a parameter that comes twice, the last counts.
pub struct Query(HashMap<String, String>);

impl FromRequestParts<App> for Query {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self> {
        let pairs = url::form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes());
        Ok(Self(pairs.map(|(k, v)| (k.into_owned(), v.into_owned())).collect()))
    }
}

impl Query {
    /// A parameter; None if it is absent or blank.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|v| v.trim()).filter(|v| !v.is_empty())
    }

    /// A parameter as it was sent, to be given back unchanged.
    pub fn as_sent(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|v| !v.is_empty())
    }

    /// A parameter in the words it was sent in, also if they are none.
    pub fn as_is(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// `limit`, 1 to 100, 50 if absent.
    ///
    /// # Errors
    /// `invalid_limit`.
    pub fn limit(&self) -> Result<u64> {
        match self.0.get("limit") {
            None => Ok(50),
            Some(text) => {
                text.parse().ok().filter(|n| (1..=100).contains(n)).ok_or_else(|| ApiError::new(Code::InvalidLimit).field("limit"))
            }
        }
    }

    /// Seconds, fractions allowed; 0 if absent.
    ///
    /// # Errors
    /// `invalid_field`.
    pub fn seconds(&self, name: &str) -> Result<f64> {
        match self.text(name).map(str::parse::<f64>) {
            None => Ok(0.0),
            Some(Ok(s)) if s >= 0.0 && s.is_finite() => Ok(s),
            Some(_) => Err(wrong(Code::InvalidField, name, "must be a number of seconds, 0 or more")),
        }
    }

    /// A time; None if absent, empty or `0`: from the start.
    ///
    /// # Errors
    /// `code`, naming the parameter.
    pub fn time(&self, name: &str, code: Code) -> Result<Option<Micros>> {
        self.text(name).map_or(Ok(None), |text| parse_time(text, name, code))
    }
}

/// Reads a time as clients send it back to us: RFC 3339 in UTC, also with `+00:00`, also where a URL made the plus a blank. `0` is the start.
///
/// # Errors
/// `code`, naming the field.
pub fn parse_time(text: &str, name: &str, code: Code) -> Result<Option<Micros>> {
    if text == "0" {
        return Ok(None);
    }
    let mended = if text.contains(' ') && text.contains('T') { text.replacen(' ', "+", 1) } else { text.to_owned() };
    let time: jiff::Timestamp = mended.parse().map_err(|_| ApiError::new(code).field(name))?;
    // Before 1970 is from the start as well.
    Ok(u64::try_from(time.as_microsecond()).ok().filter(|us| *us > 0).map(Micros))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_as_clients_send_them() {
        let read = |t: &str| parse_time(t, "cursor", Code::InvalidCursor).map_err(|e| e.code());
        let expected = Ok(Some(Micros(1_763_774_821_350_436)));
        for same in ["2025-11-22T01:27:01.350436Z", "2025-11-22T01:27:01.350436+00:00", "2025-11-22T01:27:01.350436 00:00"] {
            assert_eq!(read(same), expected, "{same}");
        }
        assert_eq!(read("0"), Ok(None));
        assert_eq!(read("1960-01-01T00:00:00Z"), Ok(None));
        for nonsense in ["yesterday", "12", "2025-13-01T00:00:00Z", "-1", "2025-11-22"] {
            assert_eq!(read(nonsense), Err(Code::InvalidCursor), "{nonsense}");
        }
    }
}
