#!/usr/bin/env bash
# OUT/manifest and OUT/update.mender: the OTA artifact of our update module's type, signed. Its signature
# has a random part and its outer archive the time of the build; all that it holds is the same twice. Two seconds.
#
#   SOURCE_DATE_EPOCH=… os-image/assemble/artifact.sh OUT VERSION RELEASE
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
out=$(realpath "$1") version=$2 release=$3
keys=$("$image/keys/make.sh")
sum() { sha256sum < "$out/$1" | cut -d' ' -f1; }

{
  echo "version=$version"
  echo "release=$release"
  echo "roothash=$(cat "$out/roothash")"
  cat "$out/uuids"
  echo "sha256_root=$(sum root.erofs)"
  echo "sha256_verity=$(sum root.verity)"
  echo "sha256_uki=$(sum uki.efi)"
} > "$out/manifest"
rm -f "$out/update.mender"
# The root is compressed already. The order of the files is the order in which the module gets them.
"$image/in-builder.sh" --bind="$out" --bind="$keys" --clock="${SOURCE_DATE_EPOCH:?}" -- sh -euc '
  cd "$1"
  mender-artifact write module-image -T drimbox-image -t drimbox-x86-64 -n "drimbox-$3" --software-name rootfs-image --software-version "$3" \
    --compression none -k "$2/artifact.key" -f manifest -f root.erofs -f root.verity -f uki.efi -o update.mender >/dev/null 2>&1' sh "$out" "$keys" "$version"
