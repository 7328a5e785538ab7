//! `GET /v1/admin/quotas`

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::amounts::{Amounts, limits, used_by};
use crate::app::App;
use crate::discovery::schema;
use crate::error::{ApiError, Code, Result};
use crate::http::{Admin, Answer, Query};
use crate::ids::KeyId;
use crate::operation::{Auth, Operation, Param};
use crate::store::scripts;

pub static ADMIN_QUOTAS: Operation = Operation {
    id: "adminQuotas",
    method: "GET",
    path: "/v1/admin/quotas",
    tag: "Admin",
    summary: "Show the limits of the instance, and what it or one key uses of them",
    about: "Limits are settings; each key has the same. With key_id also what that key uses, as it sees it in GET /v1/account/usage. \
            Memory is that of the fullest node of Redis, as the replica that answers saw it within the last second; waiters are its own.",
    deprecated: None,
    auth: Auth::Admin,
    query: &[Param { name: "key_id", kind: "string", about: "A key, by its id." }],
    request: None,
    success: (200, Some(schema::of::<Quotas>)),
    also: None,
    scripts: &[&scripts::KEY_READ, &scripts::USAGE_OVERVIEW, &scripts::USAGE_ADD, &scripts::USAGE_LEASES, &scripts::USAGE_HOLDINGS],
    refusals: &[Code::InvalidKeyId],
};

/// The limits of an instance, and what is used.
#[derive(Serialize, ToSchema)]
pub struct Quotas {
    /// Of each key; null: no limit.
    limits: Amounts,
    instance: InstanceUse,
    /// null unless key_id was given.
    key: Option<KeyUse>,
}

/// What is limited for the instance as a whole.
#[derive(Serialize, ToSchema)]
pub struct InstanceUse {
    /// Memory that the fullest node of Redis uses.
    redis_bytes: u64,
    /// Above it what adds something is answered with storage_full; null: no limit.
    redis_bytes_limit: Option<u64>,
    /// Requests that wait on this replica.
    waiters: u64,
    waiters_limit: u64,
}

/// What a key uses.
#[derive(Serialize, ToSchema)]
pub struct KeyUse {
    key_id: String,
    agent_label: String,
    used: Amounts,
    bytes_in_owned_channels: u64,
    channels_counted: u64,
}

pub async fn handle(State(app): State<App>, _: Admin, query: Query) -> Result<Answer> {
    let key = match query.text("key_id") {
        Some(word) => Some(of_key(&app, word).await?),
        None => None,
    };
    Answer::ok(&Quotas {
        limits: limits(&app),
        instance: InstanceUse {
            redis_bytes: app.capacity.used(),
            redis_bytes_limit: app.capacity.limit(),
            waiters: app.waiting.all() as u64,
            waiters_limit: app.settings.longpoll_max_waiters as u64,
        },
        key,
    })
}

async fn of_key(app: &App, word: &str) -> Result<KeyUse> {
    let key = KeyId::parse(word).ok_or_else(|| ApiError::new(Code::InvalidKeyId).field("key_id"))?;
    let slot = app.keys.key(&key);
    let label = scripts::KEY_READ.on(&slot).key("record", key.as_str()).may_send_again(true).run(&app.redis).await?.text(0)?;
    let (used, held) = used_by(app, &key).await?;
    Ok(KeyUse {
        key_id: key.as_str().to_owned(),
        agent_label: label,
        used,
        bytes_in_owned_channels: held.bytes,
        channels_counted: held.channels,
    })
}
