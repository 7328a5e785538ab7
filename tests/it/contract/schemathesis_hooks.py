"""What settings cannot say: requests that the fuzzer must not make, and the one 5xx that is meant."""

import itertools
import os
import re
from urllib.parse import urlsplit

import schemathesis

LIKE_AN_ID = re.compile("(ch|msg|act|bck|lease|inv|acr|evt|ses)_|result-of-msg_")
SERIAL = itertools.count()
OWN = os.environ["API_KEY"].split(".")[0]


def is_trimmed(value):
    return not isinstance(value, str) or value == value.strip() or not value.strip()


@schemathesis.hook
def filter_case(context, case):
    operation = f"{case.method} {case.path}"
    fields = case.body if isinstance(case.body, dict) else {}
    # It would revoke the key that it works with, and close the door to new ones.
    if operation == "DELETE /v1/admin/keys/{key_id}" and (case.path_parameters or {}).get("key_id") == OWN:
        return False
    if operation == "POST /v1/admin/minting" and fields.get("enabled") is False:
        return False
    # An empty body is {}, and a parameter without a value is absent: neither is the mistake that the fuzzer takes it for.
    if isinstance(case.body, str | bytes) and not case.body.strip():
        return False
    if any(value in ("", None, [], {}) for value in (case.query or {}).values()):
        return False
    # Where there is a cursor, nobody looks at since: whatever stands there is accepted.
    if any(given.get("cursor") and "since" in given for given in (fields, case.query or {})):
        return False
    # A name must not look like an id. It takes ids out of earlier answers, and the schema says this in words only.
    if any(LIKE_AN_ID.match(str(fields.get(field) or "").strip()) for field in ("name", "alias", "actor")):
        return False
    # Nothing is sent to where a random URL leads.
    for field in ("webhook_url", "url"):
        if str(fields.get(field) or "").strip().lower().startswith("http") and urlsplit(fields[field]).hostname != "127.0.0.1":
            return False
    # Strings are trimmed before they are looked at. A schema that counts their characters cannot say so.
    return all(is_trimmed(value) for value in fields.values())


@schemathesis.check
def no_fault(ctx, response, case):
    """Takes the place of not_a_server_error: posting to a paused channel is a 503 by the protocol, nothing else is."""
    if response.status_code >= 500 and response.json().get("error") != "channel_paused":
        raise AssertionError(f"{response.status_code}: {response.text}")


@schemathesis.hook
def before_call(context, case, kwargs):
    """Another request under a key that was used is refused (422), and no schema can say so: each request has a key of its own."""
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and key.strip() and len(key) < 200 and key.isascii() and key.isprintable():
        case.headers["Idempotency-Key"] = f"{key}-{next(SERIAL)}"
