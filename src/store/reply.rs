//! Answers of scripts: a status word, Redis' time, then values in the order the script's header gives; packed or as a list.

use deadpool_redis::redis::Value;

use super::packed::unpack;
use crate::error::ApiError;
use crate::ids::Micros;

/// One decoded answer. Accessors fail with a fault when a script broke its own header.
#[derive(Debug)]
pub struct Reply {
    script: &'static str,
    status: String,
    now: Micros,
    history: Option<String>,
    /// Status and time, then what follows them.
    values: Vec<Value>,
}

/// Where values begin.
const FIRST: usize = 2;

impl Reply {
    /// # Errors
    /// When the answer is not a list, packed or not, that starts with a word and a time.
    pub fn decode(script: &'static str, first_word: &str, value: Value) -> Result<Self, ApiError> {
        let value = if let Value::BulkString(packed) = &value { unpack(first_word, packed) } else { Some(value) };
        let Some(Value::Array(mut values)) = value else {
            return Err(ApiError::internal(format!("{script}: answered no list")));
        };
        if values.len() < FIRST {
            return Err(ApiError::internal(format!("{script}: answered a list without status and time")));
        }
        let status = match std::mem::replace(&mut values[0], Value::Nil) {
            Value::BulkString(word) => String::from_utf8(word).ok(),
            other => text_of(&other),
        };
        let now = int_of(&values[1]).and_then(|now| u64::try_from(now).ok());
        match (status, now) {
            (Some(status), Some(now)) => Ok(Self { script, status, now: Micros(now), history: None, values }),
            _ => Err(ApiError::internal(format!("{script}: answered no status, or no time"))),
        }
    }

    /// The word the script answered with.
    pub fn status(&self) -> &str {
        &self.status
    }

    /// Redis' time inside the script.
    pub fn now(&self) -> Micros {
        self.now
    }

    /// The history of writes it became part of, where replicas are to confirm it.
    pub(super) fn history(&self) -> Option<&str> {
        self.history.as_deref()
    }

    pub(super) fn in_history(mut self, history: Option<String>) -> Self {
        self.history = history;
        self
    }

    /// A fault: the script answered with a word that its caller does not know.
    pub fn unexpected(&self) -> ApiError {
        ApiError::internal(format!("{}: unexpected status {}", self.script, self.status))
    }

    /// How many values follow the status and time.
    pub fn len(&self) -> usize {
        self.values.len() - FIRST
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Value `i` as text; nil is the empty text.
    ///
    /// # Errors
    /// When it is something else, or not there.
    pub fn text(&self, i: usize) -> Result<String, ApiError> {
        text_of(self.value(i)?).ok_or_else(|| self.wrong(i, "text"))
    }

    /// Value `i` as text where it stands; nil is the empty text.
    ///
    /// # Errors
    /// When it is something else, or not there.
    pub fn str(&self, i: usize) -> Result<&str, ApiError> {
        str_of(self.value(i)?).ok_or_else(|| self.wrong(i, "text"))
    }

    /// Value `i` as an integer, also where Redis gives it as text.
    ///
    /// # Errors
    /// When it is something else, or not there.
    pub fn int(&self, i: usize) -> Result<i64, ApiError> {
        int_of(self.value(i)?).ok_or_else(|| self.wrong(i, "an integer"))
    }

    /// Value `i` as a number that is not negative.
    ///
    /// # Errors
    /// When it is something else, or not there.
    pub fn uint(&self, i: usize) -> Result<u64, ApiError> {
        u64::try_from(self.int(i)?).map_err(|_| self.wrong(i, "not negative"))
    }

    /// Value `i` as a time.
    ///
    /// # Errors
    /// When it is something else, or not there.
    pub fn micros(&self, i: usize) -> Result<Micros, ApiError> {
        self.uint(i).map(Micros)
    }

    /// Value `i` as a list.
    ///
    /// # Errors
    /// When it is something else, or not there.
    pub fn list(&self, i: usize) -> Result<&[Value], ApiError> {
        match self.value(i)? {
            Value::Array(list) => Ok(list),
            _ => Err(self.wrong(i, "a list")),
        }
    }

    /// Value `i` as pairs of text (a hash).
    ///
    /// # Errors
    /// When it is something else, or not there.
    pub fn pairs(&self, i: usize) -> Result<Vec<(String, String)>, ApiError> {
        let list = self.list(i)?;
        list.chunks_exact(2)
            .map(|p| Some((text_of(&p[0])?, text_of(&p[1])?)))
            .collect::<Option<_>>()
            .ok_or_else(|| self.wrong(i, "pairs of text"))
    }

    /// Value `i` as Redis sent it.
    ///
    /// # Errors
    /// When it is not there.
    pub fn value(&self, i: usize) -> Result<&Value, ApiError> {
        self.values.get(FIRST + i).ok_or_else(|| self.wrong(i, "there"))
    }

    fn wrong(&self, i: usize, what: &str) -> ApiError {
        ApiError::internal(format!("{}: value {i} of `{}` is not {what}", self.script, self.status))
    }
}

fn int_of(value: &Value) -> Option<i64> {
    match value {
        Value::Int(n) => Some(*n),
        other => str_of(other)?.parse().ok(),
    }
}

/// Text of a Redis value where it stands; nil is the empty text. None for lists, numbers, and bytes that are not UTF-8.
pub fn str_of(value: &Value) -> Option<&str> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok(),
        Value::SimpleString(text) => Some(text),
        Value::Nil => Some(""),
        _ => None,
    }
}

/// Text of a Redis value; nil is the empty text. None for lists and bytes that are not UTF-8.
pub fn text_of(value: &Value) -> Option<String> {
    match value {
        Value::BulkString(bytes) => std::str::from_utf8(bytes).ok().map(str::to_owned),
        Value::SimpleString(text) => Some(text.clone()),
        Value::Okay => Some("OK".to_owned()),
        Value::Int(n) => Some(n.to_string()),
        Value::Nil => Some(String::new()),
        _ => None,
    }
}
