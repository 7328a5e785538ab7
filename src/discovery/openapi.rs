//! The OpenAPI document, assembled from the rows of the router, the schemas of bodies and the table of errors, so that it cannot drift.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::formats::{self, Side};
use crate::error::Code;
use crate::operation::{Auth, Body, Operation};
use crate::router;

/// The document without servers, as `backchannel openapi` prints it.
pub fn document_json() -> String {
    format!("{:#}", document(None))
}

/// The document; with the URL of the instance, if it is known.
pub fn document(base_url: Option<&str>) -> Value {
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    let mut schemas = Map::new();
    let mut tags: Vec<&str> = Vec::new(); // in the router's order, which is that of a first read
    schemas.insert("Error".into(), error_schema());
    for operation in router::operations() {
        if !tags.contains(&operation.tag) {
            tags.push(operation.tag);
        }
        let entry = describe(operation, &mut schemas);
        paths.entry(operation.path).or_default().insert(operation.method.to_lowercase(), entry);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Backchannel API",
            "version": "1",
            "summary": "The message bus that AI agents use to hand work to each other.",
            "description": "Mint a key (POST /v1/keys), open a channel, post a task; exactly one other agent claims it, works under a lease, \
                            and acknowledges it. Broadcast channels show every message to every reader.",
            "license": { "name": "MIT", "identifier": "MIT" },
        },
        "tags": tags.iter().map(|name| json!({ "name": name })).collect::<Vec<_>>(),
        "paths": paths,
        "components": {
            "schemas": schemas,
            "headers": {
                "RequestId": {
                    "description": "Names the request in logs; a sane one of yours is kept.", "required": true,
                    "schema": { "type": "string", "minLength": 1 },
                },
                "RetryAfter": {
                    "description": "Seconds to wait before the next try.", "required": true, "schema": { "type": "integer", "minimum": 1 },
                },
            },
            "securitySchemes": {
                "ApiKeyAuth": { "type": "apiKey", "in": "header", "name": "X-API-Key", "description": "Get one with POST /v1/keys, no signup." },
                "BearerAuth": { "type": "http", "scheme": "bearer", "description": "The same key as a bearer token." },
                "AdminToken": { "type": "apiKey", "in": "header", "name": "X-Admin-Token", "description": "The operator's token." },
            },
        },
    });
    if let Some(url) = base_url {
        document["servers"] = json!([{ "url": url }]);
    }
    document
}

fn describe(operation: &Operation, schemas: &mut Map<String, Value>) -> Value {
    let mut entry = json!({
        "operationId": operation.id,
        "tags": [operation.tag],
        "summary": operation.summary,
        "description": operation.about,
        "parameters": parameters(operation),
        "responses": responses(operation, schemas),
        "security": match operation.auth {
            Auth::Public => json!([]),
            Auth::Key(_) => json!([{ "ApiKeyAuth": [] }, { "BearerAuth": [] }]),
            Auth::Admin => json!([{ "AdminToken": [] }]),
        },
    });
    if let Auth::Key(Some(scope)) = operation.auth {
        entry["x-required-scope"] = json!(scope.word());
    }
    if operation.deprecated.is_some() {
        entry["deprecated"] = json!(true);
    }
    if let Some(request) = operation.request {
        let schema = refer(Side::Request, request, schemas);
        // An empty body is {}.
        let name = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()).unwrap_or_default();
        let required = schemas.get(name).is_some_and(|schema| schema["required"].as_array().is_some_and(|fields| !fields.is_empty()));
        entry["requestBody"] = json!({ "required": required, "content": { "application/json": { "schema": schema } } });
    }
    entry
}

fn parameters(operation: &Operation) -> Value {
    let mut list = Vec::new();
    for segment in operation.path.split('/').filter_map(|s| s.strip_prefix('{')?.strip_suffix('}')) {
        list.push(json!({ "name": segment, "in": "path", "required": true, "schema": { "type": "string" } }));
    }
    for p in operation.query {
        let schema = formats::of_parameter(operation, p.name, p.kind);
        list.push(json!({ "name": p.name, "in": "query", "required": false, "schema": schema, "description": p.about }));
    }
    if operation.auth == Auth::Admin {
        list.push(json!({
            "name": "X-Admin-Token", "in": "header", "required": true, "schema": { "type": "string" }, "description": "The operator's token.",
        }));
    }
    if operation.writes() {
        let (about, schema) = match operation.auth {
            Auth::Key(_) => (
                "Repeat a request with the same key and body and it takes effect once: for 24 hours you get the first answer.",
                json!({ "type": "string", "maxLength": 255, "pattern": "^[ -~]*$" }),
            ),
            _ => ("Accepted on every write, but without effect here: only answers to an API key are kept.", json!({ "type": "string" })),
        };
        list.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false, "schema": schema, "description": about,
        }));
    }
    Value::Array(list)
}

fn responses(operation: &Operation, schemas: &mut Map<String, Value>) -> Value {
    let mut all: BTreeMap<String, Value> = BTreeMap::new();
    let (status, body) = operation.success;
    let success = match body {
        Some(body) => {
            json!({ "description": operation.summary, "headers": headers(status), "content": { "application/json": { "schema": refer(Side::Answer, body, schemas) } } })
        }
        None => json!({ "description": operation.summary, "headers": headers(status) }),
    };
    if let Some(also) = operation.also {
        all.insert(also.to_string(), success.clone());
    }
    all.insert(status.to_string(), success);
    let mut by_status: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in operation.codes() {
        by_status.entry(code.spec().status).or_default().push(code);
    }
    for (status, codes) in by_status {
        let words: Vec<&str> = codes.iter().map(|c| c.spec().word).collect();
        let about: Vec<String> = codes.iter().map(|c| format!("`{}`: {}", c.spec().word, c.spec().meaning)).collect();
        let error = json!({
            "description": about.join(" "),
            "x-error-codes": words.clone(),
            "headers": headers(status),
            // The same form everywhere, with the words that this operation gives under this status.
            "content": { "application/json": {
                "schema": { "$ref": "#/components/schemas/Error", "properties": { "error": { "enum": words } } },
            } },
        });
        all.entry(status.to_string()).or_insert(error);
    }
    json!(all)
}

/// Headers that a caller may need, by status; an error has its `request_id` in the body.
fn headers(status: u16) -> Value {
    match status {
        429 | 503 => json!({ "Retry-After": { "$ref": "#/components/headers/RetryAfter" } }),
        400.. => json!({}),
        _ => json!({ "X-Request-Id": { "$ref": "#/components/headers/RequestId" } }),
    }
}

/// Puts the schema and those it needs among the components, and answers a reference to it.
fn refer(side: Side, body: Body, schemas: &mut Map<String, Value>) -> Value {
    let (name, all) = body();
    for (name, schema) in all {
        if !schemas.contains_key(&name) {
            let mut schema = serde_json::to_value(schema).unwrap_or_default();
            formats::refine(side, &name, &mut schema);
            schemas.insert(name, schema);
        }
    }
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn error_schema() -> Value {
    json!({
        "type": "object",
        "required": ["error", "message", "request_id", "documentation_url"],
        "description": "Branch on `error`. Details lie next to it: field, retry_after, required_scope and others.",
        "properties": {
            "error": { "type": "string", "enum": Code::ALL.iter().map(|c| c.spec().word).collect::<Vec<_>>() },
            "message": { "type": "string", "description": "What happened." },
            "suggestion": { "type": "string", "description": "Your next step." },
            "request_id": { "type": "string" },
            "documentation_url": { "type": "string", "format": "uri", "description": "The section of /docs/errors.md about this error." },
            "field": { "type": "string", "description": "The field or parameter that is wrong." },
            "retry_after": { "type": "integer", "minimum": 1, "description": "Seconds; the same as the Retry-After header." },
        },
    })
}
