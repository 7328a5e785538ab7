"""Renders the chart and the overlays and checks what comes out. Called by scripts/check-deploy.sh; ends with 1 and sentences if anything is wrong."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import yaml

import compose
import image
import loadtest
import metrics
import objects
import plain
import proxies
import refusals
import settings_schema
import values_readme

ROOT = pathlib.Path(__file__).resolve().parents[2]
CHART = ROOT / "helm/backchannel"
TOOLS = ROOT / ".tools/bin"
LOAD = ROOT / "k8s/loadtest"

# Secrets that the values and overlays say are made elsewhere.
ELSEWHERE = {
    "external-values.yaml": ["redis-ca"],
    "cluster-values.yaml": ["redis", "admin", "collector"],
    "url-secret-values.yaml": ["redis-url"],
    "values-public.yaml": ["backchannel-redis", "backchannel-admin", "backchannel-redis-ca"],
    "prod": ["backchannel-redis", "backchannel-admin"],
    "base": ["backchannel-redis", "backchannel-admin"],
    "loadtest": ["backchannel-admin"],
    "operator": ["backchannel-admin"],
}
# What a rendering is without on purpose.
WITHOUT_POLICIES = {"url-secret-values.yaml"}


def run(*command):
    return subprocess.run([str(c) for c in command], capture_output=True, text=True, cwd=ROOT)


def rendered(name, *command):
    done = run(*command)
    if done.returncode:
        return name, [f"{' '.join(map(str, command))}: {done.stderr.strip()}"]
    found = [o for o in yaml.safe_load_all(done.stdout) if o]
    return name, objects.wrong(objects.Objects(found, ELSEWHERE.get(name, ()), name not in WITHOUT_POLICIES)) + list(written(found))


def written(found):
    """Settings arrive as the program reads them."""
    for name, value in objects.Objects(found).settings().items():
        if re.search(r"\de[+-]?\d", value):
            yield f"{name} arrives as {value}"
        if name.removeprefix("BACKCHANNEL_") not in settings_schema.all_settings():
            yield f"the program has no setting {name}"


def chart(values):
    flags = ["-f", values] if values else []
    lint = run(TOOLS / "helm", "lint", "--strict", "--quiet", CHART, *flags)
    name, found = rendered(values.name if values else "without values", TOOLS / "helm", "template", "bus", CHART, "--namespace", "bus", *flags)
    return name, ([lint.stdout + lint.stderr] if lint.returncode else []) + found


def overlay(folder):
    return rendered(folder.name, TOOLS / "kubectl", "kustomize", folder)


def load(folder):
    name, found = overlay(folder)
    done = run(TOOLS / "kubectl", "kustomize", folder)
    return f"load test: {name}", found + list(loadtest.wrong([o for o in yaml.safe_load_all(done.stdout) if o]))


def refused():
    """Values that must not install, and the words that say why."""
    for what, values, words in refusals.REFUSED:
        with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
            yaml.safe_dump(values, file)
            done = run(TOOLS / "helm", "template", "bus", CHART, "-f", file.name)
        if done.returncode == 0:
            yield f"the chart takes {what}"
        elif words not in " ".join(done.stderr.split()):
            yield f"the chart refuses {what} without saying {words!r}: {done.stderr.strip()}"


def committed():
    """What is written by scripts is what they would write now."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    if schema["properties"]["settings"] != settings_schema.settings_schema():
        yield "values.schema.json is not what docs/configuration.md says: .tools/venv/bin/python scripts/deploy/settings_schema.py --write"
    if (CHART / "README.md").read_text() != values_readme.readme():
        yield "helm/backchannel/README.md is old: .tools/venv/bin/python scripts/deploy/values_readme.py --write"
    stale = plain.stale()
    if stale:
        yield f"k8s/ is not what the chart says ({', '.join(stale)}): .tools/venv/bin/python scripts/deploy/plain.py --write"
    yield from schema_covers(schema, yaml.safe_load((CHART / "values.yaml").read_text()), "values.schema.json")
    app = re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]
    if yaml.safe_load((CHART / "Chart.yaml").read_text())["appVersion"] != app:
        yield f"Chart.yaml's appVersion is not {app}, the version in Cargo.toml"


def schema_covers(schema, values, where):
    """Every group is closed, and everything in values.yaml is known to the schema."""
    if schema.get("properties") and schema.get("additionalProperties") is not False:
        yield f"{where} takes unknown names"
    for key, value in values.items():
        inner = schema.get("properties", {}).get(key)
        if inner is None and schema.get("additionalProperties") is False:
            yield f"{where} does not know {key}"
        if isinstance(value, dict) and inner and inner.get("properties"):
            yield from schema_covers(inner, value, f"{where}.{key}")


def main():
    sets = [None, *sorted((CHART / "ci").glob("*.yaml")), CHART / "values-public.yaml"]
    overlays = [ROOT / "k8s/base", *sorted((ROOT / "k8s/overlays").iterdir())]
    with ThreadPoolExecutor(2) as pool:
        results = [*pool.map(chart, sets), *pool.map(overlay, overlays), *pool.map(load, (LOAD, LOAD / "operator"))]
    results += [
        ("values that are refused", list(refused())),
        ("files written by scripts", list(committed())),
        ("metrics, alerts, dashboard", list(metrics.wrong())),
        ("image", list(image.wrong())),
        ("proxies", list(proxies.wrong())),
        ("compose files", list(compose.wrong(settings_schema.all_settings()))),
    ]
    for name, sentences in results:
        print(f"{'ok' if not sentences else 'WRONG':6}{name}")
        for sentence in sentences:
            print(f"      {sentence}")
    return 1 if any(sentences for _, sentences in results) else 0


if __name__ == "__main__":
    sys.exit(main())
