//! `/v1/keys/me`: what the calling key is; ending it.

use axum::extract::State;
use futures::FutureExt;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::change::change;
use crate::actors::aliases;
use crate::app::App;
use crate::audit::{self, Event, Kind};
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Caller, Context};
use crate::ids::{KeyId, Micros};
use crate::operation::{Auth, Operation};
use crate::store::scripts;

pub static KEYS_ME: Operation = Operation {
    id: "keysMe",
    method: "GET",
    path: "/v1/keys/me",
    tag: "Keys",
    summary: "Describe the calling key",
    about: "Use it to check that your key works, and to learn the key_id that a channel's owner needs to let you in.",
    deprecated: None,
    auth: Auth::Key(None),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<KeyView>)),
    also: None,
    scripts: &[&scripts::KEY_ADMIT],
    refusals: &[],
};

pub static DELETE_KEYS_ME: Operation = Operation {
    id: "deleteKeysMe",
    method: "DELETE",
    path: "/v1/keys/me",
    tag: "Keys",
    summary: "Revoke the calling key",
    about: "From the next request on, on every replica, the key answers 401. Its label is free again. Its channels stay.",
    deprecated: None,
    auth: Auth::Key(None),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<RevokedKey>)),
    also: None,
    scripts: &[&scripts::KEY_ANNOUNCE, &scripts::KEY_REVOKE],
    refusals: &[],
};

/// The calling key.
#[derive(Serialize, ToSchema)]
pub struct KeyView {
    key_id: String,
    owner_id: String,
    agent_label: String,
    /// Always `free`.
    plan: &'static str,
    active: bool,
    /// What the key may do; null: everything.
    scopes: Option<Vec<String>>,
    /// Requests per window; 0: unlimited.
    rate_limit: u64,
    rate_limit_window_seconds: u64,
    created_at: String,
}

/// A key that has ended.
#[derive(Serialize, ToSchema)]
pub struct RevokedKey {
    key_id: String,
    revoked: bool,
}

pub async fn show(State(app): State<App>, caller: Caller) -> Result<Answer> {
    let known = &caller.admitted;
    Answer::ok(&KeyView {
        key_id: caller.key.as_str().to_owned(),
        owner_id: known.label.clone(),
        agent_label: known.label.clone(),
        plan: "free",
        active: true,
        scopes: known.scopes.clone(),
        rate_limit: app.settings.rate_limit,
        rate_limit_window_seconds: app.settings.rate_limit_window_s,
        created_at: known.created.rfc3339(),
    })
}

pub async fn revoke(State(app): State<App>, caller: Caller, context: Context) -> Result<Answer> {
    let event = Event::new(Kind::KeyRevoke, Some(&caller.key), Some(&caller.key), context.client(), &json!({}));
    Answer::ok(&end(&app, &caller.key, event).await?)
}

/// Ends a key, on every replica, with an event in its audit and in the instance's.
///
/// # Errors
/// `unauthorized` when there is no such active key; Redis trouble.
pub async fn end(app: &App, key: &KeyId, event: Event) -> Result<RevokedKey> {
    let slot = app.keys.key(key);
    let id = key.as_str();
    let revoke = |announced: Micros| {
        let call = scripts::KEY_REVOKE
            .on(&slot)
            .key("record", id)
            .key("channels", id)
            .key("owned", id)
            .key("actors", id)
            .key("audit", id)
            .arg("key", id)
            .int("announced", announced.0);
        event.of_key(call, app).run(&app.redis).boxed()
    };
    let done = change(app, key, revoke).await;
    // Its actors are gone with it; nobody else may be kept from their aliases.
    aliases::free_all_later(app, &done?, 1)?;
    audit::tell(app, None, event).await;
    Ok(RevokedKey { key_id: id.to_owned(), revoked: true })
}
