//! `POST /v1/tasks/create-claimable-session`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::channels::create::{self, New};
use crate::channels::{ChannelView, read, settings};
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Context, Fields, Once};
use crate::ids;
use crate::invitations::{self, InvitationView};
use crate::operation::{Auth, Deprecated, Operation, Scope};
use crate::store::scripts;

pub static TASK_CREATE_CLAIMABLE_SESSION: Operation = Operation {
    id: "taskCreateClaimableSession",
    method: "POST",
    path: "/v1/tasks/create-claimable-session",
    tag: "Tasks",
    summary: "Create a restricted claimable channel and an invitation to it",
    about: "The same as POST /v1/channels with access \"restricted\" and POST /v1/channels/{id}/invitations: call those. A name that you have \
            used for such a channel before is that channel; without a name a new one is made each time. Also needs channels:manage.",
    deprecated: Some(Deprecated { successor: "/v1/channels" }),
    auth: Auth::Key(Some(Scope::ChannelsWrite)),
    query: &[],
    request: Some(schema::of::<CreateClaimableSession>),
    success: (201, Some(schema::of::<ClaimableSession>)),
    also: None,
    scripts: &[&scripts::CHANNEL_NAME_TAKE, &scripts::CHANNEL_CREATE, &scripts::INVITATION_CREATE],
    refusals: &[Code::InvalidString, Code::InvalidChannelName, Code::InsufficientScope],
};

/// What to send.
#[derive(ToSchema)]
pub struct CreateClaimableSession {
    /// `session-` and random characters, if absent.
    #[schema(example = "research-handoff", max_length = 200)]
    pub name: Option<String>,
    pub description: Option<String>,
}

/// A channel and the invitation to it.
#[derive(Serialize, ToSchema)]
pub struct ClaimableSession {
    channel: ChannelView,
    invitation: InvitationView,
}

impl CreateClaimableSession {
    fn read(fields: &Fields, app: &App) -> Result<New> {
        let name = match fields.text("name")?.filter(|name| !name.is_empty()) {
            Some(name) => settings::checked_name(name)?,
            // Two handoffs that name nothing must not meet in one channel.
            None => format!("session-{}", ids::suffix()),
        };
        Ok(New::session(name, settings::note(fields, "description")?, app))
    }
}

pub async fn handle(State(app): State<App>, context: Context, caller: Caller, body: Body) -> Result<Answer> {
    caller.require(Scope::ChannelsManage)?; // this invites
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let new = CreateClaimableSession::read(&body.fields, &app)?;
    let made = create::create(&app, &caller, &new, &once.pin_only()).await?;
    let (invitation, replayed) = invitations::create::create(&app, &caller, &made.id, &once, context.base_url()).await?;
    let channel = read::record(&app, &caller, &made.id).await?.view(caller.key.as_str())?;
    Ok(Answer::created(&ClaimableSession { channel, invitation })?.once(&once, replayed))
}
