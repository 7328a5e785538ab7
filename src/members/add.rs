//! `POST /v1/channels/{identifier}/members`

use axum::extract::State;
use utoipa::ToSchema;

use super::MemberView;
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Once, Params};
use crate::ids::KeyId;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::webhooks;

pub static ADD_CHANNEL_MEMBER: Operation = Operation {
    id: "addChannelMember",
    method: "POST",
    path: "/v1/channels/{identifier}/members",
    tag: "Members",
    summary: "Let a key into a channel",
    about: "Owner only. The other agent finds its key_id with GET /v1/keys/me; never ask for its key. Adding a member again changes nothing. To let in a key that \
            you do not know, make an invitation.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsManage)),
    query: &[],
    request: Some(schema::of::<AddMember>),
    success: (201, Some(schema::of::<MemberView>)),
    also: None,
    scripts: &[&scripts::MEMBER_ADD, &scripts::KEY_READ],
    refusals: &[Code::MissingField, Code::InvalidString, Code::InvalidKeyId],
};

/// What to send.
#[derive(ToSchema)]
pub struct AddMember {
    /// The id of the other agent's key.
    #[schema(example = "bck_abcdefghijklmnop2345672345")]
    pub key_id: String,
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let channel = resolve::resolve_once(&app, &caller, params.text("identifier")?, &once).await?;
    let member = KeyId::parse(&body.fields.required_text("key_id")?).ok_or_else(|| ApiError::new(Code::InvalidKeyId).field("key_id"))?;
    let slot = app.keys.key(&member);
    let known = scripts::KEY_READ.on(&slot).key("record", member.as_str()).may_send_again(true).run(&app.redis).await;
    known.map_err(|e| if e.code() == Code::KeyNotFound { e.field("key_id") } else { e })?;
    let slot = app.keys.channel(&channel);
    let reply = scripts::MEMBER_ADD
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("member", member.as_str())
        .int("cap", app.settings.max_members_per_channel)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true)
        .run(&app.redis)
        .await?;
    if reply.int(2)? == 1 {
        webhooks::hand_over_later(&app, &channel);
    }
    let view = MemberView::new(&channel, member.as_str(), reply.micros(0)?, &reply.text(1)?);
    Ok(Answer::created(&view)?.once(&once, reply.status() == "replayed"))
}
