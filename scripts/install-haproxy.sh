#!/bin/sh
# haproxy 2.4 or newer: the load test of `make test` goes through deploy/haproxy.cfg. Skipped when present.
set -eu
. "$(dirname "$0")/lib.sh"
NEEDED=2.4

# Debian keeps it where only root looks.
PATH=$PATH:/usr/sbin:/sbin
# Prints the version of the haproxy on the PATH: "HAProxy version 2.6.12-1+deb12u4 2026/…".
version() {
  haproxy -v | sed -n '1s/.*version \([0-9.]*\).*/\1/p'
}

elsewhere="haproxy $NEEDED or newer: https://www.haproxy.org"
have haproxy || apt_install "$elsewhere" haproxy
have haproxy || die "the package is installed, but haproxy is not on the PATH ($PATH)"
present=$(version)
at_least "$NEEDED" "${present:-0}" || die "haproxy ${present:-of no known version} is too old. What is needed: $elsewhere"
