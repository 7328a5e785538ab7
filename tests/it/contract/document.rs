//! The OpenAPI document hangs together, and has what the protocol page asks of it.

use std::collections::{BTreeMap, HashSet};

use backchannel::discovery::openapi::document_json;
use backchannel::router::operations;
use serde_json::Value;

fn document() -> Value {
    serde_json::from_str(&document_json()).expect("JSON")
}

/// Every operation with `METHOD path`.
fn each(document: &Value) -> Vec<(String, &Value)> {
    let paths = document["paths"].as_object().expect("paths");
    paths.iter().flat_map(|(path, all)| all.as_object().into_iter().flatten().map(move |(m, o)| (format!("{m} {path}"), o))).collect()
}

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|v| references(v, found));
        }
        Value::Array(list) => list.iter().for_each(|v| references(v, found)),
        _ => {}
    }
}

#[test]
fn the_document_and_the_router_have_the_same_operations_each_once() {
    let document = document();
    let ids: HashSet<&str> = each(&document).iter().filter_map(|(_, o)| o["operationId"].as_str()).collect();
    let rows = operations();
    assert_eq!(ids, rows.iter().map(|o| o.id).collect());
    assert_eq!((ids.len(), each(&document).len()), (rows.len(), rows.len()), "no id twice, no path twice");
    let tags: Vec<&str> = document["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();
    let used: HashSet<&str> = rows.iter().map(|o| o.tag).collect();
    assert_eq!((tags.len(), tags.iter().copied().collect::<HashSet<_>>()), (used.len(), used), "each area once");
}

#[test]
fn references_resolve_and_each_answer_is_described() {
    let document = document();
    let mut all = Vec::new();
    references(&document, &mut all);
    for reference in &all {
        assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
    }
    assert!(all.len() > 100);
    for (name, operation) in each(&document) {
        for (status, response) in operation["responses"].as_object().expect("responses") {
            assert!(response["description"].as_str().is_some_and(|d| d.len() > 5), "{name} {status}");
            let has_body = response["content"]["application/json"]["schema"]["$ref"].is_string();
            assert_eq!(has_body, status != "204", "{name} {status}");
        }
    }
}

#[test]
fn every_operation_that_takes_effect_declares_the_idempotency_key() {
    for (name, operation) in each(&document()) {
        let declared = operation["parameters"].as_array().expect("a list").iter().any(|p| p["name"] == "Idempotency-Key");
        assert_eq!(declared, !name.starts_with("get "), "{name}");
    }
}

#[test]
fn what_is_kept_for_older_clients_only_is_marked_and_nothing_else() {
    let document = document();
    let marked = |(_, o): &(String, &Value)| o["deprecated"] == true;
    let marked: HashSet<&str> = each(&document).iter().filter(|o| marked(o)).filter_map(|(_, o)| o["operationId"].as_str()).collect();
    assert_eq!(marked, operations().iter().filter(|o| o.deprecated.is_some()).map(|o| o.id).collect());
}

#[test]
fn a_schema_stands_for_one_body_only() {
    let mut known: BTreeMap<String, Value> = BTreeMap::new();
    for body in operations().iter().flat_map(|o| [o.request, o.success.1]).flatten() {
        for (name, schema) in body().1 {
            let schema = serde_json::to_value(schema).expect("JSON");
            let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
            assert_eq!(*first, schema, "two types are called {name}: the document has one of them");
        }
    }
}

#[test]
fn a_body_may_be_left_out_where_nothing_in_it_is_required() {
    let document = document();
    for (name, operation) in each(&document).into_iter().filter(|(_, o)| o["requestBody"].is_object()) {
        let body = &operation["requestBody"];
        let reference = body["content"]["application/json"]["schema"]["$ref"].as_str().expect("a reference");
        let fields = &document.pointer(&reference[1..]).expect("it leads somewhere")["required"];
        assert_eq!(body["required"] == true, fields.as_array().is_some_and(|f| !f.is_empty()), "{name}");
    }
}

#[test]
fn an_error_names_the_words_of_its_operation_and_status() {
    for (name, operation) in each(&document()) {
        for (status, answer) in operation["responses"].as_object().expect("responses").iter().filter(|(s, _)| s.as_str() >= "400") {
            let words = &answer["content"]["application/json"]["schema"]["properties"]["error"]["enum"];
            assert_eq!(*words, answer["x-error-codes"], "{name} {status}");
            assert!(words.as_array().is_some_and(|w| !w.is_empty()), "{name} {status}");
            assert_eq!(answer["headers"]["Retry-After"].is_object(), matches!(status.as_str(), "429" | "503"), "{name} {status}");
        }
    }
}
