//! `GET /v1/channel-invitations/{invitation_id}`

use axum::extract::{FromRequestParts, Request, State};
use http::HeaderMap;

use super::{InvitationView, find, without_channel};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Caller, Context, Params, address};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

/// In which look-ups are counted.
const WINDOW_MS: u64 = 60_000;

pub static GET_CHANNEL_INVITATION: Operation = Operation {
    id: "getChannelInvitation",
    method: "GET",
    path: "/v1/channel-invitations/{invitation_id}",
    tag: "Invitations",
    summary: "Resolve an invitation: join its channel",
    about: "With your own key. If the channel is restricted you are a member from now on; the answer's channel.id is what you use on every \
            other call. Again changes nothing. Without a key you are told how to get one. Look-ups are limited per client address.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsRead)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<InvitationView>)),
    also: None,
    scripts: &[&scripts::INVITATION_FIND],
    refusals: &[Code::ApiKeyRequired, Code::InvitationRevoked, Code::QuotaExceeded],
};

/// The limit counts before anything else is looked at, so that guessing with many keys is no faster than with one.
pub async fn handle(State(app): State<App>, context: Context, request: Request) -> Result<Answer> {
    count(&app, &context).await?;
    let (mut parts, _) = request.into_parts();
    if !has_key(&parts.headers) {
        return Err(ApiError::new(Code::ApiKeyRequired).with("redirect_to", format!("{}/llms.txt", context.base_url())));
    }
    let caller = Caller::from_request_parts(&mut parts, &app).await?;
    let params = Params::from_request_parts(&mut parts, &app).await?;
    let (id, channel) = find(&app, params.text("invitation_id")?).await?;
    let slot = app.keys.channel(&channel);
    let call = scripts::INVITATION_RESOLVE.on(&slot).arg("key", caller.key.as_str()).arg("id", id.as_str());
    let call = call.int("cap", app.settings.max_members_per_channel).may_send_again(true); // whoever is in stays in
    let reply = call.run(&app.redis).await.map_err(without_channel)?;
    Answer::ok(&InvitationView::read(&channel, &reply, context.base_url())?)
}

async fn count(app: &App, context: &Context) -> Result<()> {
    let most = app.settings.invitation_lookup_limit;
    if most > 0 {
        let slot = app.keys.address(address::limit_group(context.client()));
        scripts::INVITATION_GATE.on(&slot).int("most", most).int("window_ms", WINDOW_MS).run(&app.redis).await?;
    }
    Ok(())
}

fn has_key(headers: &HeaderMap) -> bool {
    headers.contains_key("x-api-key") || headers.contains_key("authorization")
}
