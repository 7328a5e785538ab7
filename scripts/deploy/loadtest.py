"""The load test in the cluster: the pod finds the scripts of loadtest/k6 as they lie there, and is given names that they know."""

import pathlib
import re

import objects

ROOT = pathlib.Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "loadtest/k6"


def wrong(rendered):
    found = objects.Objects(rendered)
    files = {str(p.relative_to(SCRIPTS)): p.read_text() for p in SCRIPTS.rglob("*.js")}
    known = {name for text in files.values() for name in re.findall(r"__ENV\.(\w+)", text)}
    maps = {o["metadata"]["name"]: o["data"] for o in found.of("ConfigMap")}
    if len(found.workloads()) != 1:
        yield "there must be one workload"
    for o, template in found.workloads():
        spec = template["spec"]
        [container] = spec["containers"]
        [volume] = [v for v in spec["volumes"] if "configMap" in v]
        [mount] = [m for m in container["volumeMounts"] if m["name"] == volume["name"]]
        data = maps.get(volume["configMap"]["name"], {})
        there = {item["path"]: data.get(item["key"]) for item in volume["configMap"]["items"]}
        for file in sorted(files.keys() | there.keys()):
            if there.get(file) != files.get(file):
                yield f"{objects.name(o)}: {mount['mountPath']}/{file} is not loadtest/k6/{file}: add it to loadtest/k6/kustomization.yaml and to the volume's items"
        script = o["spec"]["script"]["localFile"] if o["kind"] == "TestRun" else container["args"][-1]
        if script != f"{mount['mountPath']}/main.js":
            yield f"{objects.name(o)} runs {script}"
        for name in {e["name"] for e in container["env"]} - known:
            yield f"{objects.name(o)}: the scripts do not read {name}"
        pinned = (SCRIPTS / "requirements.txt").read_text().split("k6==")[1].strip()
        if container["image"] != f"grafana/k6:{pinned}":
            yield f"{objects.name(o)}: {container['image']} is not the version that is tested, {pinned}"
