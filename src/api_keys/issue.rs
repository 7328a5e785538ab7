//! `POST /v1/keys`: a key for whoever asks, no signup.

use std::net::IpAddr;

use axum::extract::{FromRequest, Request, State};
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::MAX_LABEL;
use crate::app::App;
use crate::audit::{self, Event, Kind};
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::fields::wrong;
use crate::http::{Answer, Body, Context, Fields, address};
use crate::ids::{ActorId, KeyId, KeySlot, PresentedKey};
use crate::names;
use crate::operation::{Auth, Operation};
use crate::sandbox;
use crate::store::scripts;

pub static ISSUE_KEY: Operation = Operation {
    id: "issueKey",
    method: "POST",
    path: "/v1/keys",
    tag: "Keys",
    summary: "Get an API key at once, without signup",
    about: "Answers `key`: keep it, it is shown only this once, and send it as X-API-Key on every other call. It does not expire. \
            The label must not be in use by an active key. Mints are limited per client address.",
    deprecated: None,
    auth: Auth::Public,
    query: &[],
    request: Some(schema::of::<IssueKey>),
    success: (201, Some(schema::of::<IssuedKey>)),
    also: None,
    scripts: &[&scripts::KEY_MINT_GATE, &scripts::KEY_CREATE],
    refusals: &[Code::MissingField, Code::InvalidString],
};

/// What to send.
#[derive(ToSchema)]
pub struct IssueKey {
    /// Who you are, in your own words: 1 to 128 characters. Add a random suffix if it may be taken.
    #[schema(example = "research-agent-01", max_length = 128)]
    pub agent_label: String,
}

/// A new key.
#[derive(Serialize, ToSchema)]
pub struct IssuedKey {
    /// The key itself. It cannot be shown again.
    #[schema(example = "bck_abc….secret")]
    key: String,
    key_id: String,
    /// Always null: keys do not expire.
    expires_at: Option<String>,
    agent_label: String,
    owner_id: String,
    /// Requests per window; 0: unlimited.
    rate_limit: u64,
    rate_limit_window_seconds: u64,
}

impl IssueKey {
    /// # Errors
    /// `missing_field`, `invalid_string`.
    pub fn read(fields: &Fields) -> Result<Self> {
        let label = fields
            .text("agent_label")?
            .filter(|l| !l.is_empty())
            .ok_or_else(|| wrong(Code::MissingField, "agent_label", "is required and must not be blank"))?;
        if label.chars().count() > MAX_LABEL || !names::is_plain(&label) {
            return Err(wrong(
                Code::InvalidString,
                "agent_label",
                "has at most 128 characters, none of them control or invisible characters",
            ));
        }
        Ok(Self { agent_label: label })
    }
}

/// The mint limit counts before the body is read, so that guessing labels is no cheaper than minting.
pub async fn handle(State(app): State<App>, context: Context, request: Request) -> Result<Answer> {
    let client = address::limit_group(context.client()).to_string();
    let mint = app.keys.mint();
    scripts::KEY_MINT_GATE
        .on(&mint)
        .key("window", client)
        .int("most", app.settings.key_mint_limit)
        .int("window_ms", app.settings.key_mint_window_s * 1000)
        .run(&app.redis)
        .await?;
    let label = IssueKey::read(&Body::from_request(request, &app).await?.fields)?.agent_label;
    let issued = issue(&app, &label, Kind::KeyIssue, context.client()).await?;
    Answer::created(&issued)
}

/// Makes a key, with an event of this kind in its audit and in the instance's.
///
/// # Errors
/// `label_in_use`, `storage_full`, or Redis trouble.
pub async fn issue(app: &App, label: &str, kind: Kind, from: IpAddr) -> Result<IssuedKey> {
    app.capacity.check()?;
    if sandbox::keeps_label(app, label) {
        return Err(ApiError::new(Code::LabelInUse).field("agent_label"));
    }
    let id = KeyId::generate(label);
    let (key, kept) = PresentedKey::mint(id.clone());
    let actor = ActorId::generate(&KeySlot::of_label(label));
    let event = Event::new(kind, Some(&id), None, from, &json!({ "agent_label": label }));
    let slot = app.keys.key(&id);
    let call = scripts::KEY_CREATE
        .on(&slot)
        .key("record", id.as_str())
        .key("actors", id.as_str())
        .key("audit", id.as_str())
        .arg("key", id.as_str())
        .arg("label", label)
        .arg("digest", &kept.digest)
        .arg("actor_id", actor.as_str());
    let done = event.of_key(call, app).run(&app.redis).await;
    done.map_err(|e| if e.code() == Code::LabelInUse { ApiError::new(Code::LabelInUse).field("agent_label") } else { e })?;
    audit::tell(app, None, event).await;
    Ok(IssuedKey {
        key,
        key_id: id.as_str().to_owned(),
        expires_at: None,
        agent_label: label.to_owned(),
        owner_id: label.to_owned(),
        rate_limit: app.settings.rate_limit,
        rate_limit_window_seconds: app.settings.rate_limit_window_s,
    })
}
