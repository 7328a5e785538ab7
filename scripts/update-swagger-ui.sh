#!/bin/sh
# update-swagger-ui.sh VERSION: puts the files of a release of swagger-ui-dist (npm) into vendor/swagger-ui, compressed, with their licences.
# Only to change the version: building and testing need neither npm nor a network.
set -eu
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.."
HOME_OF_FILES=vendor/swagger-ui

[ $# -eq 1 ] || die "which version? npm view swagger-ui-dist version"
have npm || die "npm is missing"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$work" && npm pack --silent "swagger-ui-dist@$1" >/dev/null && tar xzf swagger-ui-dist-*.tgz)

for file in swagger-ui-bundle.js swagger-ui.css; do
  # -n: neither name nor time, so that the same release gives the same bytes. The maps are not served.
  sed '/^\/[/*]# sourceMappingURL=/d' "$work/package/$file" | gzip -9n >"$HOME_OF_FILES/$file.gz"
done
cp "$work/package/LICENSE" "$work/package/NOTICE" "$work/package/swagger-ui-bundle.js.LICENSE.txt" "$HOME_OF_FILES/"
printf '%s\n' "$1" >"$HOME_OF_FILES/VERSION"
say "swagger-ui-dist $1 is in $HOME_OF_FILES; run the tests under documents::"
