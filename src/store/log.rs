//! Messages of a channel and their claim records, by plain commands: as an answer of a script each would be made into tables of Lua first, which costs
//! Redis more than reading them.

use deadpool_redis::redis::{Cmd, Value, cmd};
use futures::future::try_join_all;

use super::Slot;
use super::redis::Redis;
use super::reply::str_of;
use crate::error::ApiError;
use crate::ids::Micros;

/// Entries of a log, by their numbers.
#[derive(Debug, Default)]
pub struct Picked(Vec<(Micros, Value)>);

impl Picked {
    /// None: it was retracted or trimmed, or never was.
    pub fn get(&self, number: Micros) -> Option<&Value> {
        self.0.binary_search_by_key(&number, |(n, _)| *n).ok().map(|i| &self.0[i].1)
    }
}

/// The messages of these numbers, in whatever order they are given; at most 64. May be asked twice. Those of a busy channel follow each other: as many as
/// are asked for, from the lowest on, are most or all of them, and the others are read one by one.
///
/// # Errors
/// Redis trouble.
pub async fn pick(redis: &Redis, channel: &Slot, numbers: &[Micros]) -> Result<Picked, ApiError> {
    let (Some(lowest), Some(highest)) = (numbers.iter().min(), numbers.iter().max()) else { return Ok(Picked::default()) };
    let key = channel.key("log").ok_or_else(|| ApiError::internal("the slot has no log"))?;
    let mut found = range(redis, &key, *lowest, *highest, numbers.len()).await?;
    // A page that is not full ends where the range ends.
    let end = if found.len() < numbers.len() { *highest } else { found.last().map_or(*highest, |(number, _)| *number) };
    let behind = numbers.iter().filter(|number| **number > end).map(|number| range(redis, &key, *number, *number, 1));
    let behind = try_join_all(behind).await?;
    if !behind.is_empty() {
        found.extend(behind.into_iter().flatten());
        found.sort_by_key(|(number, _)| *number);
    }
    Ok(Picked(found))
}

/// The claim records of these messages, in their order; nil where there is none. May be asked twice.
///
/// # Errors
/// Redis trouble.
pub async fn records(redis: &Redis, channel: &Slot, numbers: &[Micros]) -> Result<Vec<Value>, ApiError> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let key = channel.key("claims").ok_or_else(|| ApiError::internal("the slot has no claims"))?;
    let mut command = cmd("HMGET");
    command.arg(key);
    for number in numbers {
        command.arg(number.0);
    }
    list(redis, &command).await
}

async fn range(redis: &Redis, log: &str, from: Micros, to: Micros, count: usize) -> Result<Vec<(Micros, Value)>, ApiError> {
    let mut command = cmd("XRANGE");
    command.arg(log).arg(format!("{}-0", from.0)).arg(format!("{}-0", to.0)).arg("COUNT").arg(count);
    let entries = list(redis, &command).await?;
    entries
        .into_iter()
        .map(|entry| Some((number_of(&entry)?, entry)))
        .collect::<Option<_>>()
        .ok_or_else(|| ApiError::internal("a stream entry is not one of ours"))
}

fn number_of(entry: &Value) -> Option<Micros> {
    let Value::Array(parts) = entry else { return None };
    Some(Micros(str_of(parts.first()?)?.strip_suffix("-0")?.parse().ok()?))
}

async fn list(redis: &Redis, command: &Cmd) -> Result<Vec<Value>, ApiError> {
    match redis.send(command).await {
        Ok(Value::Array(list)) => Ok(list),
        Ok(_) => Err(ApiError::internal("what was read of a log is not a list")),
        Err(failure) => Err(failure.into_api_error(true)),
    }
}
