//! `GET /v1/channels`

use axum::extract::State;
use futures::StreamExt;
use futures::stream;
use serde::Serialize;
use utoipa::ToSchema;

use super::listing::{self, Because};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::fields::wrong;
use crate::http::{Answer, Caller, Query};
use crate::ids::{ChannelId, Micros};
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::scripts;

/// Channels that one request reads at a time: each in a slot of its own.
const AT_ONCE: usize = 25;
/// How often a page is filled up where entries are left out. Then it stays short, and goes on at its next_cursor.
const MOST_ROUNDS: usize = 4;

pub static DISCOVER_CHANNELS: Operation = Operation {
    id: "discoverChannels",
    method: "GET",
    path: "/v1/channels",
    tag: "Channels",
    summary: "Find channels: what they are, never their messages",
    about: "Channels whose owners let them be found, newest first; with owned=true your own, found by others or not. access: \"open\": start \
            reading and posting. access: \"restricted\" and is_member: false: ask to be let in, POST /v1/channels/{id}/access-requests.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::ChannelsRead)),
    query: &[
        Param { name: "cursor", kind: "string", about: "next_cursor of your last page: older ones. Absent or 0: from the newest." },
        Param { name: "limit", kind: "integer", about: "1 to 100, default 50." },
        Param { name: "owned", kind: "boolean", about: "true: the channels that the calling key owns." },
    ],
    request: None,
    success: (200, Some(schema::of::<ChannelPage>)),
    also: None,
    scripts: &[&scripts::CHANNEL_DISCOVER, &scripts::CHANNEL_OWNED],
    refusals: &[Code::InvalidCursor, Code::InvalidLimit, Code::InvalidField],
};

/// A page of channels.
#[derive(Serialize, ToSchema)]
pub struct ChannelPage {
    data: Vec<FoundChannel>,
    limit: u64,
    /// Where older ones follow; null: there are none.
    next_cursor: Option<String>,
}

/// What is shown of a channel to who has not come in.
#[derive(Serialize, ToSchema)]
pub struct FoundChannel {
    id: String,
    name: String,
    /// `claimable` or `broadcast`.
    mode: String,
    /// `open` or `restricted`.
    access: String,
    description: String,
    created_at: String,
    /// Whether the calling key owns it or is a member of it.
    is_member: bool,
    /// Whether others find it; only your own can be listed without.
    discoverable: bool,
}

pub async fn handle(State(app): State<App>, caller: Caller, query: Query) -> Result<Answer> {
    let (cursor, limit) = (query.time("cursor", Code::InvalidCursor)?.unwrap_or_default(), query.limit()?);
    let owned = match query.text("owned") {
        None | Some("false" | "0") => false,
        Some("true" | "1") => true,
        Some(_) => return Err(wrong(Code::InvalidField, "owned", "must be true or false")),
    };
    Answer::ok(&page(&app, &caller, owned, cursor, limit).await?)
}

async fn page(app: &App, caller: &Caller, owned: bool, mut before: Micros, limit: u64) -> Result<ChannelPage> {
    let most = usize::try_from(limit).unwrap_or(usize::MAX);
    let (mut data, mut more) = (Vec::new(), true);
    for _ in 0..MOST_ROUNDS {
        let missing = most - data.len();
        let entries = entries(app, caller, owned, before, missing).await?;
        more = entries.len() == missing;
        before = entries.last().map_or(before, |(_, number)| *number);
        let mut read = stream::iter(entries).map(async |(id, _)| (brief(app, caller, &id).await, id)).buffered(AT_ONCE);
        while let Some((channel, id)) = read.next().await {
            match channel? {
                Some(channel) if owned || channel.discoverable => data.push(channel),
                _ if owned => {} // its name was taken just now, or by a replica that died then
                _ => listing::leave(app, &id, Because::Hidden).await,
            }
        }
        if data.len() == most || !more {
            break;
        }
    }
    Ok(ChannelPage { data, limit, next_cursor: more.then(|| before.rfc3339()) })
}

/// Channel ids, each with its number in the list.
async fn entries(app: &App, caller: &Caller, owned: bool, before: Micros, limit: usize) -> Result<Vec<(ChannelId, Micros)>> {
    let (of_all, of_key) = (app.keys.discoverable(), app.keys.key(&caller.key));
    let call = match owned {
        true => scripts::CHANNEL_OWNED.on(&of_key).key("owned", caller.key.as_str()),
        false => scripts::CHANNEL_DISCOVER.on(&of_all),
    };
    let reply = call.int("before", before.0).int("limit", limit as u64).may_send_again(true).run(&app.redis).await?;
    let read = |(id, number): &(String, String)| Some((ChannelId::parse(id)?, Micros(number.parse().ok()?)));
    reply.pairs(0)?.iter().map(read).collect::<Option<_>>().ok_or_else(|| ApiError::internal("a list of channels is broken"))
}

/// What the caller may see of a channel now; None where there is none, or it cannot be found.
async fn brief(app: &App, caller: &Caller, id: &ChannelId) -> Result<Option<FoundChannel>> {
    let slot = app.keys.channel(id);
    let reply = match scripts::CHANNEL_BRIEF.on(&slot).arg("key", caller.key.as_str()).may_send_again(true).run(&app.redis).await {
        Ok(reply) if reply.status() == "hidden" => return Ok(None),
        Ok(reply) => reply,
        Err(e) if e.code() == Code::ChannelNotFound => return Ok(None),
        Err(e) => return Err(e),
    };
    Ok(Some(FoundChannel {
        id: id.as_str().to_owned(),
        name: reply.text(0)?,
        mode: reply.text(1)?,
        access: reply.text(2)?,
        description: reply.text(3)?,
        created_at: reply.micros(4)?.rfc3339(),
        discoverable: reply.int(5)? == 1,
        is_member: reply.int(6)? == 1,
    }))
}
