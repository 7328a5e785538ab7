//! What a channel asks of the metadata of its messages: JSON Schema, compiled when it is set and kept where messages are posted.
//!
//! A schema cannot make a replica fetch anything, its patterns match in linear time, and how often it may look at one value is bounded
//! ([`weight`]), so that no schema makes posts slow. It is known by the hash of its text, its *fingerprint*: the script that posts refuses
//! a message that was checked under another one.

mod cache;
mod violations;
mod weight;

use jsonschema::{PatternOptions, Validator};
use serde_json::Value;

use crate::ids::digest;

pub use cache::SchemaCache;
pub use violations::Violation;

/// Deepest nesting of a schema.
const MAX_DEPTH: usize = 32;
/// Most patterns of a schema, names of `patternProperties` included.
const MAX_PATTERNS: usize = 32;
/// Largest compiled form of one pattern, and most memory for matching it, in bytes.
const PATTERN_BYTES: usize = 256 * 1024;
/// Hexadecimal digits of a fingerprint: 128 bits, so that nobody finds a second schema for one.
const FINGERPRINT: usize = 32;
/// Longest reason that is given for refusing a schema, in characters.
const MAX_REASON: usize = 300;
/// The names of JSON's types.
const TYPES: &[&str] = &["array", "boolean", "integer", "null", "number", "object", "string"];

/// A schema that can reject something.
pub struct Schema {
    fingerprint: String,
    validator: Validator,
    /// See [`weight::evaluations_per_value`].
    weight: u64,
    /// About how many bytes it takes.
    bytes: usize,
}

impl Schema {
    /// Compiles a schema, a JSON object. None if it is of the older, loose form `{"severity": "string"}`, which rejects nothing.
    ///
    /// # Errors
    /// Why it cannot be used, in a sentence for its author.
    pub fn compile(text: &str) -> Result<Option<Self>, String> {
        let schema: Value = serde_json::from_str(text).map_err(|e| format!("It is not JSON: {e}."))?;
        if is_loose(&schema) {
            return Ok(None);
        }
        if depth(&schema) > MAX_DEPTH {
            return Err(format!("It is nested deeper than {MAX_DEPTH} levels."));
        }
        let patterns = patterns(&schema);
        if patterns > MAX_PATTERNS {
            return Err(format!("It has {patterns} patterns, at most {MAX_PATTERNS} are taken."));
        }
        let weight = weight::evaluations_per_value(&schema)?;
        let engine = PatternOptions::regex().size_limit(PATTERN_BYTES).dfa_size_limit(PATTERN_BYTES);
        let options = jsonschema::options().offline().should_validate_formats(false).with_pattern_options(engine);
        let validator = options.build(&schema).map_err(|e| reason(&e))?;
        let bytes = text.len() * 16 + patterns * PATTERN_BYTES * 2;
        Ok(Some(Self { fingerprint: fingerprint(text), validator, weight, bytes }))
    }

    /// What the channel's record calls it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

fn fingerprint(text: &str) -> String {
    let mut hash = digest(text);
    hash.truncate(FINGERPRINT);
    hash
}

fn reason(error: &jsonschema::ValidationError<'_>) -> String {
    let place = error.instance_path().as_str();
    let said: String = error.to_string().chars().take(MAX_REASON).collect();
    let place: String = place.chars().take(MAX_REASON).collect();
    if place.is_empty() { format!("{said}.") } else { format!("At {place}: {said}.") }
}

/// All values are names of types: `{"severity": "string"}`. As JSON Schema such an object would reject nothing, or everything.
fn is_loose(schema: &Value) -> bool {
    schema.as_object().is_some_and(|fields| fields.values().all(|v| v.as_str().is_some_and(|word| TYPES.contains(&word))))
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(fields) => 1 + fields.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

/// Counted wherever they may stand, so rather too many than too few.
fn patterns(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(patterns).sum(),
        Value::Object(fields) => {
            let here = |(name, value): (&String, &Value)| match (name.as_str(), value) {
                ("pattern", Value::String(_)) => 1,
                ("patternProperties", Value::Object(by_pattern)) => by_pattern.len(),
                _ => 0,
            };
            fields.iter().map(here).sum::<usize>() + fields.values().map(patterns).sum::<usize>()
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests;
