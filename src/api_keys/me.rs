//! `/v1/keys/me`: what the calling key is; ending it.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::{App, tell_of_changed_key};
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Caller};
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
    scripts: &[&scripts::KEY_REVOKE],
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

pub async fn revoke(State(app): State<App>, caller: Caller) -> Result<Answer> {
    let slot = app.keys.key(&caller.key);
    let id = caller.key.as_str();
    let done = scripts::KEY_REVOKE.on(&slot).key("record", id).key("channels", id).key("actors", id).arg("key", id).run(&app.redis).await;
    tell_of_changed_key(&app, &caller.key).await; // also when the answer was lost: it may have happened
    done?;
    Answer::ok(&RevokedKey { key_id: id.to_owned(), revoked: true })
}
