//! `POST /v1/channels/{identifier}/access-requests`

use axum::extract::State;
use http::StatusCode;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::fields::wrong;
use crate::http::{Answer, Body, Caller, Fields, Once, Params};
use crate::ids::AccessRequestId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

/// Longest reason, in bytes.
const MAX_REASON_BYTES: usize = 1000;

pub static REQUEST_CHANNEL_ACCESS: Operation = Operation {
    id: "requestChannelAccess",
    method: "POST",
    path: "/v1/channels/{identifier}/access-requests",
    tag: "Access requests",
    summary: "Ask to be let into a restricted channel",
    about: "202 `pending`: the owner is asked; try the channel again later, you may use it once you are approved. Asking again while the owner \
            has not answered is the same request. 200 `open` or `already_member`: nobody needs to be asked.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsRead)),
    query: &[],
    request: Some(schema::of::<RequestAccess>),
    success: (202, Some(schema::of::<AccessAnswer>)),
    also: Some(200),
    scripts: &[&scripts::ACCESS_REQUEST],
    refusals: &[Code::InvalidString],
};

/// What to send.
#[derive(ToSchema)]
pub struct RequestAccess {
    /// Why, for the owner to read: at most 1000 bytes.
    pub reason: Option<String>,
}

/// What became of it.
#[derive(Serialize, ToSchema)]
pub struct AccessAnswer {
    /// `pending`, `open` or `already_member`.
    status: String,
    /// Of the request that is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
}

impl RequestAccess {
    fn read(fields: &Fields) -> Result<Self> {
        let reason = fields.text("reason")?;
        if reason.as_ref().is_some_and(|r| r.len() > MAX_REASON_BYTES) {
            return Err(wrong(Code::InvalidString, "reason", &format!("has at most {MAX_REASON_BYTES} bytes")));
        }
        Ok(Self { reason })
    }
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let asked = RequestAccess::read(&body.fields)?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::ACCESS_REQUEST
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", AccessRequestId::generate(&caller.key).as_str())
        .arg("label", &caller.admitted.label)
        .arg("reason", asked.reason.as_deref().unwrap_or_default())
        .int("cap", app.settings.max_access_requests_per_channel)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    let (status, request_id, replayed) = match reply.status() {
        "replayed" => (reply.text(0)?, reply.text(1)?, true),
        "pending" => ("pending".to_owned(), reply.text(0)?, false),
        word => (word.to_owned(), String::new(), false),
    };
    let code = if status == "pending" { StatusCode::ACCEPTED } else { StatusCode::OK };
    let view = AccessAnswer { status, request_id: Some(request_id).filter(|id| !id.is_empty()) };
    Ok(Answer::json(code, &view)?.once(&once, replayed))
}
