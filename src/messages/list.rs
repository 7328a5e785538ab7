//! `GET /v1/channels/{identifier}/messages`

use axum::extract::State;

use super::poll::{self, Wait};
use super::{MessagePage, fit, pairs};
use crate::app::App;
use crate::channels::resolve;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Caller, Params, Query, headers};
use crate::ids::{ChannelId, Micros};
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::{Reply, scripts};

pub static LIST_MESSAGES: Operation = Operation {
    id: "listMessages",
    method: "GET",
    path: "/v1/channels/{identifier}/messages",
    tag: "Messages",
    summary: "Read a channel's messages after a cursor, and wait for new ones",
    about: "Oldest first, strictly after the cursor. Go on with next_cursor: you see each message once. With wait, the call is held while \
            there is nothing and answered as soon as there is.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[
        Param { name: "cursor", kind: "string", about: "next_cursor of your last page. Absent or 0: from the start." },
        Param { name: "since", kind: "string", about: "The old name of cursor." },
        Param { name: "limit", kind: "integer", about: "1 to 100, default 50." },
        Param { name: "wait", kind: "number", about: "Seconds to wait while there is nothing; the server caps it." },
        Param { name: "status", kind: "string", about: "unclaimed or claimed (held or acknowledged)." },
        Param { name: "expiring_before", kind: "string", about: "Only messages that expire before this time." },
    ],
    request: None,
    success: (200, Some(schema::of::<MessagePage>)),
    also: None,
    scripts: &[&scripts::MESSAGE_LIST, &scripts::MESSAGE_LIST_UNCLAIMED, &scripts::MESSAGE_LIST_CLAIMED, &scripts::MESSAGE_LIFT],
    refusals: &[Code::InvalidCursor, Code::InvalidLimit, Code::InvalidStatus, Code::InvalidField],
};

/// Which messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    All,
    Unclaimed,
    Claimed,
}

/// What a reader asks for.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Messages after this; zero: from the start.
    pub cursor: Micros,
    pub status: Status,
    /// Only messages that expire before this; zero: all.
    pub before: Micros,
    pub limit: u64,
    /// The cursor in the words it was sent in, for a page without messages.
    pub sent: Option<String>,
}

/// One read of the store.
#[derive(Debug)]
pub struct Read {
    pub page: MessagePage,
    /// Grows when access to the channel changes.
    pub rev: u64,
    /// Of an empty page: the highest number given in the channel. Else zero.
    pub last: Micros,
    pub now: Micros,
    /// When the earliest lease ends.
    pub lease_ends: Option<Micros>,
}

impl Status {
    /// # Errors
    /// `invalid_status`.
    pub fn read(text: Option<&str>) -> Result<Self> {
        match text {
            None => Ok(Self::All),
            Some("unclaimed") => Ok(Self::Unclaimed),
            Some("claimed") => Ok(Self::Claimed),
            Some(_) => Err(ApiError::new(Code::InvalidStatus).field("status")),
        }
    }
}

impl Ask {
    fn read(query: &Query) -> Result<Self> {
        let name = if query.text("cursor").is_some() { "cursor" } else { "since" };
        Ok(Self {
            cursor: query.time(name, Code::InvalidCursor)?.unwrap_or_default(),
            status: Status::read(query.text("status"))?,
            before: query.time("expiring_before", Code::InvalidField)?.unwrap_or_default(),
            limit: query.limit()?,
            sent: query.as_sent(name).map(str::to_owned),
        })
    }
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Result<Answer> {
    let ask = Ask::read(&query)?;
    let wait = Wait::seconds(query.seconds("wait")?, &app);
    let channel = resolve::resolve(&app, &caller, params.text("identifier")?).await?;
    let page = poll::poll(&app, &caller, &channel, ask, wait).await?;
    let mut answer = Answer::ok(&page)?;
    if query.text("since").is_some() && query.text("cursor").is_none() {
        answer = headers::deprecation().into_iter().fold(answer, |answer, (name, value)| answer.header(name, value));
    }
    Ok(answer)
}

/// Reads a page now. `key` empty: the replica reads for waiters whose access it has checked.
///
/// # Errors
/// `channel_not_found`, `channel_access_denied`, or Redis trouble.
pub async fn read(app: &App, key: &str, channel: &ChannelId, ask: &Ask) -> Result<Read> {
    let reply = run(app, key, channel, ask, ask.cursor).await?;
    if reply.status() != "ahead" {
        return decode(channel, ask, &reply, false);
    }
    let lift = lift(app, key, channel, ask.cursor).await?;
    let restart = if lift.status() == "gap" { Some(lift.micros(0)?) } else { None };
    let reply = run(app, key, channel, ask, restart.unwrap_or(ask.cursor)).await?;
    if reply.status() == "ahead" {
        return Err(ApiError::internal("a cursor lies ahead of a channel that was just lifted to it"));
    }
    let mut read = decode(channel, ask, &reply, restart.is_some())?;
    if let (Some(from), true) = (restart, read.page.data.is_empty()) {
        // A cursor from a lost future is not given back: the reader would stay blind until time has caught up with it.
        read.page.next_cursor = Some(from.rfc3339());
    }
    Ok(read)
}

async fn run(app: &App, key: &str, channel: &ChannelId, ask: &Ask, cursor: Micros) -> Result<Reply> {
    let slot = app.keys.channel(channel);
    let script = match ask.status {
        Status::All => &scripts::MESSAGE_LIST,
        Status::Unclaimed => &scripts::MESSAGE_LIST_UNCLAIMED,
        Status::Claimed => &scripts::MESSAGE_LIST_CLAIMED,
    };
    let call = script.on(&slot).arg("key", key).int("cursor", cursor.0).int("before", ask.before.0).int("limit", ask.limit);
    let reply = call.may_send_again(true).run(&app.redis).await?;
    if ask.status == Status::Unclaimed && reply.status() == "page" {
        app.metrics.work.leases_ended.inc_by(reply.uint(8)?);
    }
    Ok(reply)
}

async fn lift(app: &App, key: &str, channel: &ChannelId, cursor: Micros) -> Result<Reply> {
    let slot = app.keys.channel(channel);
    scripts::MESSAGE_LIFT.on(&slot).arg("key", key).int("cursor", cursor.0).may_send_again(true).run(&app.redis).await
}

/// Values: ttl µs, rev, mode, highest number, next lease end, entries, records, more, and for claimed ones how far was looked, for unclaimed ones how many leases had ended.
fn decode(channel: &ChannelId, ask: &Ask, reply: &Reply, gap: bool) -> Result<Read> {
    let (ttl, now) = (reply.uint(0)?, reply.now());
    let found = pairs(reply, 5)?;
    let (numbers, count): (Vec<_>, _) = (found.iter().map(|(m, _)| m.micros).collect(), found.len());
    let data = fit(found.into_iter().map(|(stored, record)| stored.view(channel, record, ttl, now)).collect::<Result<_>>()?)?;
    let last_shown = data.len().checked_sub(1).map(|last| numbers[last]);
    let all_shown = data.len() == count;
    let looked_to = if ask.status == Status::Claimed && all_shown && reply.int(7)? == 1 { Some(reply.micros(8)?) } else { None };
    let next = looked_to.or(last_shown).filter(|n| n.0 > 0).map(Micros::rfc3339).or_else(|| ask.sent.clone());
    let lease_ends = Some(reply.micros(4)?).filter(|t| t.0 > 0);
    let page = MessagePage { data, limit: ask.limit, next_cursor: next, gap };
    Ok(Read { page, rev: reply.uint(1)?, last: reply.micros(3)?, now, lease_ends })
}
