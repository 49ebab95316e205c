#!/bin/sh
# Gets the published schemas of the report formats into a folder, for the tests that are skipped without them:
#
#     tools/fetch-schemas.sh target/schemas
#     PLIMSOLL_SCHEMAS=$PWD/target/schemas cargo test -p plimsoll-report --test published
#
# The schemas are not ours to keep, so they come out of pinned packages that carry them: CycloneDX 1.6 from
# `cyclonedx-python-lib` (PyPI, Apache-2.0), SARIF 2.1.0 from `@microsoft/jest-sarif` (npm, MIT). SPDX 2.3 is
# judged by the project's own `spdx-tools` (PyPI, Apache-2.0), installed into an environment of its own. Beside it stands
# another with what judges the server: `validators/bin` goes on the path of the second tier.
# Needs python3 with venv and pip, npm, tar.
set -eu

CYCLONEDX='cyclonedx-python-lib==11.12.0'
SPDX_TOOLS='spdx-tools==0.8.5'
# OpenAPI documents, Kubernetes' manifests, a server against its document, webhooks' signatures. Apache-2.0 and MIT.
VALIDATORS='openapi-spec-validator==0.9.0 kubernetes-validate==1.37.0 schemathesis==4.32.5 standardwebhooks==1.1.0'
# What looks for barriers in pages (MPL-2.0); it is run in the browser and not kept.
AXE='axe-core@4.14.1'
SARIF='@microsoft/jest-sarif@1.0.0-beta.0'

if [ $# -ne 1 ]; then
    echo "usage: $0 DIR" >&2
    exit 2
fi
mkdir -p "$1"
dir=$(cd "$1" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

mkdir -p "$dir/cyclonedx" "$dir/sarif"

python3 -m pip download --quiet --no-deps --dest "$work" "$CYCLONEDX"
(cd "$work" && python3 -m zipfile -e cyclonedx_python_lib-*.whl wheel)
for name in bom-1.6 spdx jsf-0.82; do
    cp "$work/wheel/cyclonedx/schema/_res/$name.SNAPSHOT.schema.json" "$dir/cyclonedx/$name.schema.json"
done

(cd "$work" && npm pack --silent "$SARIF" >/dev/null && tar -xzf microsoft-jest-sarif-*.tgz)
cp "$work/package/lib/schemas/sarif-2.1.0-rtm.5.json" "$dir/sarif/sarif-2.1.0.json"

rm -rf "$work/package"
(cd "$work" && npm pack --silent "$AXE" >/dev/null && tar -xzf axe-core-*.tgz)
cp "$work/package/axe.min.js" "$dir/axe.min.js"

python3 -m venv "$dir/spdx-tools"
"$dir/spdx-tools/bin/pip" install --quiet --disable-pip-version-check "$SPDX_TOOLS"

python3 -m venv "$dir/validators"
# Words on purpose: a package each.
# shellcheck disable=SC2086
"$dir/validators/bin/pip" install --quiet --disable-pip-version-check $VALIDATORS

echo "the schemas are in $dir"
