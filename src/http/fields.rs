//! Reading the fields of a JSON body: each mistake names its field, and says what would be right.

use std::collections::BTreeMap;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::{ApiError, Code, Result};

/// Deepest nesting of a body. Deeper ones are refused before anything is built from them.
const MAX_DEPTH: usize = 64;

/// The fields of a body in their order, each still in the words it was sent in. Of two that are named alike the last counts.
#[derive(Debug, Default)]
pub struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_map(ReadFields)
    }
}

struct ReadFields;

impl<'de> Visitor<'de> for ReadFields {
    type Value = Fields;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Fields, A::Error> {
        let mut fields = Vec::with_capacity(8); // bodies have few
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}

impl Fields {
    /// Reads a body. Nothing at all is `{}` (protocol, chapter 1).
    ///
    /// # Errors
    /// `invalid_json`, or `invalid_json_shape` when it is JSON but not an object.
    pub fn parse(body: &[u8]) -> Result<Self> {
        let bad = |why: String| ApiError::new(Code::InvalidJson).because(why);
        let text = std::str::from_utf8(body).map_err(|e| bad(format!("The body is not UTF-8: {e}.")))?.trim_ascii();
        if text.is_empty() {
            return Ok(Self::default());
        }
        // Hardly any body has brackets enough to be too deep, and those are found many bytes at a time.
        if memchr::memchr2_iter(b'{', b'[', text.as_bytes()).nth(MAX_DEPTH).is_some() && depth(text) > MAX_DEPTH {
            return Err(bad(format!("The body is nested deeper than {MAX_DEPTH} levels.")));
        }
        if !text.starts_with('{') {
            return match serde_json::from_str::<IgnoredAny>(text) {
                Ok(_) => Err(ApiError::new(Code::InvalidJsonShape)),
                Err(e) => Err(bad(format!("The body is not valid JSON: {e}."))),
            };
        }
        serde_json::from_str(text).map_err(|e| bad(format!("The body is not valid JSON: {e}.")))
    }

    /// The names of all fields that were sent.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    /// A field as it was sent; None if it is absent or null.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.get(name).map(RawValue::get).filter(|v| *v != "null")
    }

    /// Whether the field was sent at all, null included.
    pub fn has(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    fn get(&self, name: &str) -> Option<&RawValue> {
        self.0.iter().rev().find(|(field, _)| field == name).map(|(_, value)| &**value)
    }

    /// An optional string, trimmed; None if absent or null. It may be empty.
    ///
    /// # Errors
    /// `invalid_string` when it is not a string.
    pub fn text(&self, name: &str) -> Result<Option<String>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        let text: String = serde_json::from_str(raw).map_err(|_| wrong(Code::InvalidString, name, "must be a string"))?;
        Ok(Some(if text.trim().len() == text.len() { text } else { text.trim().to_owned() }))
    }

    /// A required string, trimmed.
    ///
    /// # Errors
    /// `missing_field` when absent or null, `invalid_string` when blank or not a string.
    pub fn required_text(&self, name: &str) -> Result<String> {
        let text = self.text(name)?.ok_or_else(|| wrong(Code::MissingField, name, "is required"))?;
        if text.is_empty() { Err(wrong(Code::InvalidString, name, "must not be blank")) } else { Ok(text) }
    }

    /// An object as it was sent; None if absent, null or empty.
    ///
    /// # Errors
    /// `invalid_object` when it is something else.
    pub fn object(&self, name: &str) -> Result<Option<String>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        if !raw.starts_with('{') {
            return Err(wrong(Code::InvalidObject, name, "must be a JSON object"));
        }
        if raw[1..raw.len() - 1].trim_ascii().is_empty() {
            return Ok(None);
        }
        // Given back as it was sent, half a surrogate pair or 1e999 would make whole pages unreadable to others: only a full parse finds it.
        if serde_json::from_str::<Checked>(raw).is_err() {
            return Err(wrong(Code::InvalidObject, name, "must hold valid Unicode and numbers that fit into 64 bits"));
        }
        Ok(Some(raw.to_owned()))
    }

    /// All fields but these, each in the words it was sent in.
    ///
    /// # Errors
    /// `invalid_object`, naming a field that holds what cannot be given back to everybody.
    pub fn rest(&self, but: &[&str]) -> Result<BTreeMap<String, Box<RawValue>>> {
        let others = self.0.iter().filter(|(name, _)| !but.contains(&name.as_str()));
        let checked = others.map(|(name, raw)| match serde_json::from_str::<Checked>(raw.get()) {
            Ok(_) => Ok((name.clone(), raw.clone())),
            Err(_) => Err(wrong(Code::InvalidObject, name, "must hold valid Unicode and numbers that fit into 64 bits")),
        });
        checked.collect()
    }

    /// A boolean; None if absent or null.
    ///
    /// # Errors
    /// The given code when it is something else.
    pub fn boolean(&self, name: &str, code: Code) -> Result<Option<bool>> {
        self.raw(name).map(|raw| serde_json::from_str(raw).map_err(|_| wrong(code, name, "must be true or false"))).transpose()
    }

    /// A whole number within a range; None if absent or null.
    ///
    /// # Errors
    /// The given code when it is something else, with `min` and `max`.
    pub fn integer(&self, name: &str, code: Code, min: u64, max: u64) -> Result<Option<u64>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match whole(raw) {
            Some(n) if (min..=max).contains(&n) => Ok(Some(n)),
            _ => Err(wrong(code, name, &format!("must be an integer from {min} to {max}, was {}", shorten(raw)))
                .with("min", min)
                .with("max", max)),
        }
    }

    /// A number of seconds, fractions allowed; None if absent or null.
    ///
    /// # Errors
    /// `invalid_field` when it is not a number, or negative.
    pub fn seconds(&self, name: &str) -> Result<Option<f64>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match serde_json::from_str::<f64>(raw) {
            Ok(s) if s >= 0.0 && s.is_finite() => Ok(Some(s)),
            _ => Err(wrong(Code::InvalidField, name, &format!("must be a number of seconds, 0 or more, was {}", shorten(raw)))),
        }
    }

    /// A list of strings; None if absent or null.
    ///
    /// # Errors
    /// The given code when it is something else or too long.
    pub fn texts(&self, name: &str, code: Code, most: usize) -> Result<Option<Vec<String>>> {
        let Some(raw) = self.raw(name) else { return Ok(None) };
        match serde_json::from_str::<Vec<String>>(raw) {
            Ok(list) if list.len() <= most => Ok(Some(list)),
            Ok(list) => Err(wrong(code, name, &format!("takes at most {most} entries, was given {}", list.len()))),
            Err(_) => Err(wrong(code, name, "must be a list of strings")),
        }
    }
}

/// A whole number, also where it is written as `9.0`: in JSON that is one.
fn whole(raw: &str) -> Option<u64> {
    /// Beyond it not every whole number has a floating point one of its own.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if let Ok(n) = serde_json::from_str(raw) {
        return Some(n);
    }
    let n = serde_json::from_str::<f64>(raw).ok().filter(|n| n.fract() == 0.0 && (0.0..EXACT).contains(n))?;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole, not negative, below 2^53")]
    Some(n as u64)
}

/// An error about one field, in a full sentence.
pub fn wrong(code: Code, name: &str, rule: &str) -> ApiError {
    ApiError::new(code).field(name).because(format!("`{name}` {rule}."))
}

fn shorten(raw: &str) -> String {
    let mut short: String = raw.chars().take(40).collect();
    if short.len() < raw.len() {
        short.push('…');
    }
    short
}

/// Any JSON that can be given back to everybody: all of it is read, as [`IgnoredAny`] does not, and nothing is kept.
struct Checked;

impl<'de> Deserialize<'de> for Checked {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        deserializer.deserialize_any(Self)
    }
}

impl<'de> Visitor<'de> for Checked {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_i64<E>(self, _: i64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_u64<E>(self, _: u64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_f64<E>(self, _: f64) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_str<E>(self, _: &str) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_unit<E>(self) -> std::result::Result<Self, E> {
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> std::result::Result<Self, A::Error> {
        while list.next_element::<Self>()?.is_some() {}
        Ok(self)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Self, A::Error> {
        while map.next_entry::<Self, Self>()?.is_some() {}
        Ok(self)
    }
}

/// Deepest nesting of objects and lists, counted without building anything.
fn depth(text: &str) -> usize {
    let (mut now, mut deepest, mut in_string, mut escaped) = (0usize, 0, false, false);
    for b in text.bytes() {
        if in_string {
            match b {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match b {
            b'"' => in_string = true,
            b'{' | b'[' => {
                now += 1;
                deepest = deepest.max(now);
            }
            b'}' | b']' => now = now.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(r: Result<impl Sized>) -> &'static str {
        r.err().map_or("ok", |e| e.code().spec().word)
    }

    #[test]
    fn nothing_is_an_empty_object_and_other_json_is_not() {
        assert_eq!(code(Fields::parse(b"")), "ok");
        assert_eq!(code(Fields::parse(b"  \n")), "ok");
        assert_eq!(code(Fields::parse(b"[]")), "invalid_json_shape");
        assert_eq!(code(Fields::parse(b"null")), "invalid_json_shape");
        for bad in ["{", "{\"a\":}", "nope", "{} x", "{\"a\":1,}"] {
            assert_eq!(code(Fields::parse(bad.as_bytes())), "invalid_json", "{bad}");
        }
        assert_eq!(code(Fields::parse(b"\xff\xfe")), "invalid_json");
        assert_eq!(code(Fields::parse("[".repeat(100_000).as_bytes())), "invalid_json");
    }

    #[test]
    fn of_fields_named_alike_the_last_counts() {
        let f = Fields::parse(br#"{"a": 1, "b": 2, "a": 3}"#).expect("parses");
        assert_eq!((f.raw("a"), f.raw("b"), f.raw("c")), (Some("3"), Some("2"), None));
        let rest = f.rest(&["b"]).expect("can be given back");
        assert_eq!(rest.iter().map(|(name, value)| (name.as_str(), value.get())).collect::<Vec<_>>(), [("a", "3")]);
    }

    #[test]
    fn depth_is_bounded_wherever_it_is() {
        let nested = |levels: usize| format!(r#"{{"a": {}{}}}"#, "[".repeat(levels), "]".repeat(levels));
        assert_eq!(code(Fields::parse(nested(MAX_DEPTH - 1).as_bytes())), "ok");
        assert_eq!(code(Fields::parse(nested(MAX_DEPTH).as_bytes())), "invalid_json");
        let wide = format!(r#"{{"a": [{}1]}}"#, "[1],".repeat(1000));
        assert_eq!(code(Fields::parse(wide.as_bytes())), "ok", "many brackets are not deep");
    }

    #[test]
    fn each_wrong_type_names_its_field() {
        let f =
            Fields::parse(br#"{"s": 1, "blank": "  ", "o": [], "n": 1.5, "whole": 2.0, "below": -1.0, "t": [1], "half": "\ud800", "oh": {"a": "\ud800"}, "far": {"a": [1e999]}, "nul": null}"#)
                .expect("parses");
        assert_eq!(code(f.text("s")), "invalid_string");
        assert_eq!(code(f.required_text("blank")), "invalid_string");
        assert_eq!(code(f.required_text("none")), "missing_field");
        assert_eq!(code(f.required_text("nul")), "missing_field");
        assert_eq!(code(f.text("half")), "invalid_string");
        assert_eq!(code(f.object("o")), "invalid_object");
        assert_eq!(code(f.object("oh")), "invalid_object");
        assert_eq!(code(f.object("far")), "invalid_object");
        assert_eq!(code(f.object("nul")), "ok");
        assert_eq!(code(f.integer("n", Code::InvalidLimit, 1, 2)), "invalid_limit");
        assert_eq!(f.integer("whole", Code::InvalidLimit, 1, 2).ok(), Some(Some(2)), "JSON has one kind of number");
        assert_eq!(code(f.integer("below", Code::InvalidLimit, 0, 2)), "invalid_limit");
        assert_eq!(code(f.texts("t", Code::InvalidMentions, 2)), "invalid_mentions");
    }
}
