#!/bin/sh
# Runs what the build stage of the Dockerfile runs, in a clean folder that holds only what .dockerignore lets through, and starts the binary.
# For machines without Docker. A cold release build takes ten minutes and 2 GB, so it is done only when Dockerfile, .dockerignore, Cargo.lock or
# a Cargo.toml differ from those of the last success (target/built-as-image); --force does it anyway. PROFILE_GUIDED=1 is passed on. Not a part of `make test`.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.."
STAMP=target/built-as-image

wanted=$(cat Dockerfile .dockerignore Cargo.lock Cargo.toml loadtest/Cargo.toml | sha256sum)
if [ "${1:-}" != --force ] && [ "$(cat "$STAMP" 2>/dev/null)" = "$wanted" ]; then
  say "nothing that matters has changed since it was built last; --force builds again"
  exit 0
fi
scripts/check-rust.sh
scripts/install-deploy-tools.sh

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
.tools/venv/bin/python scripts/deploy/image.py stage "$folder" | while IFS= read -r step; do
  say "$step"
  (cd "$folder" && CARGO_TARGET_DIR="$folder/target" sh -euc "$step")
done
say "the binary has $(($(wc -c <"$folder/target/guided/backchannel") / 1000000)) MB"
mkdir -p target
printf '%s\n' "$wanted" >"$STAMP"
