"""Is this a valid OpenAPI 3.1 document, and does each of these answers have the shape that it declares?

Reads {"document": …, "answers": [{"operation", "status", "body"}]} from stdin; prints what is wrong, one line each.
"""

import json
import sys

from jsonschema import Draft202012Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

given = json.load(sys.stdin)
document = given["document"]
wrong = [f"document: {error.message} at {'/'.join(map(str, error.path))}" for error in OpenAPIV31SpecValidator(document).iter_errors()]
operations = {o["operationId"]: o for path in document["paths"].values() for o in path.values()}


def resolved(schema):
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    return schema


def declared(schema):
    """Names that an object of this schema may have, with their schemas; nothing when it may have any."""
    schema = resolved(schema)
    names = dict(schema.get("properties", {}))
    for word in ("allOf", "oneOf", "anyOf"):
        for part in schema.get(word, []):
            names.update(declared(part))
    return names


def items(schema):
    schema = resolved(schema)
    return schema.get("items") or next((i for part in schema.get("oneOf", []) if (i := items(part))), None)


def undeclared(value, schema, at):
    """A field that the document does not mention is one that it forgot."""
    names = declared(schema)
    if isinstance(value, dict) and names:
        for name, inner in value.items():
            if name in names:
                yield from undeclared(inner, names[name], f"{at}.{name}")
            else:
                yield f"{at}.{name} is not declared"
    elif isinstance(value, list) and items(schema):
        for inner in value:
            yield from undeclared(inner, items(schema), f"{at}[]")


for answer in given["answers"]:
    name, body = f"{answer['operation']} {answer['status']}", answer["body"]
    response = operations[answer["operation"]]["responses"].get(str(answer["status"]))
    if response is None:
        wrong.append(f"{name}: this status is not declared")
        continue
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    if (schema is None) != (body is None):
        wrong.append(f"{name}: declared {schema}, answered {body}")
    if schema is None:
        continue
    whole = {**schema, "components": document["components"]}
    wrong += [f"{name}: {error.json_path}: {error.message}" for error in Draft202012Validator(whole).iter_errors(body)]
    if answer["status"] < 400:
        wrong += [f"{name}: {what}" for what in undeclared(body, schema, "$")]

if wrong:
    sys.exit("\n".join(wrong))
