#!/bin/sh
# Checks what is deployed: the Dockerfile, the compose files and the proxies' configurations, the chart over several values, the plain manifests,
# alerts and dashboard. Needs no cluster, no Docker and, once .tools is there, no network. Half a minute.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.."
scripts/install-deploy-tools.sh

quietly() {
  out=$("$@" 2>&1) || die "$*
$out"
}
quietly .tools/bin/hadolint Dockerfile
quietly .tools/bin/caddy validate --adapter caddyfile --config deploy/Caddyfile
# HAProxy has no binary that could be put into .tools: its own check runs where it is installed, ours (proxies.py) everywhere.
if have haproxy; then quietly haproxy -c -f deploy/haproxy.cfg; fi
quietly .tools/bin/promtool check rules helm/backchannel/files/alerts.yaml
quietly .tools/bin/promtool test rules scripts/deploy/alerts_test.yaml
quietly sh -n helm/backchannel/files/handoff.sh
PYTHONDONTWRITEBYTECODE=1 .tools/venv/bin/python scripts/deploy/check.py
