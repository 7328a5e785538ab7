//! A page of a channel's outbox, by a plain command: as an answer of a script each entry would be made into tables of Lua first, which costs Redis
//! more than reading it.

use deadpool_redis::redis::{Value, cmd};

use super::Slot;
use super::redis::Redis;
use crate::error::ApiError;

/// At most `count` entries of the outbox of this channel's slot, oldest first; `after`: those behind the entry of this id. May be asked twice.
///
/// # Errors
/// Redis trouble.
pub async fn page(redis: &Redis, channel: &Slot, after: Option<&str>, count: u64) -> Result<Vec<Value>, ApiError> {
    let key = channel.key("outbox").ok_or_else(|| ApiError::internal("the slot has no outbox"))?;
    let mut command = cmd("XRANGE");
    command.arg(key).arg(after.map_or_else(|| "-".to_owned(), |id| format!("({id}"))).arg("+").arg("COUNT").arg(count);
    match redis.send(&command).await {
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => Err(ApiError::internal("an outbox is not a list of entries")),
        Err(failure) => Err(failure.into_api_error(true)),
    }
}
