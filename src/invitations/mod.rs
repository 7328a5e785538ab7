//! Invitations: an id that is handed to another agent and lets it into a channel, for 24 hours, many times. It does not say which channel.

pub mod create;
pub mod resolve;
pub mod revoke;

use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::ids::{ChannelId, InvitationId, Micros};
use crate::store::{Reply, scripts};

/// How long an invitation lets in.
const LIFE_S: u64 = 86_400;

/// One invitation.
#[derive(Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationView {
    id: String,
    /// Label of the key that made it, for display.
    owner_id: String,
    created_by_key_id: String,
    created_at: String,
    expires_at: String,
    revoked_at: Option<String>,
    /// Whether it lets in now.
    active: bool,
    channel: InvitedTo,
    /// What to hand to the other agent: with GET and its own key it joins.
    resolve_url: String,
}

/// What an invitation leads to.
#[derive(Serialize, ToSchema)]
pub struct InvitedTo {
    id: String,
    name: String,
    mode: String,
    description: String,
}

impl InvitationView {
    /// Values: id, made at, revoked at or 0, by key, its label, channel's name, mode, description.
    fn read(channel: &ChannelId, reply: &Reply, base_url: &str) -> Result<Self> {
        let (id, created, revoked) = (reply.text(0)?, reply.micros(1)?, reply.micros(2)?);
        let ends = created.plus_seconds(LIFE_S);
        Ok(Self {
            owner_id: reply.text(4)?,
            created_by_key_id: reply.text(3)?,
            created_at: created.rfc3339(),
            expires_at: ends.rfc3339(),
            revoked_at: (revoked.0 > 0).then(|| revoked.rfc3339()),
            active: revoked.0 == 0 && reply.now() < ends,
            channel: InvitedTo { id: channel.as_str().to_owned(), name: reply.text(5)?, mode: reply.text(6)?, description: reply.text(7)? },
            resolve_url: format!("{base_url}/v1/channel-invitations/{id}"),
            id,
        })
    }
}

/// The invitation that a path names, and its channel.
///
/// # Errors
/// `invitation_not_found`, `invitation_expired`, or Redis trouble.
async fn find(app: &App, word: &str) -> Result<(InvitationId, ChannelId)> {
    let not_found = || ApiError::new(Code::InvitationNotFound);
    let id = InvitationId::parse(word).ok_or_else(not_found)?;
    let slot = app.keys.invitation(&id);
    let reply = scripts::INVITATION_FIND.on(&slot).may_send_again(true).run(&app.redis).await?;
    let channel = ChannelId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("an invitation leads to no channel id"))?;
    Ok((id, channel))
}

/// Whoever holds an invitation learns nothing of a channel that is gone.
fn without_channel(error: ApiError) -> ApiError {
    if error.code() == Code::ChannelNotFound { ApiError::new(Code::InvitationNotFound) } else { error }
}

/// Notes where an invitation leads. Again changes nothing.
async fn route(app: &App, id: &InvitationId, channel: &ChannelId, created: Micros) -> Result<()> {
    let slot = app.keys.invitation(id);
    let call = scripts::INVITATION_ROUTE.on(&slot).arg("id", channel.as_str()).int("created", created.0);
    call.may_send_again(true).run(&app.redis).await?;
    Ok(())
}
