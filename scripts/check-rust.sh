#!/bin/sh
# check-rust.sh [COMPONENT…]: is Rust here, is it new enough (Cargo.toml's rust-version), does it have the components?
# It installs nothing: which toolchain a machine uses is its owner's choice.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.."

have cargo || die "Rust is missing. Install it from https://rustup.rs:
    curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y
(Debian's and Ubuntu's own packages are too old.)"

needed=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' Cargo.toml)
present=$(rustc --version | awk '{ print $2 }')
at_least "$needed" "$present" || die "Rust $present is too old, $needed or newer is needed: rustup update stable"

for component; do
  case $component in
    rustfmt) cargo fmt --version >/dev/null 2>&1 || die "rustfmt is missing: rustup component add rustfmt" ;;
    clippy) cargo clippy --version >/dev/null 2>&1 || die "clippy is missing: rustup component add clippy" ;;
    *) die "unknown component: $component" ;;
  esac
done
