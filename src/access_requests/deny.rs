//! `POST /v1/channels/{identifier}/access-requests/{request_id}/deny`

use axum::extract::State;

use super::{AnsweredRequest, named};
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::Result;
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static DENY_CHANNEL_ACCESS_REQUEST: Operation = Operation {
    id: "denyChannelAccessRequest",
    method: "POST",
    path: "/v1/channels/{identifier}/access-requests/{request_id}/deny",
    tag: "Access requests",
    summary: "Do not let in who asked",
    about: "Owner only. The requester is not told; it may ask again.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<AnsweredRequest>)),
    also: None,
    scripts: &[&scripts::ACCESS_REQUEST_DENY],
    refusals: &[],
};

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let request = named(&params)?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::ACCESS_REQUEST_DENY
        .on(&slot)
        .key("resolved", request.as_str())
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", request.as_str())
        .arg("requester", request.requester().as_str())
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    Ok(Answer::ok(&AnsweredRequest::new("denied", &request))?.once(&once, reply.status() == "replayed"))
}
