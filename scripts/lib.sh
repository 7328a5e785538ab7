# shellcheck shell=sh
# Shared by the install scripts: sourced, not run.

say() { printf '%s: %s\n' "${0##*/}" "$*"; }
die() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# at_least 7.0 7.0.15: succeeds when the second version is the first one or newer.
at_least() {
  [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]
}

# as_root COMMAND…: run it as root, through sudo unless we are.
# sudo drops the environment, so what apt must know travels in the command.
as_root() {
  if [ "$(id -u)" -eq 0 ]; then
    "$@"
  elif have sudo; then
    sudo "$@"
  else
    die "this needs root and there is no sudo here; run as root: $*"
  fi
}

apt_get() {
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 apt-get -q -o DPkg::Lock::Timeout=120 "$@"
}

# apt_install "what to install elsewhere" PACKAGE…
# The package lists are fetched only when the ones here do not do: absent on a fresh image, or too old to still
# name a file that exists.
apt_install() {
  elsewhere=$1
  shift
  have apt-get || die "this is not a Debian or Ubuntu machine, so please install it yourself: $elsewhere"
  say "installing with apt: $*"
  if apt_known "$@" && apt_get install -y --no-install-recommends "$@"; then
    return 0
  fi
  say "refreshing the package lists (apt-get update) and trying again"
  apt_get update || die "apt-get update failed, see above"
  apt_get install -y --no-install-recommends "$@" || die "apt could not install: $*. What is needed: $elsewhere"
}

# apt_known PACKAGE…: do the package lists here offer all of them?
apt_known() {
  for package; do
    candidate=$(apt_candidate "$package")
    [ -n "$candidate" ] && [ "$candidate" != "(none)" ] || return 1
  done
}

# apt_candidate PACKAGE: the version that apt would install, without epoch; nothing when it knows none.
apt_candidate() {
  LC_ALL=C apt-cache policy "$1" 2>/dev/null | awk '$1 == "Candidate:" { sub(/^[0-9]+:/, "", $2); print $2 }'
}
