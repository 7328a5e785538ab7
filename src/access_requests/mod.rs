//! Access requests: a key asks to be let into a restricted channel, the channel's owner answers.

pub mod approve;
pub mod deny;
pub mod list;
pub mod request;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::channels::resolve;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::{AccessRequestId, ChannelId};
use crate::store::script::Call;
use crate::store::{Reply, Script};

/// An access request that was answered.
#[derive(Serialize, ToSchema)]
pub struct AnsweredRequest {
    /// `approved` or `denied`.
    status: &'static str,
    request_id: String,
    requester_key_id: String,
}

impl AnsweredRequest {
    fn new(status: &'static str, id: &AccessRequestId) -> Self {
        Self { status, request_id: id.as_str().to_owned(), requester_key_id: id.requester().as_str().to_owned() }
    }
}

/// The request that the path names.
fn named(params: &Params) -> Result<AccessRequestId> {
    AccessRequestId::parse(params.text("request_id")?).ok_or_else(|| ApiError::new(Code::AccessRequestNotFound))
}

/// Takes a request off the list of those that wait, and answers with `status`. `more` gives the script what only it takes.
async fn settle(
    app: &App,
    caller: &Caller,
    params: &Params,
    body: &Body,
    status: &'static str,
    script: &'static Script,
    more: impl for<'a> FnOnce(Call<'a>) -> Call<'a>,
) -> Result<(ChannelId, Reply, Answer)> {
    let once = Once::of(caller, body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(app, caller, params.text("identifier")?, &once).await?;
    let request = named(params)?;
    let requester = request.requester();
    let slot = app.keys.channel(&channel);
    let call = script
        .on(&slot)
        .key("resolved", request.as_str())
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", request.as_str())
        .arg("requester", requester.as_str())
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept());
    let reply = more(call).run(&app.redis).await?;
    let answer = Answer::ok(&AnsweredRequest::new(status, &request))?.once(&once, reply.status() == "replayed");
    Ok((channel, reply, answer))
}
