#!/usr/bin/env bash
# From any finished root tree (os-image/finish-tree.sh) to an image that boots and updates itself:
# runs the scripts of os-image/assemble/ in order and says how long each took. Under 20 seconds.
#
#   os-image/assemble.sh --tree=DIR --kernel=DIR --out=DIR --version=0.1.0 --release=1 [--cmdline=WORDS]
#
#   --kernel=DIR    boot/vmlinuz-* and usr/lib/modules/<release>
#   --cmdline=WORDS more words for the kernel; they are signed with it, so this is another image
#
# SOURCE_DATE_EPOCH is the time of the last commit unless given.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,10s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
steps=$(cd "$(dirname "$0")/assemble" && pwd)
tree='' kernel='' out='' version='' release='' cmdline=''
for option in "$@"; do
  case $option in
    --tree=*) tree=${option#*=} ;;
    --kernel=*) kernel=${option#*=} ;;
    --out=*) out=${option#*=} ;;
    --version=*) version=${option#*=} ;;
    --release=*) release=${option#*=} ;;
    --cmdline=*) cmdline=${option#*=} ;;
    *) echo "assemble: unknown option $option" >&2; exit 2 ;;
  esac
done
: "${tree:?--tree}" "${kernel:?--kernel}" "${out:?--out}" "${version:?--version}" "${release:?--release}"
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$steps" log -1 --format=%ct)}
export SOURCE_DATE_EPOCH
mkdir -p "$out"

step() { # what, bytes of which file, command…
  local what=$1 file=$2 start=$EPOCHREALTIME size=''
  shift 2
  "$@"
  [ ! -e "$out/$file" ] || size="$(stat -c %s "$out/$file" | awk '{ printf "%.2f MB", $1 / 1e6 }')"
  awk -v what="$what" -v start="$start" -v end="$EPOCHREALTIME" -v size="$size" 'BEGIN { printf "  %-24s %6.1f s   %s\n", what, end - start, size }' >&2
}
step 'root file system' root.erofs "$steps/root.sh" "$tree" "$out"
step 'hash tree' root.verity "$steps/verity.sh" "$out" "$version"
step 'command line' cmdline "$steps/cmdline.sh" "$out" "$version" "$cmdline"
step 'initramfs' initrd.zst "$steps/initrd.sh" "$out" "$kernel"
step 'signed kernel image' uki.efi "$steps/uki.sh" "$tree" "$out" "$kernel"
step 'disk image' disk.img "$steps/disk.sh" "$out" "$version"
step 'OTA artifact' update.mender "$steps/artifact.sh" "$out" "$version" "$release"
