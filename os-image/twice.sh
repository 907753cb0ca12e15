#!/usr/bin/env bash
# Builds the Debian image twice, the second time with a root tree made anew from its packages, and compares
# what is delivered. Where they differ, diffoscope (Debian) says in what. Three minutes.
#
#   os-image/twice.sh
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
var=$(mkdir -p "$here/../var/image" && cd "$here/../var/image" && pwd)

node "$here/build.ts" --out="$var/once"
rm -f "$var/tree.base.made"
node "$here/build.ts" --out="$var/twice"

differ=0
for file in root.erofs root.verity uki.efi esp.img disk.img update.mender sbom.cdx.json; do
  if cmp -s "$var/once/$file" "$var/twice/$file"; then printf '%-22s same    %s\n' "$file" "$(sha256sum < "$var/once/$file" | cut -c1-64)"
  else printf '%-22s DIFFERS\n' "$file"; differ=1; fi
done
[ $differ = 0 ] && exit 0
if command -v diffoscope >/dev/null; then diffoscope --max-report-size 20000 "$var/once.tree" "$var/twice.tree" || true
else echo 'apt-get install diffoscope: then it is told what differs' >&2; fi
exit 1
