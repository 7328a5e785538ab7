//! `PUT /v1/keys/me/scopes`: narrowing what the calling key may do.

use axum::extract::State;
use futures::FutureExt;
use serde::Serialize;
use utoipa::ToSchema;

use super::change::change;
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Answer, Body, Caller, Fields, Once};
use crate::ids::Micros;
use crate::operation::{Auth, Operation, Scope};
use crate::store::scripts;

pub static SET_KEY_SCOPES: Operation = Operation {
    id: "setKeyScopes",
    method: "PUT",
    path: "/v1/keys/me/scopes",
    tag: "Keys",
    summary: "Narrow the scopes of the calling key",
    about: "A key begins unrestricted and can only give scopes up, never get them back. Give a narrowed key to code you trust less.",
    deprecated: None,
    auth: Auth::Key(None),
    query: &[],
    request: Some(schema::of::<SetScopes>),
    success: (200, Some(schema::of::<KeyScopes>)),
    also: None,
    scripts: &[&scripts::KEY_ANNOUNCE, &scripts::KEY_SET_SCOPES],
    refusals: &[Code::InvalidScopes],
};

/// What to send.
#[derive(ToSchema)]
pub struct SetScopes {
    /// Out of channels:manage, channels:read, channels:write, messages:ack, messages:claim, messages:read, messages:write.
    #[schema(example = json!(["messages:claim", "messages:ack"]))]
    pub scopes: Vec<String>,
}

/// What the key may do now.
#[derive(Serialize, ToSchema)]
pub struct KeyScopes {
    key_id: String,
    scopes: Vec<&'static str>,
}

/// The scopes sent, known, sorted and each once.
fn read(fields: &Fields) -> Result<Vec<&'static str>> {
    let sent = fields.texts("scopes", Code::InvalidScopes, 100)?.ok_or_else(|| ApiError::new(Code::InvalidScopes).field("scopes"))?;
    let mut scopes = Vec::new();
    for word in sent {
        let known = Scope::ALL.iter().find(|s| s.word() == word.trim());
        scopes.push(
            known.ok_or_else(|| ApiError::new(Code::InvalidScope).field("scopes").with("scope", word).with("allowed", allowed()))?.word(),
        );
    }
    scopes.sort_unstable();
    scopes.dedup();
    Ok(scopes)
}

fn allowed() -> Vec<&'static str> {
    Scope::ALL.iter().map(|s| s.word()).collect()
}

pub async fn handle(State(app): State<App>, caller: Caller, body: Body) -> Result<Answer> {
    let scopes = read(&body.fields)?;
    let once = Once::of(&caller, &body, app.settings.auto_idempotency_s);
    let slot = app.keys.key(&caller.key);
    let joined = scopes.join(",");
    let set = |announced: Micros| {
        let call = scripts::KEY_SET_SCOPES
            .on(&slot)
            .key("record", caller.key.as_str())
            .key("idem", &once.name)
            .arg("scopes", &joined)
            .int("announced", announced.0)
            .int("idem_ms", once.ms)
            .arg("body", &once.body);
        call.may_send_again(true).run(&app.redis).boxed()
    };
    let reply = change(&app, &caller.key, set).await.map_err(|e| if e.code() == Code::InvalidScope { e.field("scopes") } else { e })?;
    Ok(Answer::ok(&KeyScopes { key_id: caller.key.as_str().to_owned(), scopes })?.once(&once, reply.status() == "replayed"))
}
