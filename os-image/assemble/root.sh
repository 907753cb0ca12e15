#!/usr/bin/env bash
# Root tree -> OUT/root.erofs: compressed, read-only, the same bytes for the same files (fixed times
# and UUID; order is the tool's own, sorted). Ten seconds.
#
#   SOURCE_DATE_EPOCH=… os-image/assemble/root.sh TREE OUT
#
# EROFS_OPTIONS overrides the compression.
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
tree=$(realpath "$1") out=$(realpath "$2")
UUID=7f3c9a52-0000-4000-8000-000000000001
# Zstandard's third level: 90 MB where lz4hc makes 104; its higher levels take minutes, since each cluster
# is tried in many sizes. Clusters of 64 kB: larger ones save 2 % and make each page read of Node dearer.
OPTIONS=${EROFS_OPTIONS:--zzstd,3 -C65536 -Eztailpacking}

rm -f "$out/root.erofs"
# shellcheck disable=SC2086
"$image/in-builder.sh" --bind="$tree" --bind="$out" -- mkfs.erofs --quiet -T "${SOURCE_DATE_EPOCH:?}" --all-time -U $UUID -x-1 \
  --workers="$(nproc)" $OPTIONS "$out/root.erofs" "$tree" >&2
