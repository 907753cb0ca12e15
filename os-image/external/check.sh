#!/usr/bin/env bash
# Checks the Buildroot recipe without building it, a minute: both boards' configurations resolve with
# no symbol dropped, every source has a digest, the tree is to Buildroot's taste, and what it would
# ship can be written down. Nothing is fetched.
#
#   check.sh [--out=DIR]     DIR gets <board>/.config, <board>/show-info.json, <board>/sbom.cdx.json
#
# Code 3: no Buildroot here (buildroot-source.sh). KERNEL_SOURCE= an unpacked Linux or its tarball: the
# kernel's fragments are checked too (flex, bison; for arm64 its compiler).
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
out=$project/var/buildroot/check
case "${1:-}" in --out=*) out=${1#*=} ;; esac
buildroot=$("$here/buildroot-source.sh")
# Buildroot's own programs run with this machine's Python and shell tools, whatever a desk has first.
export PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C
failed=0
say() { printf '  buildroot: %s\n' "$*"; }
wrong() { say "$*"; failed=1; }

mapfile -t ours < <(find "$here" -type f ! -name '*.md' | sort)
# From its own folder, whose settings for flake8 it takes.
if said=$(cd "$buildroot" && utils/check-package --br2-external "${ours[@]}" 2>&1); then
  say "check-package: ${#ours[@]} files, no finding"
else
  wrong "check-package finds:"; printf '%s\n' "$said"
fi

# The licence names that CycloneDX knows, which the writer below would fetch.
spdx=$(find "$project/node_modules/@cyclonedx/cyclonedx-library" -name 'spdx.SNAPSHOT.schema.json' -print -quit 2>/dev/null || true)
export BR2_DL_DIR=$out/dl
mkdir -p "$BR2_DL_DIR/cyclonedx"
if [ -n "$spdx" ]; then cp "$spdx" "$BR2_DL_DIR/cyclonedx/spdx-1.6.schema.json"; fi

for board in x86_64 arm64; do
  o=$out/$board
  mkdir -p "$o"
  mk() { make -s --no-print-directory -C "$buildroot" O="$o" BR2_EXTERNAL="$here" "$@"; }
  wanted=$here/configs/drimbox_${board}_defconfig
  mk "drimbox_${board}_defconfig" > "$o/defconfig.log" 2>&1 || { cat "$o/defconfig.log"; exit 1; }
  if grep -i 'warning' "$o/defconfig.log"; then wrong "$board: Kconfig warns"; fi
  while read -r line; do
    grep -qxF -- "$line" "$o/.config" || wrong "$board: dropped by Kconfig: $line"
  done < <(grep -E '^(BR2_|# BR2_)' "$wanted")
  say "$board: $(grep -cE '^(BR2_|# BR2_)' "$wanted") symbols resolved"

  mk show-info > "$o/show-info.json"
  # Ours must all have a digest, one that is spelled as one; Buildroot sees to its own.
  "$here/digests.py" "$buildroot" "$here" "$o/show-info.json" || failed=1
  if [ -n "$spdx" ]; then
    "$buildroot/utils/generate-cyclonedx" --in-file "$o/show-info.json" --out-file "$o/sbom.cdx.json" \
      --project-name "drimbox-$board" --project-version "$(sed -n 's/^DRIMBOX_VERSION = //p' "$here/package/drimbox/drimbox.mk")"
    say "$board: $(grep -c '"bom-ref"' "$o/sbom.cdx.json") entries in the bill of materials"
  fi
done

if [ -n "${KERNEL_SOURCE:-}" ]; then
  for board in x86-64 arm64; do
    if [ $board = arm64 ] && ! command -v aarch64-linux-gnu-gcc >/dev/null; then say "arm64: kernel options not checked, no aarch64-linux-gnu-gcc"; continue; fi
    "$here/kernel-options.sh" --source="$KERNEL_SOURCE" --board=$board && say "$board: kernel options took" || failed=1
  done
fi
exit $failed
