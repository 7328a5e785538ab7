//! How much work a schema may be.
//!
//! References make a small schema look at one value very often: a definition that names the one before it twice, thirty times over, or a
//! recursive one that goes down the same path by two ways. The work for a message is at most its number of values times the largest number
//! of subschemas that meet on the way from the root to any one value. That number is counted here, without the message, and bounded.

use std::collections::{HashMap, HashSet};

use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

/// Most subschemas that may be evaluated on the way to one value.
const MOST: u64 = 500;
/// Deepest nesting of metadata: that of a body, less what is around it.
const LEVELS: u8 = 63;
/// Deepest chain of references and subschemas that is followed; the validator follows it on the stack as well.
const MOST_FRAMES: usize = 400;
/// `unevaluatedProperties` and `unevaluatedItems` look at what stands beside them again.
const EVALUATED_AGAIN: u64 = 8;

/// The subschemas that are evaluated at most on the way from the root of some metadata to one of its values.
///
/// # Errors
/// A sentence for the schema's author: too many, references that leave the schema, or that lead back to themselves.
pub fn evaluations_per_value(schema: &Value) -> Result<u64, String> {
    let draft = schema.get("$schema").and_then(Value::as_str).unwrap_or_default();
    let is_old = ["draft-03", "draft-04"].iter().any(|old| draft.contains(old));
    let mut walk = Walk { root: schema, is_old, anchors: HashMap::new(), known: HashMap::new(), running: HashSet::new() };
    walk.index(schema, true)?;
    let count = walk.count(schema, LEVELS, 0)?;
    if count > MOST {
        return Err(format!("Its references and alternatives look at one value up to {count} times, at most {MOST} are taken."));
    }
    Ok(count)
}

struct Walk<'a> {
    root: &'a Value,
    /// Of a draft that says `id` for `$id`.
    is_old: bool,
    anchors: HashMap<&'a str, Vec<&'a Value>>,
    /// By subschema and levels of metadata left below it.
    known: HashMap<(*const Value, u8), u64>,
    running: HashSet<(*const Value, u8)>,
}

impl<'a> Walk<'a> {
    /// Finds the anchors. A second `$id` would give references another base: it is not taken.
    fn index(&mut self, value: &'a Value, is_root: bool) -> Result<(), String> {
        match value {
            Value::Array(items) => items.iter().try_for_each(|item| self.index(item, false)),
            Value::Object(fields) => {
                let text = |name: &str| fields.get(name).and_then(Value::as_str);
                if !is_root && (text("$id").is_some() || self.is_old && text("id").is_some()) {
                    return Err("`$id` is taken at its root only; name a part with `$anchor`, or point at it: `#/$defs/name`.".into());
                }
                for anchor in ["$anchor", "$dynamicAnchor"].into_iter().filter_map(text) {
                    self.anchors.entry(anchor).or_default().push(value);
                }
                let mut schemas = fields.iter().filter(|(name, _)| !["const", "enum", "default", "examples"].contains(&name.as_str()));
                schemas.try_for_each(|(_, field)| self.index(field, false))
            }
            _ => Ok(()),
        }
    }

    fn count(&mut self, schema: &'a Value, levels: u8, frames: usize) -> Result<u64, String> {
        let Value::Object(fields) = schema else { return Ok(1) };
        if frames > MOST_FRAMES {
            return Err("Its references lead on too far: shorten the chain.".into());
        }
        let place = (std::ptr::from_ref(schema), levels);
        if let Some(known) = self.known.get(&place) {
            return Ok(*known);
        }
        if !self.running.insert(place) {
            return Err("A reference in it leads back to itself at the same value.".into());
        }
        let mut sum = self.in_place(fields, levels, frames + 1)?;
        if let Some(below) = levels.checked_sub(1) {
            sum = sum.saturating_add(self.below(fields, below, frames + 1)?);
        }
        if fields.contains_key("unevaluatedProperties") || fields.contains_key("unevaluatedItems") {
            sum = sum.saturating_mul(EVALUATED_AGAIN);
        }
        self.running.remove(&place);
        let count = sum.saturating_add(1);
        self.known.insert(place, count);
        Ok(count)
    }

    /// What is evaluated at the same value.
    fn in_place(&mut self, fields: &'a Map<String, Value>, levels: u8, frames: usize) -> Result<u64, String> {
        let mut sum = 0u64;
        for (name, value) in fields {
            let part = match (name.as_str(), value) {
                ("allOf" | "anyOf" | "oneOf" | "extends" | "disallow" | "type", Value::Array(all)) => {
                    self.sum(all.iter(), levels, frames)?
                }
                ("dependentSchemas" | "dependencies", Value::Object(all)) => self.sum(all.values(), levels, frames)?,
                ("not" | "if" | "then" | "else" | "extends", one) => self.count(one, levels, frames)?,
                ("$ref" | "$dynamicRef" | "$recursiveRef", Value::String(to)) => self.reference(to, levels, frames)?,
                _ => 0,
            };
            sum = sum.saturating_add(part);
        }
        Ok(sum)
    }

    /// What is evaluated one level deeper. Of `properties` and of a list by position, one applies to one value.
    fn below(&mut self, fields: &'a Map<String, Value>, levels: u8, frames: usize) -> Result<u64, String> {
        let mut sum = 0u64;
        for (name, value) in fields {
            let part = match (name.as_str(), value) {
                ("properties", Value::Object(all)) => self.largest(all.values(), levels, frames)?,
                ("prefixItems" | "items", Value::Array(all)) => self.largest(all.iter(), levels, frames)?,
                ("patternProperties", Value::Object(all)) => self.sum(all.values(), levels, frames)?,
                (
                    "additionalProperties"
                    | "unevaluatedProperties"
                    | "propertyNames"
                    | "items"
                    | "additionalItems"
                    | "unevaluatedItems"
                    | "contains",
                    one,
                ) => self.count(one, levels, frames)?,
                _ => 0,
            };
            sum = sum.saturating_add(part);
        }
        Ok(sum)
    }

    fn sum(&mut self, all: impl Iterator<Item = &'a Value>, levels: u8, frames: usize) -> Result<u64, String> {
        all.map(|one| self.count(one, levels, frames)).try_fold(0u64, |sum, one| Ok(sum.saturating_add(one?)))
    }

    fn largest(&mut self, all: impl Iterator<Item = &'a Value>, levels: u8, frames: usize) -> Result<u64, String> {
        all.map(|one| self.count(one, levels, frames)).try_fold(0u64, |largest, one| Ok(largest.max(one?)))
    }

    /// What a reference leads to; one that leads nowhere is found by the compiler.
    fn reference(&mut self, to: &str, levels: u8, frames: usize) -> Result<u64, String> {
        let Some(fragment) = to.strip_prefix('#') else {
            let to: String = to.chars().take(100).collect();
            return Err(format!("`$ref` {to:?} leaves the schema: a reference begins with `#`."));
        };
        let fragment = percent_decode_str(fragment).decode_utf8_lossy();
        if fragment.is_empty() || fragment.starts_with('/') {
            return self.root.pointer(&fragment).map_or(Ok(0), |target| self.count(target, levels, frames));
        }
        let targets = self.anchors.get(fragment.as_ref()).cloned().unwrap_or_default();
        self.sum(targets.into_iter(), levels, frames)
    }
}
