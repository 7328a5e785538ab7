use proptest::prelude::*;
use serde_json::json;

use super::*;

fn compile(schema: Value) -> Result<Option<Schema>, String> {
    Schema::compile(&schema.to_string())
}

fn strict(schema: Value) -> Schema {
    compile(schema).expect("it can be used").expect("it can reject something")
}

/// Field and issue of each violation.
fn told(schema: &Schema, metadata: Value) -> Vec<(String, String)> {
    schema.violations(&metadata.to_string()).into_iter().map(|v| (v.field, v.issue)).collect()
}

fn pair(field: &str, issue: &str) -> (String, String) {
    (field.to_owned(), issue.to_owned())
}

#[test]
fn issues_have_the_words_that_clients_know() {
    let schema = strict(json!({
        "type": "object", "required": ["id"], "additionalProperties": false,
        "properties": {
            "id": {},
            "short": { "minLength": 3 }, "long": { "maxLength": 2 }, "form": { "pattern": "^[a-z]+$" },
            "low": { "minimum": 1 }, "high": { "maximum": 1.5 },
            "level": { "enum": ["low", 2, null] }, "fixed": { "const": "x" },
            "kind": { "type": "string" }, "kinds": { "type": ["string", "null"] },
            "deep": { "properties": { "list": { "items": { "type": "integer" } } } },
        },
    }));
    let metadata = json!({
        "short": "é1", "long": "abc", "form": "A", "low": 0, "high": 2, "level": "mid", "fixed": "y", "kind": 1, "kinds": 1,
        "deep": { "list": [1, "2", 3.5] }, "extra": 1, "more": 2,
    });
    let mut all = told(&schema, metadata);
    all.sort();
    assert_eq!(
        all,
        [
            pair("metadata.deep.list.1", "expected type 'integer'"),
            pair("metadata.deep.list.2", "expected type 'integer'"),
            pair("metadata.extra", "additional property not allowed"),
            pair("metadata.fixed", "value must be one of [\"x\"]"),
            pair("metadata.form", "pattern '^[a-z]+$' did not match"),
            pair("metadata.high", "maximum 1.5"),
            pair("metadata.id", "required field missing"),
            pair("metadata.kind", "expected type 'string'"),
            pair("metadata.kinds", "expected type 'null' or 'string'"),
            pair("metadata.level", "value must be one of [\"low\",2,null]"),
            pair("metadata.long", "maxLength 2"),
            pair("metadata.low", "minimum 1"),
            pair("metadata.more", "additional property not allowed"),
            pair("metadata.short", "minLength 3"),
        ]
    );
    assert!(told(&schema, json!({ "id": 1 })).is_empty());
    assert_eq!(schema.violations("").len(), 1, "no metadata is an empty object");
}

#[test]
fn at_most_fifty_violations_are_told() {
    let names: Vec<String> = (0..80).map(|n| format!("field-{n}")).collect();
    assert_eq!(told(&strict(json!({ "required": names })), json!({})).len(), 50);
    let extra: Value = names.iter().map(|name| (name.clone(), json!(1))).collect::<serde_json::Map<_, _>>().into();
    assert_eq!(told(&strict(json!({ "additionalProperties": false })), extra).len(), 50);
    let long = json!({ "properties": { "a": { "enum": ["x".repeat(2000)] } } });
    assert_eq!(told(&strict(long), json!({ "a": 1 }))[0].1.chars().count(), 501, "and long ones are cut");
}

#[test]
fn the_loose_form_rejects_nothing() {
    for loose in [json!({}), json!({ "severity": "string" }), json!({ "type": "string", "title": "string", "required": "boolean" })] {
        assert!(compile(loose.clone()).expect("it is stored").is_none(), "{loose}");
    }
    // Words that JSON Schema does not know are left alone too.
    assert!(told(&strict(json!({ "severity": "text, please", "tags": ["string"] })), json!({ "severity": 1 })).is_empty());
    assert!(compile(json!({ "properties": { "a": { "type": "string" } } })).expect("a schema").is_some());
    assert_eq!(told(&strict(json!({ "properties": { "a": false } })), json!({ "a": 1 })), [pair("metadata.a", "no value allowed")]);
}

#[test]
fn patterns_are_of_the_engine_that_takes_linear_time() {
    // That engine cannot do these, so whatever it takes cannot backtrack.
    for backtracking in ["(a)\\1", "(?=a)b", "(?<!a)b"] {
        let reason = compile(json!({ "properties": { "a": { "pattern": backtracking } } })).err().expect(backtracking);
        assert!(reason.contains("regex") || reason.contains("pattern"), "{reason}");
        assert!(compile(json!({ "patternProperties": { backtracking: {} } })).is_err(), "{backtracking}");
    }
    let schema = strict(json!({ "properties": { "a": { "pattern": "^(a+)+$" } } }));
    assert_eq!(told(&schema, json!({ "a": format!("{}!", "a".repeat(10_000)) })), [pair("metadata.a", "pattern '^(a+)+$' did not match")]);
    assert!(told(&schema, json!({ "a": "a".repeat(10_000) })).is_empty());
    compile(json!({ "properties": { "a": { "pattern": "(((x{100}){100}){100})" } } })).err().expect("it would take too much memory");
    let many: serde_json::Map<String, Value> = (0..33).map(|n| (format!("p{n}"), json!({ "pattern": "a" }))).collect();
    assert!(compile(json!({ "properties": many })).err().expect("too many").contains("33 patterns"));
}

#[test]
fn what_cannot_be_used_is_refused_with_the_reason() {
    let deep = (0..40).fold(json!({}), |inner, _| json!({ "not": inner }));
    for (schema, word) in [
        (json!({ "type": "strnig" }), "strnig"),
        (json!({ "minimum": "one" }), "minimum"),
        (json!({ "properties": { "a": { "required": true } } }), "/properties/a/required"),
        (json!({ "$ref": "https://example.com/schema.json" }), "leaves the schema"),
        (json!({ "$ref": "file:///etc/passwd" }), "leaves the schema"),
        (json!({ "$ref": "other.json#/a" }), "leaves the schema"),
        (json!({ "$ref": "#/$defs/none" }), "none"),
        (json!({ "$schema": "https://example.com/mine", "type": "object" }), "example.com"),
        (json!({ "$defs": { "a": { "$id": "b", "type": "string" } } }), "`$id`"),
        (json!({ "$ref": "#" }), "back to itself"),
        (json!({ "$defs": { "a": { "allOf": [{ "$ref": "#/$defs/a" }] } }, "$ref": "#/$defs/a" }), "back to itself"),
        (deep, "deeper than 32"),
    ] {
        let reason = compile(schema.clone()).err().unwrap_or_else(|| panic!("{schema}"));
        assert!(reason.contains(word), "{reason}");
    }
}

#[test]
fn references_within_a_schema_work_also_recursive_ones() {
    let tree = strict(json!({
        "$id": "https://example.com/tree", "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$defs": { "node": { "$anchor": "node", "required": ["name"], "properties": { "children": { "items": { "$ref": "#node" } } } } },
        "properties": { "root": { "$ref": "#/$defs/node" } },
    }));
    assert!(told(&tree, json!({ "root": { "name": 1, "children": [{ "name": 2 }] } })).is_empty());
    let wrong = json!({ "root": { "name": 1, "children": [{ "name": 2, "children": [{}] }] } });
    assert_eq!(told(&tree, wrong), [pair("metadata.root.children.0.children.0.name", "required field missing")]);
    let binary = json!({ "properties": { "left": { "$ref": "#" }, "right": { "$ref": "#" } }, "type": "object" });
    assert!(compile(binary).is_ok(), "two ways down, but one to each value");
}

#[test]
fn a_schema_that_would_look_at_a_value_too_often_is_refused() {
    let mut doubling = json!({ "$defs": { "d0": { "type": "object" } }, "$ref": "#/$defs/d30" });
    for n in 1..=30 {
        let before = json!({ "$ref": format!("#/$defs/d{}", n - 1) });
        doubling["$defs"][format!("d{n}")] = json!({ "allOf": [before, before] });
    }
    let two_ways_to_one_value = json!({ "allOf": [{ "items": { "$ref": "#" } }, { "contains": { "$ref": "#" } }] });
    let by_name = json!({ "additionalProperties": { "$ref": "#" }, "patternProperties": { "a": { "$ref": "#" } } });
    let unevaluated = json!({ "properties": { "a": { "$ref": "#" } }, "unevaluatedProperties": false });
    for schema in [doubling, two_ways_to_one_value, by_name, unevaluated] {
        let reason = compile(schema.clone()).err().unwrap_or_else(|| panic!("{schema}"));
        assert!(reason.contains("at most 500"), "{reason}");
    }
    let chain: serde_json::Map<String, Value> =
        (0..450).map(|n| (format!("d{n}"), json!({ "$ref": format!("#/$defs/d{}", n + 1) }))).collect();
    assert!(compile(json!({ "$defs": chain, "$ref": "#/$defs/d0" })).err().expect("too long").contains("shorten"));
    let wide: Vec<Value> = (0..100).map(|n| json!({ "properties": { "kind": { "const": n } }, "required": ["kind"] })).collect();
    assert!(compile(json!({ "oneOf": wide })).is_ok(), "a hundred alternatives");
}

#[test]
fn of_much_metadata_under_a_heavy_schema_the_first_violation_is_told() {
    let wide: Vec<Value> = (0..100).map(|n| json!({ "properties": { "kind": { "const": n } }, "required": ["kind"] })).collect();
    let schema = strict(json!({ "properties": { "all": { "items": { "oneOf": wide } } } }));
    assert_eq!(told(&schema, json!({ "all": vec![json!({}); 20] })).len(), 20);
    assert_eq!(told(&schema, json!({ "all": vec![json!({}); 2000] })), [pair("metadata.all.0", "value is none of the allowed forms")]);
}

/// Schemas as users get them wrong and right: keywords with values of any kind, references and patterns among them.
fn any_schema() -> impl Strategy<Value = Value> {
    let words = prop_oneof![
        Just(json!("string")),
        Just(json!("#")),
        Just(json!("#/$defs/a")),
        Just(json!("^(a+)+$")),
        Just(json!("[")),
        any::<i64>().prop_map(|n| json!(n)),
        any::<f64>().prop_map(|n| json!(n)),
        any::<bool>().prop_map(|b| json!(b)),
        Just(Value::Null),
    ];
    let keyword = prop::sample::select(vec![
        "type",
        "enum",
        "const",
        "minimum",
        "maximum",
        "multipleOf",
        "minLength",
        "maxLength",
        "pattern",
        "required",
        "properties",
        "patternProperties",
        "additionalProperties",
        "unevaluatedProperties",
        "propertyNames",
        "items",
        "prefixItems",
        "contains",
        "minContains",
        "uniqueItems",
        "allOf",
        "anyOf",
        "oneOf",
        "not",
        "if",
        "then",
        "else",
        "dependentSchemas",
        "$ref",
        "$dynamicRef",
        "$anchor",
        "$defs",
        "format",
        "a",
    ]);
    let fields = keyword.clone();
    let part = words.prop_recursive(6, 40, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((keyword.clone().prop_map(str::to_owned), inner), 0..5)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    });
    prop::collection::vec((fields.prop_map(str::to_owned), part), 1..5).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

fn any_metadata() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<i64>().prop_map(|n| json!(n)), any::<f64>().prop_map(|n| json!(n)), "[a-c]{0,8}".prop_map(Value::String)];
    leaf.prop_recursive(4, 30, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[ab]|properties|type", inner, 0..4).prop_map(|fields| json!(fields)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_schema_and_no_metadata_make_a_panic(schema in any_schema(), metadata in any_metadata()) {
        if let Ok(Some(schema)) = Schema::compile(&schema.to_string()) {
            let all = schema.violations(&metadata.to_string());
            prop_assert!(all.len() <= 50);
            prop_assert_eq!(all, schema.violations(&metadata.to_string()));
        }
    }
}
