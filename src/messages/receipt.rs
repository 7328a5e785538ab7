//! `GET /v1/messages/{message_id}`: what became of a message.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::poll::Wait;
use super::{MessageView, SEPARATOR, Stored, watch};
use crate::actors::ActorRef;
use crate::app::App;
use crate::claims::of_message;
use crate::claims::record::ClaimRecord;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::fields::wrong;
use crate::http::{Answer, Caller, Params, Query};
use crate::ids::{MessageId, Micros};
use crate::operation::{Auth, Operation, Param, Scope};
use crate::store::{Script, scripts};

pub static GET_MESSAGE: Operation = Operation {
    id: "getMessage",
    method: "GET",
    path: "/v1/messages/{message_id}",
    tag: "Messages",
    summary: "Get a message's receipt, and wait until it is done",
    about: "The message with its state, holder, attempts, acks, and the result that its ack gave. With wait, the call is held until the \
            message is done (until=claimed: until somebody has it) or never can be (expired, retracted); if the time is up before, you get it as it \
            is: ask again. On a broadcast channel the first ack ends the wait. A retracted message has no content any more.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[
        Param { name: "wait", kind: "number", about: "Seconds to wait for that state; the server caps it." },
        Param { name: "until", kind: "string", about: "done (default) or claimed." },
    ],
    request: None,
    success: (200, Some(schema::of::<Receipt>)),
    also: None,
    scripts: &[&scripts::MESSAGE_RECEIPT, &scripts::MESSAGE_WATCH],
    refusals: &[Code::InvalidField],
};

/// What became of a message.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(untagged)]
pub enum Receipt {
    Message(Box<MessageReceipt>),
    Retracted(RetractedMessage),
}

/// A message, live or in the history, with the result of its ack.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MessageReceipt {
    #[serde(flatten)]
    message: MessageView,
    /// What its ack gave as result; null if none did. Of several (broadcast) the first.
    result: Option<String>,
    result_at: Option<String>,
    /// The name that whoever gave it acts under; for the verified identity see result_by_key_id.
    result_by: Option<ActorRef>,
    result_by_key_id: Option<String>,
}

/// A message that was taken back. Its content is gone.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RetractedMessage {
    id: String,
    channel_id: String,
    state: RetractedState,
    /// Always false.
    active: bool,
    created_at: String,
    expires_at: String,
}

/// The one state of a retracted message.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum RetractedState {
    Retracted,
}

/// What a waiter waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    Claimed,
    Done,
}

/// One read of the store.
#[derive(Debug)]
pub struct Seen {
    pub receipt: Receipt,
    /// Grows when access to the channel changes.
    pub rev: u64,
    pub now: Micros,
    pub expires: Micros,
}

impl Until {
    /// # Errors
    /// `invalid_field`.
    fn read(text: Option<&str>) -> Result<Self> {
        match text {
            None | Some("done") => Ok(Self::Done),
            Some("claimed") => Ok(Self::Claimed),
            Some(_) => Err(wrong(Code::InvalidField, "until", "must be \"done\" or \"claimed\"")),
        }
    }
}

impl Receipt {
    /// Whether the message has come so far, or never will.
    pub fn has_come(&self, until: Until) -> bool {
        let Self::Message(receipt) = self else { return true };
        match receipt.message.state {
            "open" => !receipt.message.acknowledged_by.is_empty(), // a broadcast that somebody acknowledged
            "claimed" => until == Until::Claimed,
            _ => true,
        }
    }
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, query: Query) -> Result<Answer> {
    let id = params.message_id()?;
    let until = Until::read(query.text("until"))?;
    let wait = Wait::seconds(query.seconds("wait")?, &app);
    Answer::ok(&watch::receipt(&app, &caller, &id, until, wait).await?)
}

/// Reads a receipt now. `key` empty: the replica reads for waiters whose access it has checked.
///
/// # Errors
/// `message_not_found`, `channel_access_denied`, or Redis trouble.
pub async fn read(app: &App, script: &'static Script, key: &str, id: &MessageId) -> Result<Seen> {
    let slot = app.keys.channel(id.channel());
    let call = script.on(&slot).arg("key", key).int("n", id.micros().0).may_send_again(true);
    let reply = call.run(&app.redis).await.map_err(of_message)?;
    let (ttl, rev, now) = (reply.uint(0)?, reply.uint(1)?, reply.now());
    let expires = Micros(id.micros().0 + ttl);
    if reply.status() == "retracted" {
        return Ok(Seen { receipt: Receipt::Retracted(RetractedMessage::new(id, expires)), rev, now, expires });
    }
    let stored = Stored::parse_parts(reply.list(2)?).ok_or_else(|| ApiError::internal("a receipt came without its message"))?;
    let record = match reply.str(3)? {
        "" => None,
        text => Some(ClaimRecord::parse(text).ok_or_else(|| ApiError::internal("a claim record is not one of ours"))?),
    };
    let message = stored.view(id.channel(), record, ttl, now)?;
    let message = if message.active { message } else { message.archived() };
    let receipt = MessageReceipt::new(message, &reply.text(4)?)?;
    Ok(Seen { receipt: Receipt::Message(Box::new(receipt)), rev, now, expires })
}

impl MessageReceipt {
    /// `result` as `lua/lib/result.lua` writes it; empty: none.
    fn new(message: MessageView, result: &str) -> Result<Self> {
        if result.is_empty() {
            return Ok(Self { message, result: None, result_at: None, result_by: None, result_by_key_id: None });
        }
        let parts: Vec<&str> = result.splitn(5, SEPARATOR).collect();
        let broken = || ApiError::internal("a result is not one of ours");
        let [key, actor, name, at, text] = parts.try_into().map_err(|_| broken())?;
        Ok(Self {
            message,
            result: Some(text.to_owned()),
            result_at: Some(Micros(at.parse().map_err(|_| broken())?).rfc3339()),
            result_by: Some(ActorRef { id: actor.to_owned(), name: name.to_owned() }),
            result_by_key_id: Some(key.to_owned()),
        })
    }
}

impl RetractedMessage {
    fn new(id: &MessageId, expires: Micros) -> Self {
        Self {
            id: id.to_string(),
            channel_id: id.channel().as_str().to_owned(),
            state: RetractedState::Retracted,
            active: false,
            created_at: id.micros().rfc3339(),
            expires_at: expires.rfc3339(),
        }
    }
}
