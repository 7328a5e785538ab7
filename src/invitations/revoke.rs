//! `DELETE /v1/channel-invitations/{invitation_id}`

use axum::extract::State;

use super::{InvitationView, find, without_channel};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Context, Once, Params};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static REVOKE_CHANNEL_INVITATION: Operation = Operation {
    id: "revokeChannelInvitation",
    method: "DELETE",
    path: "/v1/channel-invitations/{invitation_id}",
    tag: "Invitations",
    summary: "Revoke an invitation",
    about: "By who made it, or by the channel's owner. Nobody joins by it any more; who has joined stays a member. Again changes nothing.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: None,
    success: (200, Some(schema::of::<InvitationView>)),
    also: None,
    scripts: &[&scripts::INVITATION_FIND],
    refusals: &[Code::Forbidden],
};

pub async fn handle(State(app): State<App>, context: Context, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let (id, channel) = find(&app, params.text("invitation_id")?).await?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::INVITATION_REVOKE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", id.as_str())
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true)
        .run(&app.redis)
        .await
        .map_err(without_channel)?;
    let view = InvitationView::read(&channel, &reply, context.base_url())?;
    Ok(Answer::ok(&view)?.once(&once, reply.status() == "replayed"))
}
