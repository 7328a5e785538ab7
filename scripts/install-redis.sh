#!/bin/sh
# redis-server 7.0 or newer (sharded pub/sub, EVALSHA_RO…), for `make dev` and the tests: both start private ones of
# their own and never touch a Redis that runs on this machine. Skipped when present.
set -eu
. "$(dirname "$0")/lib.sh"
NEEDED=7.0

# Prints the version of the redis-server on the PATH: "Redis server v=7.0.15 sha=…".
version() {
  redis-server --version | sed -n 's/.*[ =]v=\([0-9.]*\).*/\1/p'
}

how_to_get_it() {
  cat <<EOF
redis-server $NEEDED or newer: https://redis.io/docs/latest/operate/oss_and_stack/install/
On a Debian or Ubuntu whose own package is older (Debian 11, Ubuntu 22.04), from Redis' package repository:
    curl -fsSL https://packages.redis.io/gpg | sudo gpg --dearmor -o /usr/share/keyrings/redis-archive-keyring.gpg
    echo "deb [signed-by=/usr/share/keyrings/redis-archive-keyring.gpg] https://packages.redis.io/deb \$(. /etc/os-release; echo \$VERSION_CODENAME) main" | sudo tee /etc/apt/sources.list.d/redis.list
    sudo apt-get update && sudo apt-get install -y redis-server
EOF
}

if have redis-server; then
  present=$(version)
  if at_least "$NEEDED" "$present"; then exit 0; fi
  say "redis-server $present is here, $NEEDED or newer is needed"
fi

if have apt-get; then
  offered=$(apt_candidate redis-server)
  if ! at_least "$NEEDED" "${offered:-0}"; then
    say "looking for redis-server $NEEDED in fresh package lists (apt-get update)"
    apt_get update
    offered=$(apt_candidate redis-server)
  fi
  at_least "$NEEDED" "${offered:-0}" || die "apt offers redis-server ${offered:-not at all}. What is needed: $(how_to_get_it)"
fi
apt_install "$(how_to_get_it)" redis-server

have redis-server || die "the package is installed, but redis-server is not on the PATH ($PATH)"
present=$(version)
at_least "$NEEDED" "$present" || die "redis-server on the PATH is still $present ($(command -v redis-server)). What is needed: $(how_to_get_it)"
say "redis-server $present is ready"
say "note: the package may also have started a Redis service on port 6379; Backchannel does not use it"
