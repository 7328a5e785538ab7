//! The settings of a channel as callers send them, for create and update alike: read, checked, and named as the record names them.

use crate::app::App;
use crate::error::{ApiError, Code, Result};
use crate::http::Fields;
use crate::http::fields::wrong;
use crate::names;
use crate::schemas::Schema;
use crate::webhooks::check_secret;
use crate::webhooks::guard::Guard;
use crate::webhooks::url::{check_leads_outside, check_webhook_url};

/// Longest channel name or alias, in characters.
pub const MAX_NAME: usize = 200;
/// Longest `ttl_seconds`: 30 days (protocol, chapter 4).
const MAX_TTL_S: u64 = 2_592_000;
/// Longest description or pinned message, in bytes.
const MAX_TEXT_BYTES: usize = 10_000;
const MAX_SCHEMA_BYTES: usize = 16_384;
const MAX_RELATED: usize = 20;

/// Name and value of a record's fields.
pub type Changes = Vec<(&'static str, String)>;

/// The channel name that was sent.
///
/// # Errors
/// `missing_field`, `invalid_string`, `invalid_channel_name`.
pub fn name(fields: &Fields) -> Result<String> {
    checked_name(fields.required_text("name")?)
}

/// A channel name that may be one.
///
/// # Errors
/// `invalid_channel_name`.
pub fn checked_name(name: String) -> Result<String> {
    if names::is_name(&name, MAX_NAME) && crate::ids::ChannelId::of_word(&name).is_none() {
        Ok(name)
    } else {
        Err(ApiError::new(Code::InvalidChannelName).field("name"))
    }
}

/// `mode`, if sent.
///
/// # Errors
/// `invalid_mode`.
pub fn mode(fields: &Fields) -> Result<Option<String>> {
    one_of(fields, "mode", &["claimable", "broadcast"], Code::InvalidMode)
}

/// `access`, if sent.
///
/// # Errors
/// `invalid_access`.
pub fn access(fields: &Fields) -> Result<Option<String>> {
    one_of(fields, "access", &["open", "restricted"], Code::InvalidAccess)
}

/// How long messages live, in seconds.
///
/// # Errors
/// `invalid_ttl_seconds`.
pub fn ttl_s(fields: &Fields, app: &App) -> Result<u64> {
    Ok(fields.integer("ttl_seconds", Code::InvalidTtlSeconds, app.settings.min_ttl_s, MAX_TTL_S)?.unwrap_or(app.settings.default_ttl_s))
}

/// The fields that may come with creation and with a change; only those that were sent. A null clears.
///
/// # Errors
/// The code of the field that is wrong.
pub fn changes(fields: &Fields) -> Result<Changes> {
    let mut changes = Changes::new();
    if let Some(on) = fields.boolean("discoverable", Code::InvalidDiscoverable)? {
        changes.push(("discoverable", flag(on)));
    }
    for name in ["description", "pinned_message"] {
        if fields.has(name) {
            changes.push((name, note(fields, name)?));
        }
    }
    if fields.has("metadata_schema") {
        let (schema, fingerprint) = metadata_schema(fields)?;
        changes.extend([("metadata_schema", schema), ("schema_rev", fingerprint)]);
    }
    if let Some(days) = fields.integer("retention_days", Code::InvalidRetentionDays, 1, 365)? {
        changes.push(("retention", (days * 86_400).to_string()));
    }
    for (name, code) in [("max_messages", Code::InvalidMaxMessages), ("max_writes_per_minute", Code::InvalidMaxWritesPerMinute)] {
        if fields.has(name) {
            changes.push((name, fields.integer(name, code, 1, 1_000_000)?.map(|n| n.to_string()).unwrap_or_default()));
        }
    }
    if let Some(on) = fields.boolean("paused", Code::InvalidField)? {
        changes.push(("paused", flag(on)));
    }
    if fields.has("webhook_url") {
        changes
            .push(("webhook_url", fields.text("webhook_url")?.filter(|u| !u.is_empty()).map(webhook_url).transpose()?.unwrap_or_default()));
    }
    if fields.has("webhook_secret") {
        changes.push(("webhook_secret", check_secret("webhook_secret", fields.text("webhook_secret")?.unwrap_or_default())?));
    }
    Ok(changes)
}

/// Whether a set of fields gives the channel a webhook.
pub fn sets_webhook(fields: &Changes) -> bool {
    fields.iter().any(|(name, value)| *name == "webhook_url" && !value.is_empty())
}

/// A description or pinned message; empty if absent.
///
/// # Errors
/// `invalid_string`.
pub fn note(fields: &Fields, name: &str) -> Result<String> {
    bounded(name, fields.text(name)?.unwrap_or_default())
}

/// The words that `related_channels` names, if it was sent; a null is the empty list.
///
/// # Errors
/// `invalid_related_channels`.
pub fn related(fields: &Fields) -> Result<Option<Vec<String>>> {
    if !fields.has("related_channels") {
        return Ok(None);
    }
    fields.texts("related_channels", Code::InvalidRelatedChannels, MAX_RELATED).map(|list| Some(list.unwrap_or_default()))
}

fn one_of(fields: &Fields, name: &str, allowed: &[&str], code: Code) -> Result<Option<String>> {
    match fields.text(name).map_err(|_| ApiError::new(code).field(name))? {
        None => Ok(None),
        Some(word) if allowed.contains(&word.as_str()) => Ok(Some(word)),
        Some(_) => Err(ApiError::new(code).field(name)),
    }
}

/// The schema, and its fingerprint; that is empty where it rejects nothing.
fn metadata_schema(fields: &Fields) -> Result<(String, String)> {
    let refused = |why: String| ApiError::new(Code::InvalidMetadataSchema).field("metadata_schema").because(why);
    let schema =
        fields.object("metadata_schema").map_err(|e| refused(e.body("", "")["message"].as_str().unwrap_or_default().to_owned()))?;
    let Some(schema) = schema else { return Ok(Default::default()) };
    if schema.len() > MAX_SCHEMA_BYTES {
        return Err(refused(format!("`metadata_schema` has {} bytes, at most {MAX_SCHEMA_BYTES} are taken.", schema.len())));
    }
    let compiled = Schema::compile(&schema).map_err(|why| refused(format!("`metadata_schema` cannot be used. {why}")))?;
    Ok((schema, compiled.map(|c| c.fingerprint().to_owned()).unwrap_or_default()))
}

/// Refuses a webhook that leads where this instance pushes nothing to.
///
/// # Errors
/// `invalid_webhook_url`.
pub fn check_webhook(changes: &Changes, guard: &Guard) -> Result<()> {
    let url = changes.iter().find(|(name, url)| *name == "webhook_url" && !url.is_empty());
    url.map_or(Ok(()), |(_, url)| check_leads_outside(guard, "webhook_url", url))
}

fn webhook_url(text: String) -> Result<String> {
    check_webhook_url(&text).map_err(|e| e.field("webhook_url"))?;
    Ok(text)
}

fn bounded(name: &str, text: String) -> Result<String> {
    if text.len() > MAX_TEXT_BYTES {
        Err(wrong(Code::InvalidString, name, &format!("has at most {MAX_TEXT_BYTES} bytes")))
    } else {
        Ok(text)
    }
}

fn flag(on: bool) -> String {
    if on { "1" } else { "0" }.to_owned()
}
