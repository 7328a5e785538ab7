"""The chart's `settings` as a JSON schema, out of docs/configuration.md, which the program writes. `--write` puts it into values.schema.json."""

import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCHEMA = ROOT / "helm/backchannel/values.schema.json"

# The chart sets these itself, out of values of their own.
OWNED = {"PORT", "METRICS_PORT", "REDIS_URL", "ADMIN_TOKEN"}
ROW = re.compile(r"^\| `BACKCHANNEL_(\w+)` \| (.*?) \| (.*?) \| (.*?) \|$")
RANGE = re.compile(r"^a (?:whole )?number(?: of \w+)? from (\d+) to (\d+)")


def all_settings():
    """Name → (what it must be, what it does) of every setting that `serve` and `worker` have."""
    found, section = {}, ""
    for line in (ROOT / "docs/configuration.md").read_text().splitlines():
        if line.startswith("## "):
            section = line[3:]
        row = ROW.match(line)
        if row and section != "Only for dev":
            found[row[1]] = (row[3], row[4])
    return found


def of_setting(must_be, does):
    kind = {"type": "string"}
    span = RANGE.match(must_be)
    if span:
        whole = must_be.startswith("a whole number")
        kind = {"type": "integer" if whole else "number", "minimum": int(span[1]), "maximum": int(span[2])}
    elif must_be == "true or false":
        kind = {"type": "boolean"}
    return {"description": f"{does} {must_be[0].upper()}{must_be[1:]}.", **kind}


def settings_schema():
    properties = {name: of_setting(*texts) for name, texts in all_settings().items() if name not in OWNED}
    return {"type": "object", "additionalProperties": False, "properties": properties}


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: settings_schema.py --write")
    schema = json.loads(SCHEMA.read_text())
    schema["properties"]["settings"] = settings_schema()
    SCHEMA.write_text(json.dumps(schema, indent=2) + "\n")
