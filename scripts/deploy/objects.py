"""What must hold of every set of Kubernetes objects that the chart and the overlays give. Each check yields sentences about what is wrong."""

import functools
import ipaddress

import jsonschema
import kubernetes_validate

from crds import CRDS

# The oldest one that the chart allows, and the newest whose schemas are here.
VERSIONS = ("1.30", "1.37")

PRIVATE = (
    "0.0.0.0 10.1.2.3 100.64.0.1 100.127.255.254 127.0.0.1 169.254.169.254 172.16.0.1 172.31.255.254 192.0.0.192 192.168.1.1 198.18.0.1 224.0.0.1 "
    "255.255.255.255 ::1 ::ffff:10.0.0.1 64:ff9b::a00:1 fc00::1 fd00:ec2::254 fe80::1 ff02::1 2002:a00:1::1 2001::1 2001:db8::1"
).split()
PUBLIC = ("1.1.1.1", "93.184.215.14", "2606:4700::1111")


class Objects:
    """The objects of one rendering; `existing` are the Secrets that are made elsewhere."""

    def __init__(self, objects, existing=(), policies=True):
        self.all, self.existing, self.policies = objects, set(existing), policies

    def of(self, *kinds):
        return [o for o in self.all if o["kind"] in kinds]

    def workloads(self):
        """(object, its pod template)"""
        found = [(o, o["spec"]["template"]) for o in self.of("Deployment", "StatefulSet", "Job")]
        return found + [(o, o) for o in self.of("Pod")] + [(o, runner(o)) for o in self.of("TestRun")]

    def component(self, kind, part):
        return next((o for o in self.of(kind) if part_of(o) == part), None)

    def settings(self):
        maps = [o for o in self.of("ConfigMap") if "BACKCHANNEL_" in "".join(o.get("data", {}))]
        return {k: v for o in maps for k, v in o["data"].items()}


def runner(run):
    """The pod that the k6 operator makes of a TestRun, as far as it is said there."""
    said = run["spec"]["runner"]
    container = {
        "name": "k6",
        "image": said["image"],
        "securityContext": said["containerSecurityContext"],
        **{part: said[part] for part in ("env", "resources", "volumeMounts")},
    }
    pod = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": said["automountServiceAccountToken"] != "false",
        # Of the operator's choosing; k6 reads no BACKCHANNEL_PORT.
        "enableServiceLinks": False,
        "serviceAccountName": "default",
        "securityContext": said["securityContext"],
        "volumes": said["volumes"],
        "containers": [container],
    }
    return {"metadata": run["metadata"], "spec": pod}


def part_of(thing):
    return thing["metadata"].get("labels", {}).get("app.kubernetes.io/component")


def name(thing):
    return f"{thing['kind']}/{thing['metadata']['name']}"


def selects(selector, labels):
    """Whether a label selector, or the plain map of a Service, takes these labels."""
    wanted = selector.get("matchLabels", {}) if {"matchLabels", "matchExpressions"} & set(selector) else selector
    for e in selector.get("matchExpressions", []):
        if e["operator"] != "In" or labels.get(e["key"]) not in e["values"]:
            return False
    return all(labels.get(k) == v for k, v in wanted.items())


def labels_of(template):
    return template["metadata"].get("labels", {})


@functools.lru_cache(maxsize=None)
def has_schema(version, api, kind):
    try:
        kubernetes_validate.validate({"apiVersion": api, "kind": kind}, version, strict=True)
    except (kubernetes_validate.SchemaNotFoundError, kubernetes_validate.InvalidSchemaError):
        return False
    except kubernetes_validate.ValidationError:
        pass
    return True


def schemas(objects):
    for o in objects.all:
        if o["kind"] in CRDS:
            version, schema = CRDS[o["kind"]]
            if o["apiVersion"] != version:
                yield f"{name(o)} is {o['apiVersion']}, not {version}"
            for e in jsonschema.Draft7Validator(schema).iter_errors(o["spec"]):
                yield f"{name(o)}: {e.json_path}: {e.message}"
            continue
        for version in VERSIONS:
            if not has_schema(version, o["apiVersion"], o["kind"]):
                yield f"{name(o)}: Kubernetes {version} knows no {o['apiVersion']} {o['kind']}"
                continue
            try:
                kubernetes_validate.validate(o, version, strict=True)
            except kubernetes_validate.ValidationError as e:
                yield f"{name(o)} for Kubernetes {version}: {e.message} at {'.'.join(map(str, e.path))}"
    seen = [(o["kind"], o["metadata"]["name"]) for o in objects.all]
    for twice in {s for s in seen if seen.count(s) > 1}:
        yield f"{'/'.join(twice)} is there twice"


def pods(objects):
    for o, template in objects.workloads():
        spec = template["spec"]
        security = spec.get("securityContext", {})
        runs_to_end = spec.get("restartPolicy") == "Never"
        if security.get("runAsNonRoot") is not True or not security.get("runAsUser") or security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name(o)}: its pods must run as a numeric non-root user, with the seccomp profile of the runtime"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name(o)}: its pods must get no token"
        if spec.get("enableServiceLinks") is not False:
            yield f"{name(o)}: a Service called backchannel would set BACKCHANNEL_PORT (enableServiceLinks)"
        for c in spec["containers"] + spec.get("initContainers", []):
            where = f"{name(o)}, container {c['name']}"
            for kind in ("requests", "limits"):
                missing = {"cpu", "memory"} - set(c.get("resources", {}).get(kind, {}))
                if missing:
                    yield f"{where}: no {kind} for {', '.join(sorted(missing))}"
            own = c.get("securityContext", {})
            if own.get("readOnlyRootFilesystem") is not True or own.get("allowPrivilegeEscalation") is not False or own.get("capabilities") != {"drop": ["ALL"]}:
                yield f"{where}: it must have a read-only root, no capabilities and no way to more rights"
            if not runs_to_end:
                for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                    if probe not in c:
                        yield f"{where}: no {probe}"
            if any(not p.get("name") for p in c.get("ports", [])):
                yield f"{where}: a port without a name"
            if c["image"].endswith(":latest") or not (":" in c["image"].split("/")[-1]):
                yield f"{where}: {c['image']} may be another image tomorrow"


def probes(objects):
    paths = {"startupProbe": "/startupz", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    for o, template in objects.workloads():
        if part_of(o) not in ("api", "worker"):
            continue
        for c in template["spec"]["containers"]:
            for probe, path in paths.items():
                if c.get(probe, {}).get("httpGet", {}).get("path") != path:
                    yield f"{name(o)}: {probe} must ask {path}"
                if c.get(probe, {}).get("httpGet", {}).get("port") != "metrics":
                    yield f"{name(o)}: {probe} must ask the port of the metrics, which connections of clients cannot fill"
            if c.get("args") != [{"api": "serve", "worker": "worker"}[part_of(o)]]:
                yield f"{name(o)}: it runs {c.get('args')}"


def ports(objects):
    for o, template in objects.workloads():
        for c in template["spec"]["containers"]:
            named = {p["name"] for p in c.get("ports", [])}
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                for how in ("httpGet", "tcpSocket"):
                    asked = c.get(probe, {}).get(how, {}).get("port")
                    if asked and asked not in named:
                        yield f"{name(o)}: {probe} asks port {asked}, which is not among {sorted(named)}"
    for service in objects.of("Service"):
        taken = [t for _, t in objects.workloads() if selects(service["spec"]["selector"], labels_of(t))]
        if not taken:
            yield f"{name(service)} selects no pod"
        for p in service["spec"]["ports"]:
            if not p.get("name"):
                yield f"{name(service)}: a port without a name"
            for t in taken:
                if p["targetPort"] not in {q["name"] for c in t["spec"]["containers"] for q in c.get("ports", [])}:
                    yield f"{name(service)}: {p['targetPort']} is no port of the pods that it selects"
        if part_of(service) == "api" and any(labels_of(t)["app.kubernetes.io/component"] != "api" for t in taken):
            yield f"{name(service)} leads requests to pods that are not the API"
    services = {s["metadata"]["name"]: {p["name"] for p in s["spec"]["ports"]} for s in objects.of("Service")}
    for ingress in objects.of("Ingress"):
        for path in (p for r in ingress["spec"]["rules"] for p in r["http"]["paths"]):
            backend = path["backend"]["service"]
            if backend["port"].get("name") not in services.get(backend["name"], ()):
                yield f"{name(ingress)} leads to {backend}, which is not there"
    for route in objects.of("HTTPRoute"):
        for backend in (b for r in route["spec"]["rules"] for b in r["backendRefs"]):
            if backend["name"] not in services:
                yield f"{name(route)} leads to {backend}, which is not there"


def selectors(objects):
    templates = [labels_of(t) for _, t in objects.workloads()]
    for o in objects.of("Deployment", "StatefulSet"):
        if not selects(o["spec"]["selector"], labels_of(o["spec"]["template"])):
            yield f"{name(o)} does not select its own pods"
        if sum(selects(o["spec"]["selector"], t) for t in templates) != 1:
            yield f"{name(o)} also selects pods of others"
        for spread in o["spec"]["template"]["spec"].get("topologySpreadConstraints", []):
            if not selects(spread["labelSelector"], labels_of(o["spec"]["template"])):
                yield f"{name(o)} spreads pods that are not its own"
    for o, where in [(o, "selector") for o in objects.of("PodDisruptionBudget")] + [(o, "podSelector") for o in objects.of("NetworkPolicy")]:
        if sum(selects(o["spec"][where], t) for t in templates) != 1:
            yield f"{name(o)} must select the pods of one workload"
    deployments = {o["metadata"]["name"]: o for o in objects.of("Deployment")}
    for o in objects.of("HorizontalPodAutoscaler", "ScaledObject"):
        target = deployments.get(o["spec"]["scaleTargetRef"]["name"])
        if target is None:
            yield f"{name(o)} scales nothing that is there"
        elif "replicas" in target["spec"]:
            yield f"{name(target)} has replicas, which each upgrade would set back, beside {name(o)}"
    for monitor in objects.of("ServiceMonitor"):
        taken = [s for s in objects.of("Service") if selects(monitor["spec"]["selector"], s["metadata"]["labels"])]
        ports_there = {p["name"] for s in taken for p in s["spec"]["ports"]}
        if len(taken) != 1 or {e["port"] for e in monitor["spec"]["endpoints"]} - ports_there:
            yield f"{name(monitor)} finds no metrics"


def references(objects):
    maps = {o["metadata"]["name"] for o in objects.of("ConfigMap")}
    secrets = {o["metadata"]["name"] for o in objects.of("Secret")} | objects.existing
    accounts = {o["metadata"]["name"] for o in objects.of("ServiceAccount")} | {"default"}
    for o, template in objects.workloads():
        spec = template["spec"]
        containers = spec["containers"]
        asked = {e["configMapRef"]["name"] for c in containers for e in c.get("envFrom", [])}
        asked |= {v["configMap"]["name"] for v in spec.get("volumes", []) if "configMap" in v}
        keys = {e["valueFrom"]["secretKeyRef"]["name"] for c in containers for e in c.get("env", []) if "secretKeyRef" in e.get("valueFrom", {})}
        keys |= {v["secret"]["secretName"] for v in spec.get("volumes", []) if "secret" in v}
        for missing in (asked - maps) | (keys - secrets):
            yield f"{name(o)} needs {missing}, which is not there"
        if spec.get("serviceAccountName") not in accounts:
            yield f"{name(o)} runs as {spec.get('serviceAccountName')}, which is not there"
        for c in containers:
            volumes = {v["name"] for v in spec.get("volumes", [])} | {v["metadata"]["name"] for v in o["spec"].get("volumeClaimTemplates", [])}
            for mount in c.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{name(o)} mounts {mount['name']}, which is not there"
            above = set()
            for e in c.get("env", []):
                for used in [w.split(")")[0] for w in e.get("value", "").split("$(")[1:]]:
                    if used not in above:
                        yield f"{name(o)}: {e['name']} uses $({used}), which does not stand above it"
                above.add(e["name"])


def leaving(objects):
    """A rollout loses no request: the successor first, then time for load balancers, then time for what runs and waits."""
    settings = objects.settings()
    drain = float(settings.get("BACKCHANNEL_DRAIN_SECONDS", 20))
    wait = float(settings.get("BACKCHANNEL_LONGPOLL_MAX_WAIT_SECONDS", 25))
    one_try = float(settings.get("BACKCHANNEL_WEBHOOK_TIMEOUT_SECONDS", 15))
    for part in ("api", "worker"):
        o = objects.component("Deployment", part)
        if o is None:
            continue
        spec = o["spec"]["template"]["spec"]
        pause = spec["containers"][0].get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
        needed = pause + max(drain, wait if part == "api" else one_try)
        if spec["terminationGracePeriodSeconds"] <= needed:
            yield f"{name(o)}: a grace period of {spec['terminationGracePeriodSeconds']} s does not cover {needed} s"
        if part == "api" and o["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0:
            yield f"{name(o)}: a replica leaves before its successor is ready"


def walls(objects):
    """A budget and a policy for each part; the worker reaches public addresses, Redis and names, nothing else."""
    for part in ("api", "worker"):
        deployment = objects.component("Deployment", part)
        if deployment is None or not objects.policies:
            continue
        if objects.component("PodDisruptionBudget", part) is None:
            yield f"{name(deployment)} has no PodDisruptionBudget"
        policy = objects.component("NetworkPolicy", part)
        if policy is None or set(policy["spec"]["policyTypes"]) != {"Ingress", "Egress"}:
            yield f"{name(deployment)} has no NetworkPolicy for both ways"
            continue
        for rule in policy["spec"]["egress"]:
            if not rule.get("to") or not (rule.get("ports") or any("ipBlock" in t for t in rule["to"])):
                yield f"{name(policy)}: a rule for egress without where, or without ports"
    policy = objects.component("NetworkPolicy", "worker")
    if policy is None:
        return
    wide = [t["ipBlock"] for r in policy["spec"]["egress"] for t in r["to"] if "ipBlock" in t and ipaddress.ip_network(t["ipBlock"]["cidr"]).prefixlen < 8]
    for address in PRIVATE:
        if reached(wide, address):
            yield f"{name(policy)}: webhooks could reach {address}"
    for address in PUBLIC:
        if not reached(wide, address):
            yield f"{name(policy)}: webhooks cannot reach {address}"


def reached(blocks, address):
    ip = ipaddress.ip_address(address)

    def within(cidr):
        net = ipaddress.ip_network(cidr)
        return net.version == ip.version and ip in net

    return any(within(b["cidr"]) and not any(within(e) for e in b.get("except", [])) for b in blocks)


CHECKS = (pods, probes, ports, selectors, references, leaving, walls)


def wrong(objects):
    # The other checks rely on the form.
    return list(schemas(objects)) or [f"{check.__name__}: {sentence}" for check in CHECKS for sentence in check(objects)]
