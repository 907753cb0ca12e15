#!/usr/bin/env bash
# Writes the bill of materials and the licence texts into a finished root tree: usr/share/drimbox/
# sbom.cdx.json and licences.tar.zst. Ends with 1 where a licence breaks the policy: no image then.
# Asks nobody on the network; options are those of scripts/sbom.ts.
#
#   os-image/sbom.sh --install --tree=DIR --version=0.1.0 [--meta=DIR] [--mender=DIR] [--buildroot=FILE]
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
project=$(cd "$(dirname "$0")/.." && pwd)
PATH="$project/node_modules/.bin:$PATH" exec node "$project/scripts/sbom.ts" --no-security "$@"
