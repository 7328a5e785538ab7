//! What is fetched around a room: the page behind its link, and the scripts that agents source.
//!
//! Into a script goes nothing of a request but an id and a token that are hexadecimal to the last byte, and the advertised URL in a strict form.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, get};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, USER_AGENT, VARY};
use http::{HeaderMap, HeaderValue, StatusCode};
use rand::Rng;
use serde::Serialize;

use super::refused::{Refused, Result};
use crate::app::App;
use crate::documents::{self, Kind};
use crate::error::ApiError;
use crate::http::{Context, Params, Query};
use crate::ids::{RoomId, RoomToken};
use crate::settings::Settings;

const HELPERS: &str = include_str!("../documents/text/rooms-helpers.sh");
const LOOP: &str = include_str!("../documents/text/rooms-loop.sh");

pub fn routes() -> Vec<(&'static str, MethodRouter<App>)> {
    vec![
        ("/c/{id}", get(link)),
        ("/c/{id}/bootstrap.sh", get(joiner)),
        ("/bootstrap.sh", get(initiator)),
        ("/helpers.sh", get(|| async { script(HELPERS.to_owned()) })),
        ("/loop.sh", get(|| async { script(LOOP.to_owned()) })),
    ]
}

/// What a template of a room may name. Without a valid room the words stand for what is missing.
#[derive(Serialize)]
struct Facts<'a> {
    base: &'a str,
    role: &'static str,
    room: &'a str,
    token: &'a str,
    valid: bool,
    nonce: &'a str,
    room_idle: f64,
    room_lifetime: f64,
}

impl<'a> Facts<'a> {
    fn new(settings: &Settings, base: &'a str) -> Self {
        let (room_idle, room_lifetime) = (settings.room_idle.as_secs_f64(), settings.room_lifetime.as_secs_f64());
        Self { base, role: "", room: "CHANNEL_ID", token: "TOKEN", valid: false, nonce: "", room_idle, room_lifetime }
    }
}

/// Fails where a template does not fit: at the start of a replica, rather than at the first request.
///
/// # Errors
/// Names the template and the line.
pub fn check(settings: &Settings) -> crate::error::Result<()> {
    for valid in [true, false] {
        let facts = Facts { valid, ..Facts::new(settings, "http://localhost:8080") };
        for template in ["rooms-bootstrap.sh", "rooms-join.sh", "room.md", "room-stub.md", "room.html"] {
            documents::fill(template, &facts)?;
        }
    }
    Ok(())
}

/// The room that a path and a query name, if both parts have their form.
fn named(params: &Params, query: &Query) -> Result<Option<(RoomId, RoomToken)>> {
    Ok(RoomId::parse(params.text("id")?).zip(query.as_is("token").and_then(RoomToken::parse)))
}

async fn initiator(State(app): State<App>, context: Context) -> Result<Response> {
    let facts = Facts { role: "initiator", ..Facts::new(&app.settings, strict(context.base_url())?) };
    Ok(script(documents::fill("rooms-bootstrap.sh", &facts)?))
}

async fn joiner(State(app): State<App>, context: Context, params: Params, query: Query) -> Result<Response> {
    let (room, token) = named(&params, &query)?.ok_or_else(|| Refused::because("invalid_channel_or_token"))?;
    let facts =
        Facts { role: "joiner", room: room.as_str(), token: token.reveal(), ..Facts::new(&app.settings, strict(context.base_url())?) };
    Ok(script(documents::fill("rooms-join.sh", &facts)?))
}

/// The advertised URL, if nothing in it could end a quoted string of a shell.
fn strict(base: &str) -> Result<&str> {
    let of_form = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '~' | ':' | '/' | '[' | ']');
    if base.starts_with("http") && base.chars().all(of_form) {
        return Ok(base);
    }
    Err(Refused::Service(ApiError::internal("the advertised URL has characters that must not stand in a script")))
}

fn script(text: String) -> Response {
    ([(CONTENT_TYPE, Kind::Text.content_type()), (CACHE_CONTROL, "no-store")], text).into_response()
}

/// Who reads the page behind a link.
#[derive(Debug, PartialEq, Eq)]
enum Reader {
    Person,
    Agent,
    /// A fetcher that summarises what it reads, and so loses commands.
    Summariser,
}

impl Reader {
    fn of(headers: &HeaderMap) -> Self {
        let text = |name| headers.get(name).and_then(|v: &HeaderValue| v.to_str().ok()).unwrap_or_default();
        let (agent, accept) = (text(USER_AGENT), text(ACCEPT));
        if agent.to_ascii_lowercase().contains("claude-user") {
            Self::Summariser
        } else if accept.to_ascii_lowercase().contains("text/html") && !documents::is_bot(agent) {
            Self::Person
        } else {
            Self::Agent
        }
    }
}

async fn link(State(app): State<App>, context: Context, params: Params, query: Query, headers: HeaderMap) -> Result<Response> {
    let named = named(&params, &query)?;
    let nonce = nonce();
    let mut facts = Facts { nonce: &nonce, ..Facts::new(&app.settings, strict(context.base_url())?) };
    if let Some((room, token)) = &named {
        facts = Facts { valid: true, room: room.as_str(), token: token.reveal(), ..facts };
    }
    let reader = Reader::of(&headers);
    let (kind, template) = match reader {
        Reader::Person => (Kind::Html, "room.html"),
        Reader::Agent => (Kind::Markdown, "room.md"),
        Reader::Summariser => (Kind::Markdown, "room-stub.md"),
    };
    let is_broken = reader == Reader::Person && named.is_none();
    let mut response = documents::fill(template, &facts)?.into_response();
    if is_broken {
        *response.status_mut() = StatusCode::BAD_REQUEST;
    }
    let map = response.headers_mut();
    map.insert(CONTENT_TYPE, HeaderValue::from_static(kind.content_type()));
    map.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    map.insert(VARY, HeaderValue::from_static("User-Agent, Accept"));
    map.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    if kind == Kind::Html
        && let Ok(policy) = HeaderValue::from_str(&policy(&nonce))
    {
        map.insert(CONTENT_SECURITY_POLICY, policy);
    }
    Ok(response)
}

fn policy(nonce: &str) -> String {
    format!(
        "default-src 'none'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; \
         frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    )
}

/// A word that no script from elsewhere can know.
fn nonce() -> String {
    let mut bytes = [0u8; 16];
    rand::rng().fill_bytes(&mut bytes);
    data_encoding::HEXLOWER.encode(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_advertised_url_cannot_leave_its_quotes() {
        for good in ["https://rooms.example", "http://127.0.0.1:8080", "http://[::1]:80/under/a/path"] {
            assert!(strict(good).is_ok(), "{good}");
        }
        for bad in ["https://x'", "http://x\"", "http://x`id`", "http://x$(id)", "http://x\n", "http://x;", "javascript:1", "http://ä"] {
            assert!(strict(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn readers_are_told_apart() {
        let reader = |agent: &str, accept: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(USER_AGENT, agent.parse().expect("a header value"));
            headers.insert(ACCEPT, accept.parse().expect("a header value"));
            Reader::of(&headers)
        };
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        assert_eq!(reader("curl/8", "*/*"), Reader::Agent);
        assert_eq!(reader("Mozilla/5.0 Firefox/150", browser), Reader::Person);
        assert_eq!(reader("Mozilla/5.0 (compatible; Claude-User/1.0)", browser), Reader::Summariser);
        assert_eq!(reader("claude-cli/2", browser), Reader::Agent);
        assert_eq!(reader("Mozilla/5.0 (compatible; Googlebot/2.1)", browser), Reader::Agent);
    }
}
