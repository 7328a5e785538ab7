//! `DELETE /v1/admin/keys/{key_id}`

use axum::extract::State;

use crate::api_keys::me::{RevokedKey, end};
use crate::app::App;
use crate::audit::{Event, Kind};
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Admin, Answer, Body, Context, Params};
use crate::ids::KeyId;
use crate::operation::{Auth, Operation};
use serde_json::json;

pub static ADMIN_REVOKE_KEY: Operation = Operation {
    id: "adminRevokeKey",
    method: "DELETE",
    path: "/v1/admin/keys/{key_id}",
    tag: "Admin",
    summary: "Revoke an API key",
    about: "From the next request on, on every replica, the key answers 401. Its label is free again. Its channels stay; delete them with \
            DELETE /v1/admin/channels/{identifier} if they have to go.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[],
    request: None,
    success: (200, Some(schema::of::<RevokedKey>)),
    also: None,
    scripts: &[],
    refusals: &[Code::KeyNotFound],
};

pub async fn handle(State(app): State<App>, _: Admin, context: Context, params: Params, _body: Body) -> Result<Answer> {
    let not_found = || ApiError::new(Code::KeyNotFound);
    let key = KeyId::parse(params.text("key_id")?).ok_or_else(not_found)?;
    let event = Event::new(Kind::KeyRevokeAdmin, Some(&key), None, context.client(), &json!({}));
    let done = end(&app, &key, event).await;
    Answer::ok(&done.map_err(|e| if e.code() == Code::Unauthorized { not_found() } else { e })?)
}
