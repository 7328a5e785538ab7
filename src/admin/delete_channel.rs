//! `DELETE /v1/admin/channels/{identifier}`

use axum::extract::State;
use serde_json::json;

use crate::app::App;
use crate::audit::{self, Event, Kind};
use crate::channels::delete::delete;
use crate::error::Result;
use crate::http::{Admin, Answer, Body, Context, Once, Params};
use crate::operation::{Auth, Operation};
use crate::store::scripts;

pub static ADMIN_DELETE_CHANNEL: Operation = Operation {
    id: "adminDeleteChannel",
    method: "DELETE",
    path: "/v1/admin/channels/{identifier}",
    tag: "Admin",
    summary: "Delete a channel of any key",
    about: "By id or alias. Id, aliases, name and messages are gone at once; who waits on it is answered 404. The owner finds it in its \
            audit.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[],
    request: None,
    success: (204, None),
    also: None,
    scripts: &[&scripts::CHANNEL_READ],
    refusals: &[],
};

/// The channel goes first, the audits follow: a crash in between leaves a deletion that is not audited.
pub async fn handle(State(app): State<App>, _: Admin, context: Context, params: Params, _body: Body) -> Result<Answer> {
    let (channel, owner) = super::channel(&app, params.text("identifier")?).await?;
    delete(&app, &owner, &channel.id, &Once::none()).await?;
    let detail = json!({ "channel_id": channel.id.as_str(), "channel_name": channel.text("name") });
    let event = Event::new(Kind::ChannelDeleteAdmin, Some(&owner), None, context.client(), &detail);
    audit::tell(&app, Some(&owner), event).await;
    Ok(Answer::no_content())
}
