#!/bin/sh
# The release build as it is shipped: target/guided/backchannel. It is compiled twice. The first program counts which code runs under load; from
# that profile the compiler knows, for the second one, what to inline, and what to keep together in memory. A fifth of the instructions of a
# request go away, and half the pages of code (docs/performance.md). Takes three times as long as `cargo build --release`.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.."
scripts/install-build.sh
scripts/install-redis.sh
scripts/check-rust.sh

GUIDED=$PWD/target/guided
PROFILE=$GUIDED/profile.profdata
host=$(rustc -vV | sed -n 's/^host: //p')
profdata=$(rustc --print target-libdir)/../bin/llvm-profdata
if [ ! -x "$profdata" ]; then
  have rustup || die "llvm-profdata of this Rust is missing ($profdata): install the llvm-tools of the toolchain"
  rustup component add llvm-tools
fi

# with_flags FOLDER FLAGS: the program in target/guided/FOLDER. A target is named so that the flags reach no build script and no macro.
with_flags() {
  RUSTFLAGS=$2 CARGO_TARGET_DIR=$GUIDED/$1 \
    cargo build --locked --release --target "$host" --package backchannel --bin backchannel
}

say "the load generator"
cargo build --locked --release --package backchannel-loadtest

say "a program that counts"
rm -rf "$GUIDED/counts" "$PROFILE"
mkdir -p "$GUIDED/counts"
with_flags counting "-Cprofile-generate=$GUIDED/counts"

# Each process adds to one file (%m). The bench ends them by SIGTERM: a program that is killed writes nothing.
say "load for it: the figures that this prints mean nothing"
LLVM_PROFILE_FILE="$GUIDED/counts/%m.profraw" "${CARGO_TARGET_DIR:-target}/release/backchannel-loadtest" bench \
  --server "$GUIDED/counting/$host/release/backchannel" \
  --only costs,waking,sizes,rooms,webhooks --seconds 1 --backlog 5000 --waiters 500 >"$GUIDED/load.txt" 2>&1 ||
  { cat "$GUIDED/load.txt"; die "the load failed, see above"; }
"$profdata" merge --sparse -o "$PROFILE" "$GUIDED"/counts/*.profraw

say "the program itself"
# What runs under load lies together in the file, too: a request that comes after a pause meets fewer pages that are not in any cache.
with_flags guided "-Cprofile-use=$PROFILE -Clink-arg=-Wl,-z,keep-text-section-prefix"
cp "$GUIDED/guided/$host/release/backchannel" "$GUIDED/backchannel"
"$GUIDED/backchannel" --version
