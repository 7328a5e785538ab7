//! Channels: where messages live. Claimable ones give each message to exactly one agent, broadcast ones show each to everybody.

pub mod alias_remove;
pub mod aliases;
pub mod create;
pub mod delete;
pub mod discover;
pub mod expire;
pub mod listing;
pub mod read;
pub mod resolve;
pub mod settings;
pub mod update;

use std::collections::HashMap;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use url::Url;
use utoipa::ToSchema;

use crate::error::{ApiError, Result};
use crate::ids::{ChannelId, Micros};
use crate::store::Reply;

pub use resolve::NameCache;

/// A channel's record.
#[derive(Serialize, ToSchema)]
#[schema(as = Channel)]
pub struct ChannelView {
    #[schema(example = "ch_7h2kq5w3m4n6p2r5t3vx")]
    id: String,
    #[schema(example = "task-queue")]
    name: String,
    /// `claimable`: each message to exactly one agent. `broadcast`: each to everybody.
    #[schema(example = "claimable")]
    mode: String,
    /// `open`: any key that knows the id. `restricted`: the owner and members.
    #[schema(example = "open")]
    access: String,
    discoverable: bool,
    description: String,
    /// The owner's label, for display.
    owner_id: String,
    created_by_key_id: String,
    #[schema(value_type = Object)]
    metadata_schema: Box<RawValue>,
    pinned_message: Option<String>,
    /// Seconds until a message expires.
    #[schema(example = 86400)]
    ttl_seconds: u64,
    /// Days for which an expired message stays in the history.
    #[schema(example = 7)]
    retention_days: u64,
    /// Ring buffer: the oldest messages are dropped beyond this many. null: the instance's cap.
    max_messages: Option<u64>,
    max_writes_per_minute: Option<u64>,
    /// While true, posting answers 503 `channel_paused`.
    paused: bool,
    aliases: Vec<String>,
    related_channels: Vec<RelatedChannel>,
    created_at: String,
    updated_at: String,
    /// Where new messages are pushed to; shown to the owner only, and never with its secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookView>,
    /// On creation: whether this request made the channel, or found it.
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<bool>,
}

/// A channel that a channel points to.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct RelatedChannel {
    pub id: String,
    pub name: String,
    pub mode: String,
}

/// What the owner sees of a webhook.
#[derive(Serialize, ToSchema)]
pub struct WebhookView {
    /// Host of the URL.
    url_host: String,
    has_secret: bool,
}

/// The fields of a channel's record as the store keeps them.
pub struct Record {
    pub id: ChannelId,
    fields: HashMap<String, String>,
}

impl Record {
    /// Reads value `i` of a reply.
    ///
    /// # Errors
    /// When it is no record.
    pub fn read(id: &ChannelId, reply: &Reply, i: usize) -> Result<Self> {
        Ok(Self { id: id.clone(), fields: reply.pairs(i)?.into_iter().collect() })
    }

    pub fn text(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    pub(super) fn number(&self, name: &str) -> Result<u64> {
        self.text(name).parse().map_err(|_| ApiError::internal(format!("channel {}: {name} is not a number", self.id.as_str())))
    }

    fn optional_number(&self, name: &str) -> Result<Option<u64>> {
        if self.text(name).is_empty() { Ok(None) } else { self.number(name).map(Some) }
    }

    /// The channel's aliases, each ended by \31 in the record.
    pub fn aliases(&self) -> Vec<String> {
        self.text("aliases").split('\u{1f}').filter(|a| !a.is_empty()).map(str::to_owned).collect()
    }

    /// The record as this caller may see it.
    ///
    /// # Errors
    /// When the stored record is broken.
    pub fn view(&self, caller_key: &str) -> Result<ChannelView> {
        let broken = |what: &str| ApiError::internal(format!("channel {}: {what} is not JSON", self.id.as_str()));
        let or_empty = |text: &str, empty: &str| if text.is_empty() { empty.to_owned() } else { text.to_owned() };
        let retention_s = self.number("retention")?;
        Ok(ChannelView {
            id: self.id.as_str().to_owned(),
            name: self.text("name").to_owned(),
            mode: self.text("mode").to_owned(),
            access: self.text("access").to_owned(),
            discoverable: self.text("discoverable") == "1",
            description: self.text("description").to_owned(),
            owner_id: self.text("owner_label").to_owned(),
            created_by_key_id: self.text("owner").to_owned(),
            metadata_schema: RawValue::from_string(or_empty(self.text("metadata_schema"), "{}")).map_err(|_| broken("metadata_schema"))?,
            pinned_message: self.fields.get("pinned_message").filter(|p| !p.is_empty()).cloned(),
            ttl_seconds: self.number("ttl")?,
            retention_days: retention_s / 86_400,
            max_messages: self.optional_number("max_messages")?,
            max_writes_per_minute: self.optional_number("max_writes_per_minute")?,
            paused: self.text("paused") == "1",
            aliases: self.aliases(),
            related_channels: serde_json::from_str(&or_empty(self.text("related_channels"), "[]"))
                .map_err(|_| broken("related_channels"))?,
            created_at: Micros(self.number("created")?).rfc3339(),
            updated_at: Micros(self.number("updated")?).rfc3339(),
            webhook: (caller_key == self.text("owner")).then(|| self.webhook()).flatten(),
            created: None,
        })
    }

    fn webhook(&self) -> Option<WebhookView> {
        let url = Url::parse(self.text("webhook_url")).ok()?;
        Some(WebhookView { url_host: url.host_str()?.to_owned(), has_secret: !self.text("webhook_secret").is_empty() })
    }
}

impl ChannelView {
    /// Says on creation whether the channel is new.
    pub fn made_now(mut self, created: bool) -> Self {
        self.created = Some(created);
        self
    }
}
