"""Alerts and the dashboard ask only for metrics and labels that the program has, as its source declares them."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ROOT / "helm/backchannel/files"

# What the collector for processes of the prometheus crate adds, and what Prometheus writes about each target.
PROCESS = {
    f"process_{m}"
    for m in ("cpu_seconds_total", "open_fds", "max_fds", "virtual_memory_bytes", "resident_memory_bytes", "start_time_seconds", "threads")
}
# Of the target, not of the program.
TARGET_LABELS = {"namespace", "job", "instance", "pod", "le"}

DECLARED = re.compile(r'"(backchannel_[a-z_]+)"')
# Up to the end of the declaration: `)?,` or `)?;`, at the latest the next name.
LABELS = re.compile(r"&\[((?:\s*\"[a-z_]+\",?)+)\s*\]")
USED = re.compile(r"\b((?:backchannel|process)_[a-z_]+|up)\b(?:\{([^}]*(?:\{id\}[^}]*)*)\})?")


def declared():
    """Metric → its labels."""
    found = {m: set() for m in PROCESS} | {"up": set()}
    for file in (ROOT / "src").rglob("*.rs"):
        source = file.read_text().split("#[cfg(test)]")[0]
        for match in DECLARED.finditer(source):
            call = re.search(r"([\w:]+)\($", source[: match.start()].rstrip())
            if not call:
                continue
            end = re.compile(r"\)\?[,;]").search(source, match.end())
            declaration = source[match.end() : end.end() if end else None]
            labels = LABELS.search(declaration)
            # A list of labels; or, in a shorthand of ours for a vector with one label, the one text that is a single word.
            fixed = re.search(r"const_label\(\"([a-z_]+)\"", declaration)
            named = labels[1] if labels else f'"{fixed[1]}"' if fixed else "" if call[1].endswith("::new") else declaration
            endings = ("_bucket", "_sum", "_count") if "Histogram" in call[1] else ("",)
            found |= {match[1] + ending: set(re.findall(r'"([a-z_]+)"', named)) for ending in endings}
    return found


def used():
    """(where, metric, labels) of each question."""
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text())
    for rule in (r for g in rules["groups"] for r in g["rules"]):
        yield from questions(f"alert {rule['alert']}", rule["expr"])
    dashboard = json.loads((FILES / "dashboard.json").read_text())
    for panel in dashboard["panels"]:
        for target in panel.get("targets", []):
            yield from questions(f"panel {panel['title']}", target["expr"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield from questions(f"variable {variable['name']}", variable["query"])


def questions(where, text):
    # `by (…)` names labels, which may be called like nothing that is declared.
    for match in USED.finditer(text):
        yield where, match[1], set(re.findall(r"([a-z_]+)\s*(?:=|!=|=~|!~)\s*\"", match[2] or ""))


def wrong():
    known, asked = declared(), list(used())
    if len(known) < len(PROCESS) + 8:
        yield f"only {sorted(known)} were found in src: the way they are declared has changed"
    for where, metric, labels in asked:
        if metric not in known:
            yield f"{where} asks for {metric}, which the program does not have"
        elif labels - known[metric] - TARGET_LABELS:
            yield f"{where}: {metric} has no label {', '.join(sorted(labels - known[metric] - TARGET_LABELS))}"
    handbook = (ROOT / "docs/operations.md").read_text()
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text())
    for rule in (r for g in rules["groups"] for r in g["rules"]):
        if f"### {rule['alert']}\n" not in handbook:
            yield f"docs/operations.md does not say what to do about {rule['alert']}"
    tests = (ROOT / "scripts/deploy/alerts_test.yaml").read_text()
    for rule in (r for g in rules["groups"] for r in g["rules"]):
        if not re.search(rf"alertname: {rule['alert']}\n\s+exp_alerts:", tests):
            yield f"alerts_test.yaml never makes {rule['alert']} fire"
