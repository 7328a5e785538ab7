"""The proxies in front: each waits longer than a call may, takes the largest body, and says itself who the client is."""

import pathlib
import re

import yaml

import settings_schema

ROOT = pathlib.Path(__file__).resolve().parents[2]
INGRESSES = ("helm/backchannel/values-public.yaml", "k8s/overlays/prod/ingress.yaml")


def text(file):
    lines = (ROOT / file).read_text().splitlines()
    return "\n".join(line for line in lines if not line.strip().startswith("#"))


def seconds(file, pattern):
    """What this pattern names, each of them in seconds."""
    found = [int(s) for s in re.findall(pattern, text(file))]
    return found or [0]


def wrong():
    settings = settings_schema.settings_schema()["properties"]
    wait = settings["LONGPOLL_MAX_WAIT_SECONDS"]["maximum"]
    idle = default("IDLE_TIMEOUT_SECONDS")
    body = 6 * default("MAX_MESSAGE_BYTES") + 128 * 1024
    waits = [
        ("deploy/haproxy.cfg", r"timeout server (\d+)s"),
        ("deploy/haproxy.cfg", r"timeout client (\d+)s"),
        ("deploy/nginx.conf", r"proxy_read_timeout (\d+)s"),
        ("deploy/Caddyfile", r"response_header_timeout (\d+)s"),
        ("helm/backchannel/values.yaml", r"timeout: (\d+)s"),
        *((file, r'proxy-read-timeout: "(\d+)"') for file in INGRESSES),
    ]
    for file, pattern in waits:
        if min(seconds(file, pattern)) <= wait:
            yield f"{file}: {pattern} is {min(seconds(file, pattern))} s, and a call may wait {wait} s"
    for file, pattern in (("deploy/nginx.conf", r"keepalive_timeout (\d+)s"), ("deploy/Caddyfile", r"keepalive (\d+)s"), ("deploy/haproxy.cfg", r"http-keep-alive (\d+)s")):
        if not 0 < max(seconds(file, pattern)) < idle:
            yield f"{file}: a connection may be kept {max(seconds(file, pattern))} s, and the program closes it after {idle} s"
    for file, pattern in (("deploy/nginx.conf", r"client_max_body_size (\d+)m"), ("deploy/Caddyfile", r"max_size (\d+)MB")):
        if seconds(file, pattern)[0] * 1_000_000 < body:
            yield f"{file}: bodies of {body} bytes would be refused"
    said = {"deploy/nginx.conf": "proxy_set_header X-Forwarded-For $remote_addr;", "deploy/haproxy.cfg": "http-request set-header X-Forwarded-For %[src]"}
    for file, line in said.items():
        if line not in text(file):
            yield f"{file}: it must say itself who the client is: {line}"
    # A path may hold a lease token.
    for file, secret in (("deploy/nginx.conf", r"log_format [^;]*\$(request|request_uri|uri)\b"), ("deploy/haproxy.cfg", r"option httplog|log-format .*%(r|HU|HP|HPO)\b")):
        if re.search(secret, text(file)):
            yield f"{file}: its log would have paths"
    public = yaml.safe_load((ROOT / INGRESSES[0]).read_text())
    for needed in ("BASE_URL", "TRUSTED_PROXIES"):
        if not public["settings"].get(needed):
            yield f"{INGRESSES[0]} does not set {needed}"


def default(setting):
    row = re.search(rf"^\| `BACKCHANNEL_{setting}` \| `(\d+)`", (ROOT / "docs/configuration.md").read_text(), re.M)
    return int(row[1])
