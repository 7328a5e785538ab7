"""The compose files: only keys that docker compose knows, names that are there, and what must hold of each service."""

import ipaddress
import pathlib
import re

import jsonschema
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
FILES = ("docker-compose.yml", "docker-compose.self-host.yml")

TEXT = {"type": "string"}
TEXTS = {"type": "array", "items": TEXT}
TIME = {"type": "string", "pattern": "^[0-9]+(s|m)$"}


def exactly(*required, **properties):
    return {"type": "object", "additionalProperties": False, "properties": properties, "required": list(required)}


# The part of the Compose Specification that is used here.
SERVICE = exactly(
    "image", "restart", "read_only", "cap_drop", "security_opt", "networks", "mem_limit",
    build=TEXT, image=TEXT, restart={"const": "unless-stopped"}, read_only={"const": True}, cap_drop={"const": ["ALL"]},
    security_opt={"const": ["no-new-privileges:true"]}, user=TEXT, stop_grace_period=TIME, command=TEXTS, volumes=TEXTS, networks=TEXTS,
    ulimits=exactly("nofile", nofile={"type": "integer"}), mem_limit={"type": "string", "pattern": "^[0-9]+[mg]$"}, ports={"type": "array", "items": {"type": "string", "pattern": "^127\\.0\\.0\\.1:"}},
    environment={"type": "object", "additionalProperties": TEXT}, deploy=exactly("replicas", replicas={"type": "integer", "minimum": 1}),
    depends_on={"type": "object", "additionalProperties": exactly("condition", condition={"enum": ["service_healthy", "service_started"]})},
    healthcheck=exactly("test", "interval", "timeout", "retries", test=TEXTS, interval=TIME, timeout=TIME, retries={"type": "integer", "minimum": 1}),
)
NETWORK = exactly(internal={"type": "boolean"}, ipam=exactly("config", config={"type": "array", "items": exactly("subnet", subnet=TEXT, gateway=TEXT)}))
FILE = {
    **exactly(
        "name", "services", "networks", "volumes",
        name=TEXT, services={"type": "object", "additionalProperties": SERVICE}, networks={"type": "object", "additionalProperties": NETWORK},
        volumes={"type": "object", "additionalProperties": exactly()},
    ),
    "patternProperties": {"^x-": {}},
}


def wrong(settings):
    """`settings` are the names of the program's settings."""
    for file in FILES:
        compose = yaml.safe_load((ROOT / file).read_text())
        malformed = [f"{e.json_path}: {e.message}" for e in jsonschema.Draft7Validator(FILE).iter_errors(compose)]
        # The other checks rely on the form.
        for sentence in malformed or services(compose, settings):
            yield f"{file}: {sentence}"


def services(compose, settings):
    all_services, networks = compose["services"], compose["networks"]
    for name, service in all_services.items():
        for missing in set(service["networks"]) - set(networks):
            yield f"{name} is in {missing}, which is no network"
        for missing in set(service.get("depends_on", {})) - set(all_services):
            yield f"{name} depends on {missing}, which is not there"
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            if not ((ROOT / source).exists() if source.startswith("./") else source in compose["volumes"]):
                yield f"{name} mounts {source}, which is not there"
        for wanted, how in service.get("depends_on", {}).items():
            # The image of the API has a health check of its own.
            if how["condition"] == "service_healthy" and wanted != "api" and "healthcheck" not in all_services[wanted]:
                yield f"{name} waits for the health of {wanted}, which has no check"
        if "build" not in service:
            if service["image"].endswith(":latest") or ":" not in service["image"]:
                yield f"{name}: {service['image']} may be another image tomorrow"
            continue
        environment = service["environment"]
        for variable in environment:
            if variable.removeprefix("BACKCHANNEL_") not in settings:
                yield f"{name}: the program has no setting {variable}"
        grace = int(re.sub(r"\D", "", service["stop_grace_period"]))
        if grace <= float(environment["BACKCHANNEL_DRAIN_SECONDS"]):
            yield f"{name}: stop_grace_period is not longer than DRAIN_SECONDS"
        trusted = re.sub(r"^\$\{\w+:-(.*)\}$", r"\1", environment["BACKCHANNEL_TRUSTED_PROXIES"])
        front = ipaddress.ip_network(networks["front"]["ipam"]["config"][0]["subnet"])
        if not ipaddress.ip_network(trusted).subnet_of(front):
            yield f"{name}: the trusted proxies {trusted} are not in the network {front} of the proxy"
    redis = all_services["redis"]["command"]
    if "noeviction" not in redis or redis[redis.index("--appendonly") + 1] != "yes":
        yield "Redis does not run as docs/reliability.md asks for"
    for name, service in all_services.items():
        if name == "redis" and (service["networks"] != ["back"] or not networks["back"].get("internal") or "ports" in service):
            yield "Redis can be reached from outside"
