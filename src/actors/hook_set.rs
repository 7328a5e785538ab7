//! `POST /v1/actors/{identifier}/webhook`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::resolve;
use crate::app::{App, tell_of_changed_names};
use crate::discovery::schema;
use crate::error::{Code, Result};
use crate::http::{Answer, Body, Caller, Fields, Once, Params};
use crate::ids::{ActorId, Micros};
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;
use crate::webhooks::check_secret;
use crate::webhooks::url::{check_leads_outside, check_webhook_url};

pub static SET_ACTOR_WEBHOOK: Operation = Operation {
    id: "setActorWebhook",
    method: "POST",
    path: "/v1/actors/{identifier}/webhook",
    tag: "Actors",
    summary: "Set where an actor is told of what mentions it",
    about: "Owner only. Takes the place of what was set before: without `secret` there is none any more. The secret is never shown again. It is \
            a way to read, so it takes the scope for reading.",
    deprecated: None,
    auth: Auth::Key(Some(Scope::MessagesRead)),
    query: &[],
    request: Some(schema::of::<SetActorWebhook>),
    success: (200, Some(schema::of::<ActorWebhookView>)),
    also: None,
    scripts: &[&scripts::ACTOR_FIND, &scripts::ACTOR_HOOK_SET],
    refusals: &[Code::MissingField, Code::InvalidString, Code::InvalidWebhookUrl],
};

/// What to send.
#[derive(ToSchema)]
pub struct SetActorWebhook {
    /// http or https, at most 2,048 bytes.
    #[schema(example = "https://my-agent.example/backchannel-hook", max_length = 2048)]
    pub url: String,
    /// At most 512 bytes.
    #[schema(max_length = 512)]
    pub secret: Option<String>,
}

impl SetActorWebhook {
    fn read(fields: &Fields) -> Result<Self> {
        let url = fields.required_text("url")?;
        check_webhook_url(&url).map_err(|e| e.field("url"))?;
        let secret = fields.text("secret")?.map(|s| check_secret("secret", s)).transpose()?;
        Ok(Self { url, secret: secret.filter(|s| !s.is_empty()) })
    }
}

/// An actor's webhook, as its owner sees it.
#[derive(Serialize, ToSchema)]
#[schema(as = ActorWebhook)]
pub struct ActorWebhookView {
    actor_id: String,
    url: String,
    has_secret: bool,
    updated_at: String,
}

impl ActorWebhookView {
    pub(super) fn new(id: &ActorId, url: String, has_secret: bool, updated: Micros) -> Self {
        Self { actor_id: id.as_str().to_owned(), url, has_secret, updated_at: updated.rfc3339() }
    }
}

pub async fn handle(State(app): State<App>, caller: Caller, params: Params, body: Body) -> Result<Answer> {
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let id = resolve::identify(&app, &caller, params.text("identifier")?, &once).await?;
    let ask = SetActorWebhook::read(&body.fields)?;
    check_leads_outside(&app.webhook_guard, "url", &ask.url)?;
    let slot = app.keys.actor(&id);
    let reply = scripts::ACTOR_HOOK_SET
        .on(&slot)
        .key("idem", &once.name)
        .arg("key", caller.key.as_str())
        .arg("id", id.as_str())
        .arg("url", &ask.url)
        .arg("secret", ask.secret.as_deref().unwrap_or_default())
        .int("idem_ms", once.ms)
        .arg("body", &once.body)
        .may_send_again(true) // the same webhook again is the same webhook
        .run(&app.redis)
        .await?;
    tell_of_changed_names(&app).await;
    let view = ActorWebhookView::new(&id, ask.url, ask.secret.is_some(), reply.micros(0)?);
    Ok(Answer::ok(&view)?.once(&once, reply.status() == "replayed"))
}
