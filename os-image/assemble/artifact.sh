#!/usr/bin/env bash
# OUT/manifest and OUT/update.mender: the OTA artifact of our update module's type, signed. The same twice,
# to the last bit, unless a token signs. Two seconds.
#
#   SOURCE_DATE_EPOCH=… os-image/assemble/artifact.sh OUT VERSION RELEASE
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
out=$(realpath "$1") version=$2 release=$3
keys=$("$image/keys/make.sh")
FILES="manifest root.erofs root.verity uki.efi"  # in the order in which the module gets them
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
# Times and modes that its inner archive will tell.
# shellcheck disable=SC2086
(cd "$out" && chmod 644 $FILES && touch -d "@${SOURCE_DATE_EPOCH:?}" $FILES)
rm -f "$out/update.mender"
# The root is compressed already.
"$image/in-builder.sh" --bind="$out" --keys="$keys" --bind="$image/assemble" --clock="$SOURCE_DATE_EPOCH" -- sh -euc '
  cd "$1"
  mender-artifact write module-image -T drimbox-image -t drimbox-x86-64 -n "drimbox-$3" --software-name rootfs-image --software-version "$3" \
    --compression none $(printf -- "-f %s " $5) -o unsigned.mender >/dev/null 2>&1
  python3 "$4/sign-artifact.py" unsigned.mender "$2/artifact.key" update.mender
  rm unsigned.mender' sh "$out" "$keys" "$version" "$image/assemble" "$FILES"
