//! What the operator may do, by `X-Admin-Token`: keys and channels of others. Minting and the audit have homes of their own.

pub mod delete_channel;
pub mod issue_key;
pub mod pause;
pub mod revoke_key;

use crate::app::App;
use crate::channels::{Record, resolve};
use crate::error::{ApiError, Code, Result};
use crate::ids::{ChannelId, KeyId};
use crate::store::scripts;

/// The channel that an id or alias stands for, whoever owns it, and its owner. Names belong to keys, so none is looked up.
async fn channel(app: &App, word: &str) -> Result<(Record, KeyId)> {
    let word = word.trim();
    let id = match ChannelId::of_word(word) {
        Some(id) => Some(id),
        None if word.chars().count() > crate::channels::settings::MAX_NAME => None,
        None => resolve::alias(app, word).await?,
    };
    let id = id.ok_or_else(|| ApiError::new(Code::ChannelNotFound))?;
    let slot = app.keys.channel(&id);
    let reply = scripts::CHANNEL_READ.on(&slot).arg("key", "").may_send_again(true).run(&app.redis).await?;
    let record = Record::read(&id, &reply, 0)?;
    let owner = KeyId::parse(record.text("owner")).ok_or_else(|| ApiError::internal("a channel's owner is no key id"))?;
    Ok((record, owner))
}
