#!/usr/bin/env bash
# Copies the kernel modules that os-image/debian/modules.txt names, with those they need, from an
# unpacked Debian kernel into a root tree.
#
#   modules.sh KERNEL TREE
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/../.." && pwd)
kernel=$(realpath "$1") tree=$(realpath "$2")
# shellcheck disable=SC2016
"$image/in-builder.sh" --bind="$kernel" --bind="$tree" --bind="$image" -- sh -euc '
  kernel=$1 tree=$2 list=$3
  release=$(ls "$kernel/usr/lib/modules")
  depmod -b "$kernel/usr" "$release" 2>/dev/null || depmod -b "$kernel" "$release"
  from=$kernel/usr/lib/modules/$release to=$tree/usr/lib/modules/$release
  mkdir -p "$to"; cp "$from"/modules.builtin "$from"/modules.builtin.modinfo "$from"/modules.order "$to/"
  sed -E "s/[[:space:]]*#.*//; /^\$/d" "$list" | while read -r module; do
    modprobe -d "$kernel/usr" -S "$release" --show-depends "$module" 2>/dev/null | sed -n "s/^insmod \([^ ]*\).*/\1/p"
  done | sort -u | while read -r file; do install -D -m 0644 "$file" "$to/${file#"$from"/}"; done
  depmod -b "$tree/usr" "$release"' sh "$kernel" "$tree" "$image/debian/modules.txt"
