#!/bin/sh
# What compiling needs beside Rust: a C compiler with the libc headers (mimalloc and ring contain C), and curl, which
# the README's examples use. No pkg-config and no OpenSSL: nothing links to a system library.
# Skipped when present.
set -eu
. "$(dirname "$0")/lib.sh"

compiles() {
  have cc && printf '#include <stdlib.h>\nint main(void) { return 0; }\n' | cc -x c -fsyntax-only - 2>/dev/null
}

missing=
compiles || missing="gcc libc6-dev"
have curl || missing="$missing curl ca-certificates"
[ -n "$missing" ] || exit 0
# shellcheck disable=SC2086 # a list of packages
apt_install "a C compiler (cc) with the libc headers, and curl" $missing
compiles || die "cc still cannot compile a C program, see: printf '#include <stdlib.h>' | cc -x c -fsyntax-only -"
