"""helm/backchannel/README.md, out of values.yaml and its comments. `--write` writes it."""

import pathlib
import re
import sys

import yaml

CHART = pathlib.Path(__file__).resolve().parents[2] / "helm/backchannel"
LINE = re.compile(r"^( *)(\w+):(.*)$")

HEAD = """# The chart's values

Written by `scripts/deploy/values_readme.py` out of `values.yaml`; a test compares. How to install, upgrade and go back:
[docs/operations.md](../../docs/operations.md).

```sh
helm install bus helm/backchannel -f yours.yaml      # without values: a trial with a Redis of its own
helm test bus
```

`values-public.yaml` is the profile of a public instance for many tenants. A name that the chart does not know stops the installation.

| value | default | what it is |
| --- | --- | --- |
"""

TAIL = """
## Settings

`settings` takes every setting of [docs/configuration.md](../../docs/configuration.md) without `BACKCHANNEL_`, for API and worker alike: `RATE_LIMIT: 120`. Their types and bounds are checked
before anything is installed. `PORT`, `METRICS_PORT`, `REDIS_URL` and `ADMIN_TOKEN` follow from values of their own.

## Secrets

| Secret | key | when |
| --- | --- | --- |
| `redis.existingUrlSecret` | `redis.urlKey` | the whole URL with its password; else the URL is put together from what follows |
| `redis.password.existingSecret` | `redis.password.key` | Redis asks for a password |
| `redis.sentinelPassword.existingSecret` | `redis.sentinelPassword.key` | the sentinels ask for one of their own |
| `redis.tls.caSecret` | `redis.tls.caKey` | Redis' certificate is of an authority of yours |
| `adminToken.existingSecret` | `adminToken.key` | the operator's operations are wanted |
| `ingress.tls[].secretName` | `tls.crt`, `tls.key` | the ingress speaks TLS |

Pods do not notice when a Secret of yours changes: `kubectl rollout restart deployment -l app.kubernetes.io/part-of=backchannel`. A password that the chart made itself
(`redis.mode: bundled`) is kept by upgrades; a tool that renders without the cluster (Argo CD) makes a new one each time, so give it `redis.password.existingSecret`.
"""


def rows(text):
    """(path, default, comment) of every leaf; a comment above a group stands in a row of its own."""
    values = yaml.safe_load(text)
    path, comment = [], []
    for line in text.splitlines():
        if line.strip().startswith("#"):
            comment.append(line.strip()[1:].strip())
            continue
        match = LINE.match(line)
        if not match:
            comment = []
            continue
        depth = len(match[1]) // 2
        path = [*path[:depth], match[2]]
        value = values
        known = True
        for key in path:
            known = known and isinstance(value, dict) and key in value
            value = value[key] if known else None
        # Keys within lists belong to a default, not to the values.
        if not known:
            continue
        opens = match[3].split(" #")[0].strip() == "" and isinstance(value, dict)
        if not opens or comment:
            yield ".".join(path), None if opens else value, " ".join(comment)
        comment = []


def shown(value):
    if value is None:
        return ""
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=10_000).removesuffix('...' + chr(10)).strip()}`"


def readme():
    found = list(rows((CHART / "values.yaml").read_text()))
    # The comment at the top of the file belongs to no value.
    return HEAD + "".join(f"| `{path}` | {shown(value)} | {text.replace('|', '/')} |\n" for path, value, text in found) + TAIL


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: values_readme.py --write")
    (CHART / "README.md").write_text(readme())
