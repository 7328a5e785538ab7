//! Events: who came into a channel and who left it, and what became of its invitations.

pub mod list;

use deadpool_redis::redis::Value;
use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use crate::ids::{ChannelId, Micros};
use crate::store::reply::text_of;

/// How long an event can be read.
const LIFE_S: u64 = 86_400;

/// One thing that happened.
#[derive(Serialize, ToSchema)]
#[schema(as = ChannelEvent)]
pub struct EventView {
    id: String,
    channel_id: String,
    /// `member_added`, `member_removed` (also: has left), `invitation_resolved` (a member came by an invitation),
    /// `invitation_revoked` or `webhook_disabled` (its target was gone, or had failed for days).
    event_type: String,
    /// The key that did it.
    actor_key_id: String,
    /// The key that came or left.
    subject_key_id: Option<String>,
    invitation_id: Option<String>,
    #[schema(value_type = Object)]
    metadata: serde_json::Value,
    created_at: String,
    expires_at: String,
}

impl EventView {
    /// Reads a stream entry; None when it is broken.
    fn read(channel: &ChannelId, entry: &Value) -> Option<Self> {
        let Value::Array(parts) = entry else { return None };
        let [id, Value::Array(fields)] = parts.as_slice() else { return None };
        let at = Micros(text_of(id)?.strip_suffix("-0")?.parse().ok()?);
        let field = |name: &str| {
            let pair = fields.chunks_exact(2).find(|pair| text_of(&pair[0]).as_deref() == Some(name))?;
            text_of(&pair[1])
        };
        let optional = |name: &str| field(name).filter(|text| !text.is_empty());
        Some(Self {
            id: format!("evt_{}{:016}", &channel.as_str()[3..], at.0),
            channel_id: channel.as_str().to_owned(),
            event_type: field("e")?,
            actor_key_id: field("k")?,
            subject_key_id: optional("s"),
            invitation_id: optional("i"),
            metadata: json!({}),
            created_at: at.rfc3339(),
            expires_at: at.plus_seconds(LIFE_S).rfc3339(),
        })
    }
}
