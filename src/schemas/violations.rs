//! What of some metadata breaks a schema, in the words that clients know (protocol, chapter 4).

use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Kind};
use jsonschema::paths::{Location, LocationSegment};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::Schema;

/// Most violations that are told of one message.
const MOST: usize = 50;
/// Up to this many evaluations all violations are looked for; of more work than that, the first one found is told.
const ALL_UP_TO: u64 = 100_000;
const NOT_ALLOWED: &str = "additional property not allowed";
/// Longest text of an issue, in characters.
const MAX_ISSUE: usize = 500;

/// One thing that is wrong with some metadata.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Violation {
    /// Dotted path, from `metadata`.
    #[schema(example = "metadata.severity")]
    pub field: String,
    #[schema(example = "value must be one of [\"low\",\"high\"]")]
    pub issue: String,
}

impl Schema {
    /// What of this metadata breaks the schema, at most 50. `metadata` is a JSON object in the words it was sent in; empty is `{}`.
    pub fn violations(&self, metadata: &str) -> Vec<Violation> {
        // Read before, when the request was: what is no JSON does not come here.
        let value = if metadata.is_empty() { json!({}) } else { serde_json::from_str(metadata).unwrap_or_default() };
        let values = metadata.bytes().filter(|b| matches!(b, b',' | b'{' | b'[')).count() as u64;
        if self.validator.is_valid(&value) {
            return Vec::new();
        }
        let mut all = Vec::new();
        if values.saturating_mul(self.weight) <= ALL_UP_TO {
            self.validator.iter_errors(&value).take(MOST).for_each(|error| tell(&error, &value, &mut all));
        } else if let Err(error) = self.validator.validate(&value) {
            tell(&error, &value, &mut all);
        }
        all.truncate(MOST);
        all
    }
}

fn tell(error: &ValidationError<'_>, metadata: &Value, all: &mut Vec<Violation>) {
    let at = path(error.instance_path());
    let mut add = |field: String, issue: String| all.push(Violation { field: shorten(field), issue: shorten(issue) });
    match error.kind() {
        Kind::Required { property } => add(format!("{at}.{}", property.as_str().unwrap_or_default()), "required field missing".to_owned()),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            for name in unexpected.iter().take(MOST) {
                add(format!("{at}.{name}"), NOT_ALLOWED.to_owned());
            }
        }
        // An object that may have no properties at all: the validator does not name them.
        Kind::FalseSchema if error.schema_path().as_str().ends_with("/additionalProperties") => {
            match metadata.pointer(error.instance_path().as_str()).and_then(Value::as_object) {
                Some(object) => object.keys().take(MOST).for_each(|name| add(format!("{at}.{name}"), NOT_ALLOWED.to_owned())),
                None => add(at, "no value allowed".to_owned()),
            }
        }
        kind => add(at, issue(kind).unwrap_or_else(|| error.masked_with("value").to_string())),
    }
}

/// The texts that clients know; None where the validator's own say it.
fn issue(kind: &Kind) -> Option<String> {
    Some(match kind {
        Kind::MinLength { limit } => format!("minLength {limit}"),
        Kind::MaxLength { limit } => format!("maxLength {limit}"),
        Kind::Pattern { pattern } => format!("pattern '{pattern}' did not match"),
        Kind::Minimum { limit } => format!("minimum {limit}"),
        Kind::Maximum { limit } => format!("maximum {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("exclusiveMinimum {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("exclusiveMaximum {limit}"),
        Kind::MinItems { limit } => format!("minItems {limit}"),
        Kind::MaxItems { limit } => format!("maxItems {limit}"),
        Kind::MinProperties { limit } => format!("minProperties {limit}"),
        Kind::MaxProperties { limit } => format!("maxProperties {limit}"),
        Kind::Enum { options } => match options.as_ref() {
            Value::Array(_) => format!("value must be one of {options}"),
            one => format!("value must be one of [{one}]"),
        },
        Kind::Constant { expected_value } => format!("value must be one of [{expected_value}]"),
        Kind::Type { kind: TypeKind::Single(one) } => format!("expected type '{one}'"),
        Kind::Type { kind: TypeKind::Multiple(several) } => {
            format!("expected type {}", several.iter().map(|one| format!("'{one}'")).collect::<Vec<_>>().join(" or "))
        }
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "value is none of the allowed forms".to_owned(),
        Kind::OneOfMultipleValid { .. } => "value is more than one of the allowed forms".to_owned(),
        Kind::FalseSchema => "no value allowed".to_owned(),
        Kind::Not { .. } => "value has a form that is not allowed".to_owned(),
        Kind::UniqueItems => "items must differ".to_owned(),
        _ => return None,
    })
}

fn path(location: &Location) -> String {
    let mut path = String::from("metadata");
    for segment in location {
        path.push('.');
        match segment {
            LocationSegment::Property(name) => path.push_str(&name),
            LocationSegment::Index(i) => path.push_str(&i.to_string()),
        }
    }
    path
}

fn shorten(text: String) -> String {
    if text.chars().nth(MAX_ISSUE).is_none() { text } else { text.chars().take(MAX_ISSUE).chain(['…']).collect() }
}
