"""The plain manifests of k8s/base and k8s/components, out of the chart, so that both say the same. `--write` writes them."""

import pathlib
import subprocess
import sys

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
K8S = ROOT / "k8s"
HEAD = "# Written by scripts/deploy/plain.py out of the chart; a test compares. What differs from place to place belongs into an overlay.\n"
# These belong to Helm.
LABELS = ("helm.sh/chart", "app.kubernetes.io/managed-by", "app.kubernetes.io/version")


def render(*flags):
    command = [ROOT / ".tools/bin/helm", "template", "backchannel", ROOT / "helm/backchannel", "-f", K8S / "values.yaml", *flags]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return [plain(o) for o in yaml.safe_load_all(out) if o and "helm.sh/hook" not in o["metadata"].get("annotations", {})]


def plain(thing):
    """Without what only Helm needs. Checksums too: a generated ConfigMap has another name when it changes."""
    if isinstance(thing, list):
        return [plain(x) for x in thing]
    if not isinstance(thing, dict):
        return thing
    kept = {k: plain(v) for k, v in thing.items() if k not in LABELS and not k.startswith("checksum/")}
    return {k: v for k, v in kept.items() if not (k == "annotations" and v == {})}


def component(thing):
    return thing["metadata"]["labels"].get("app.kubernetes.io/component")


def files():
    """Path below k8s/ → text."""
    found = {}
    for thing in render():
        if thing["kind"] == "ConfigMap":
            found["base/settings.env"] = "".join(f"{k}={v}\n" for k, v in sorted(thing["data"].items()))
        else:
            found[f"base/{name(thing)}"] = text(thing)
    for thing in render("--set", "redis.mode=bundled"):
        if component(thing) == "redis":
            found[f"components/redis/{name(thing)}"] = text(thing)
    for thing in render("--set", "api.autoscaling.enabled=true,worker.autoscaling.enabled=true"):
        if thing["kind"] == "HorizontalPodAutoscaler":
            found[f"components/autoscaling/{name(thing)}"] = text(thing)
    return found


def name(thing):
    of = component(thing)
    return f"{of + '-' if of else ''}{thing['kind'].lower()}.yaml"


def text(thing):
    return HEAD + yaml.safe_dump(thing, sort_keys=False, width=150)


def stale():
    """Files that are not what the chart says, or that it knows nothing of."""
    wanted = files()
    own = {"kustomization.yaml"}
    there = {str(p.relative_to(K8S)) for d in ("base", "components") for p in (K8S / d).rglob("*") if p.is_file() and p.name not in own}
    wrong = [p for p, t in wanted.items() if p not in there or (K8S / p).read_text() != t]
    return sorted(wrong + list(there - set(wanted)))


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: plain.py --write")
    for path in stale():
        (K8S / path).unlink(missing_ok=True)
    for path, content in files().items():
        (K8S / path).write_text(content)
