//! `POST /v1/actors`

use axum::extract::State;
use http::StatusCode;
use utoipa::ToSchema;

use super::{ActorView, is_actor_name, read};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::fields::wrong;
use crate::http::{Answer, Body, Caller, Fields, Once};
use crate::ids::ActorId;
use crate::messages::MAX_METADATA_BYTES;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static CREATE_ACTOR: Operation = Operation {
    id: "createActor",
    method: "POST",
    path: "/v1/actors",
    tag: "Actors",
    summary: "Create an actor",
    about: "A name to act under. Creating a name you have returns that actor (200), so a worker may call this at every start.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesWrite)),
    query: &[],
    request: Some(schema::of::<CreateActor>),
    success: (201, Some(schema::of::<ActorView>)),
    also: Some(200),
    scripts: &[&scripts::ACTOR_REGISTER, &scripts::ACTOR_READ],
    refusals: &[Code::MissingField, Code::InvalidString, Code::InvalidActorName, Code::InvalidObject, Code::MetadataTooLarge],
};

/// What to send.
#[derive(ToSchema)]
pub struct CreateActor {
    /// 1 to 128 characters.
    #[schema(example = "worker-1", max_length = 128)]
    pub name: String,
    #[schema(default = "", max_length = 2000)]
    pub description: Option<String>,
    /// Anything of yours, at most 16 KiB of JSON.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<String>,
}

impl CreateActor {
    fn read(fields: &Fields) -> Result<Self> {
        let name = fields.required_text("name")?;
        if !is_actor_name(&name) {
            return Err(ApiError::new(Code::InvalidActorName).field("name"));
        }
        let description = fields.text("description")?;
        if description.as_ref().is_some_and(|d| d.len() > 2000) {
            return Err(wrong(Code::InvalidString, "description", "has at most 2000 bytes"));
        }
        let metadata = fields.object("metadata")?;
        if metadata.as_ref().is_some_and(|m| m.len() > MAX_METADATA_BYTES) {
            return Err(ApiError::new(Code::MetadataTooLarge).field("metadata"));
        }
        Ok(Self { name, description, metadata })
    }
}

/// An actor that may be registered.
pub(crate) struct New<'a> {
    pub name: &'a str,
    pub description: &'a str,
    pub metadata: &'a str,
}

impl<'a> New<'a> {
    /// Nothing but a name.
    pub fn named(name: &'a str) -> Self {
        Self { name, description: "", metadata: "" }
    }
}

/// How a registration ended.
pub(crate) struct Outcome {
    /// It was made by this request, or by the one whose answer this repeats.
    pub created: bool,
    pub replayed: bool,
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let ask = CreateActor::read(&body.fields)?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let new =
        New { name: &ask.name, description: ask.description.as_deref().unwrap_or(""), metadata: ask.metadata.as_deref().unwrap_or("") };
    let (id, outcome) = register(&app, &caller, &new, &once).await?;
    let view = read::record(&app, &id).await?.view(&id)?;
    let status = if outcome.created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(Answer::json(status, &view)?.once(&once, outcome.replayed))
}

pub(crate) async fn register(app: &App, caller: &Caller, new: &New<'_>, once: &Once) -> Result<(ActorId, Outcome)> {
    let slot = app.keys.key(&caller.key);
    let id = ActorId::generate(&caller.key.slot());
    let reply = scripts::ACTOR_REGISTER
        .on(&slot)
        .key("record", caller.key.as_str())
        .key("actors", caller.key.as_str())
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("owner_label", &caller.admitted.label)
        .arg("name", new.name)
        .arg("id", id.as_str())
        .arg("description", new.description)
        .arg("metadata", new.metadata)
        .int("cap", app.settings.max_actors_per_key)
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true) // the same name is the same actor
        .run(&app.redis)
        .await?;
    let id = ActorId::parse(&reply.text(0)?).ok_or_else(|| ApiError::internal("an actor name stands for no actor id"))?;
    let replayed = reply.status() == "replayed";
    let created = reply.status() == "created" || (replayed && reply.int(1)? == 1);
    Ok((id, Outcome { created, replayed }))
}
