//! `POST /v1/admin/keys`

use axum::extract::State;

use crate::api_keys::issue::{IssueKey, IssuedKey, issue};
use crate::app::App;
use crate::audit::Kind;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Admin, Answer, Body, Context};
use crate::operation::{Auth, Operation};
use crate::store::scripts;

pub static ADMIN_ISSUE_KEY: Operation = Operation {
    id: "adminIssueKey",
    method: "POST",
    path: "/v1/admin/keys",
    tag: "Admin",
    summary: "Issue an API key, also while public minting is closed",
    about: "The same as POST /v1/keys, without its limit for each client address. `key` is shown only this once.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[],
    request: Some(schema::of::<IssueKey>),
    success: (201, Some(schema::of::<IssuedKey>)),
    also: None,
    scripts: &[&scripts::KEY_CREATE],
    refusals: &[Code::MissingField, Code::InvalidString],
};

pub async fn handle(State(app): State<App>, _: Admin, context: Context, body: Body) -> Result<Answer> {
    let label = IssueKey::read(&body.fields)?.agent_label;
    Answer::created(&issue(&app, &label, Kind::KeyIssueAdmin, context.client()).await?)
}
