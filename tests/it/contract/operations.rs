//! Every operation of the protocol's contract, as existing clients were generated from it, is in our document and means the same.
//!
//! `operations.json` holds the contract's facts, of all its 58 operations: parameters, fields of requests (required and optional), statuses of
//! success and of errors, fields of answers as paths. Ours may have more of each.

use std::collections::BTreeSet;

use backchannel::discovery::openapi::document_json;
use serde_json::Value;

/// Error statuses of the contract that we do not give, and why.
const NOT_GIVEN: &[(&str, u64, &str)] = &[("heartbeatLease", 404, "a lease that never was is answered like one that has ended: 410")];

fn names(list: &Value) -> BTreeSet<String> {
    list.as_array().into_iter().flatten().map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned)).collect()
}

/// Follows a reference within the document.
fn resolved<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    match schema["$ref"].as_str() {
        Some(reference) => resolved(document, document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} leads nowhere"))),
        None => schema,
    }
}

/// The fields of a schema as paths: `message.mentions[].id`.
fn fields(document: &Value, schema: &Value, at: &str, depth: usize, found: &mut BTreeSet<String>) {
    let schema = resolved(document, schema);
    for word in ["allOf", "oneOf", "anyOf"] {
        for part in schema[word].as_array().into_iter().flatten() {
            fields(document, part, at, depth, found);
        }
    }
    if schema.get("items").is_some() {
        fields(document, &schema["items"], &format!("{at}[]"), depth, found);
    }
    for (name, inner) in schema["properties"].as_object().into_iter().flatten() {
        let path = if at.is_empty() { name.clone() } else { format!("{at}.{name}") };
        if depth < 5 {
            fields(document, inner, &path, depth + 1, found);
        }
        found.insert(path);
    }
}

#[test]
fn a_client_made_from_the_contract_finds_everything_it_knows() {
    let document: Value = serde_json::from_str(&document_json()).expect("JSON");
    let contract: Vec<Value> = serde_json::from_str(include_str!("operations.json")).expect("JSON");
    assert_eq!(contract.len(), 58, "all of the contract");
    let mut missing = Vec::new();
    for theirs in &contract {
        let id = theirs["id"].as_str().expect("an id");
        let (method, path) = (theirs["method"].as_str().expect("a method").to_lowercase(), theirs["path"].as_str().expect("a path"));
        let ours = &document["paths"][path][&method];
        if ours["operationId"] != id {
            missing.push(format!("{id}: {method} {path} is {}", ours["operationId"]));
            continue;
        }
        let mut miss = |what: &str, theirs: BTreeSet<String>, ours: &BTreeSet<String>| {
            missing.extend(theirs.difference(ours).map(|name| format!("{id}: {what} {name}")));
        };
        let parameter = |p: &Value| format!("{} {}", p["in"].as_str().unwrap_or(""), p["name"].as_str().unwrap_or(""));
        let parameters = ours["parameters"].as_array().into_iter().flatten().map(parameter).collect();
        miss("parameter", names(&theirs["parameters"]), &parameters);

        // What the contract does not require, a client may leave out.
        let body = resolved(&document, &ours["requestBody"]["content"]["application/json"]["schema"]);
        miss("is required here but not in the contract:", names(&body["required"]), &names(&theirs["required"]));
        let known: BTreeSet<String> = body["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()).collect();
        miss("request field", names(&theirs["required"]), &known);
        miss("request field", names(&theirs["optional"]), &known);
        assert!(theirs["deprecated"] == false || ours["deprecated"] == true, "{id} is deprecated in the contract");

        let statuses: BTreeSet<String> = ours["responses"].as_object().into_iter().flatten().map(|(status, _)| status.clone()).collect();
        miss("success", names(&theirs["success"]), &statuses);
        for (_, status, why) in NOT_GIVEN.iter().filter(|row| row.0 == id) {
            assert!(!statuses.contains(&status.to_string()), "{id} does answer {status} now; NOT_GIVEN says: {why}");
        }
        let given = |status: &String| !NOT_GIVEN.iter().any(|(op, s, _)| *op == id && s.to_string() == *status);
        miss("error", names(&theirs["errors"]).into_iter().filter(given).collect(), &statuses);

        let mut shown = BTreeSet::new();
        for status in statuses.iter().filter(|s| s.starts_with('2')) {
            fields(&document, &ours["responses"][status]["content"]["application/json"]["schema"], "", 0, &mut shown);
        }
        miss("answers", names(&theirs["response"]), &shown);
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
