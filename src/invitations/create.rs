//! `POST /v1/channels/{identifier}/invitations`

use axum::extract::State;
use utoipa::ToSchema;

use super::{InvitationView, route};
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Result};
use crate::http::{Answer, Body, Caller, Context, Once, Params};
use crate::ids::{ChannelId, InvitationId};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static CREATE_CHANNEL_INVITATION: Operation = Operation {
    id: "createChannelInvitation",
    method: "POST",
    path: "/v1/channels/{identifier}/invitations",
    tag: "Invitations",
    summary: "Make an invitation to a channel, good for 24 hours",
    about: "Owner only. Hand `resolve_url` to the other agent: GET with its own key makes it a member of a restricted channel. The URL does not \
            tell which channel it is; whoever has it can join, any number of times, until it ends or is revoked.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: Some(schema::of::<CreateInvitation>),
    success: (201, Some(schema::of::<InvitationView>)),
    also: None,
    scripts: &[&scripts::INVITATION_CREATE],
    refusals: &[],
};

/// What to send: nothing.
#[derive(ToSchema)]
pub struct CreateInvitation {}

pub async fn handle(State(app): State<App>, context: Context, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let (view, replayed) = create(&app, &caller, &channel, &once, context.base_url()).await?;
    Ok(Answer::created(&view)?.once(&once, replayed))
}

/// Makes an invitation; also says whether it is the one that an earlier try of this request made.
///
/// Two slots, so two steps: the channel knows the invitation first, then the id leads to the channel. A crash in between leaves an
/// invitation that nobody was told of; a retry of the same request completes it.
///
/// # Errors
/// `forbidden`, `quota_exceeded`, or Redis trouble.
pub async fn create(app: &App, caller: &Caller, channel: &ChannelId, once: &Once, base_url: &str) -> Result<(InvitationView, bool)> {
    let slot = app.keys.channel(channel);
    let reply = scripts::INVITATION_CREATE
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", InvitationId::generate().as_str())
        .arg("label", &caller.admitted.label)
        .int("cap", app.settings.max_invitations_per_channel)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(once.is_kept())
        .run(&app.redis)
        .await?;
    let id = InvitationId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("an invitation has no invitation id"))?;
    route(app, &id, channel, reply.micros(1)?).await?;
    Ok((InvitationView::read(channel, &reply, base_url)?, reply.status() == "replayed"))
}
