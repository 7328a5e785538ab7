#!/bin/sh
# The shells that the served room scripts are tested in, and jq, which those scripts need. bash is on every machine that has make. Skipped when
# present.
set -eu
. "$(dirname "$0")/lib.sh"

missing=
for program in zsh dash jq; do
  have "$program" || missing="$missing $program"
done
# shellcheck disable=SC2086 # a list of packages
[ -z "$missing" ] || apt_install "zsh, dash and jq" $missing
