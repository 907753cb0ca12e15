#!/usr/bin/env bash
# OUT/root.erofs -> OUT/root.verity (hash tree), OUT/roothash, OUT/roothash.p7s (its signature by the
# Secure Boot key, which the kernel checks) and OUT/uuids (the two halves of the root hash, which are
# the GPT UUIDs of the slot). Half a second.
#
#   os-image/assemble/verity.sh OUT VERSION
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
out=$(realpath "$1") version=$2
keys=$("$image/keys/make.sh")
UUID=7f3c9a52-0000-4000-8000-000000000002
# Fixed by the version, so that the same input gives the same hash.
salt=$(printf 'drimbox-%s' "$version" | sha256sum | cut -c1-64)

rm -f "$out"/root.verity "$out"/roothash*
"$image/in-builder.sh" --bind="$out" --keys="$keys" -- sh -euc '
  veritysetup format --salt="$3" --uuid="$4" --root-hash-file="$1/roothash" "$1/root.erofs" "$1/root.verity" >/dev/null
  openssl smime -sign -nocerts -noattr -binary -in "$1/roothash" -inkey "$2/db.key" -signer "$2/db.crt" -outform der -out "$1/roothash.p7s"
' sh "$out" "$keys" "$salt" "$UUID"

hash=$(cat "$out/roothash")
uuid() { sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/' <<< "$1"; }
{ echo "data_uuid=$(uuid "${hash:0:32}")"; echo "hash_uuid=$(uuid "${hash:32:32}")"; } > "$out/uuids"
