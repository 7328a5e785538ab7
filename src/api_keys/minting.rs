//! `POST /v1/admin/minting`: whether this instance hands out keys to whoever asks; for the whole fleet, and across restarts.

use axum::extract::State;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::audit::{Event, Kind};
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::fields::wrong;
use crate::http::{Admin, Answer, Body, Context};
use crate::operation::{Auth, Operation};
use crate::store::scripts;

pub static ADMIN_SET_MINTING: Operation = Operation {
    id: "adminSetMinting",
    method: "POST",
    path: "/v1/admin/minting",
    tag: "Admin",
    summary: "Open or close public minting",
    about: "Takes effect on every replica at once. Existing keys go on working.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[],
    request: Some(schema::of::<SetMinting>),
    success: (200, Some(schema::of::<Minting>)),
    also: None,
    scripts: &[&scripts::KEY_MINTING],
    refusals: &[Code::InvalidField],
};

/// What to send.
#[derive(ToSchema)]
pub struct SetMinting {
    pub enabled: bool,
}

/// Whether `POST /v1/keys` hands out keys.
#[derive(Serialize, ToSchema)]
pub struct Minting {
    public_minting_enabled: bool,
}

pub async fn handle(State(app): State<App>, _: Admin, context: Context, body: Body) -> Result<Answer> {
    let enabled =
        body.fields.boolean("enabled", Code::InvalidField)?.ok_or_else(|| wrong(Code::InvalidField, "enabled", "must be true or false"))?;
    let slot = app.keys.mint();
    let want = if enabled { "open" } else { "closed" };
    let event = Event::new(Kind::MintingToggle, None, None, context.client(), &json!({ "enabled": enabled }));
    let call = event.of_all(scripts::KEY_MINTING.on(&slot).arg("want", want), &app);
    let reply = call.may_send_again(true).run(&app.redis).await?;
    Answer::ok(&Minting { public_minting_enabled: reply.int(0)? == 1 })
}

/// Whether public minting is open.
///
/// # Errors
/// Redis trouble.
pub async fn is_open(app: &App) -> Result<bool> {
    let slot = app.keys.mint();
    let reply = scripts::KEY_MINTING_READ.on(&slot).may_send_again(true).run(&app.redis).await?;
    Ok(reply.int(0)? == 1)
}
