#!/usr/bin/env bash
# OUT/initrd.zst: BusyBox, veritysetup, blkid, the modules that lead to the root file system, the
# script os-image/initramfs/init, the signature of the root hash and the command line that was signed
# (the script refuses another). Five seconds.
#
#   SOURCE_DATE_EPOCH=… os-image/assemble/initrd.sh OUT KERNEL
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
out=$(realpath "$1") kernel=$(realpath "$2")
# A module that is missing here is a machine that restarts for ever; those built in are no fault.
MODULES='virtio_blk virtio_scsi nvme ahci sd_mod xhci_pci usb_storage uas dm_mod dm_verity erofs'
# Watchdogs, and the bus drivers behind which Intel's appear; the loader's word on tries.
MODULES="$MODULES efivarfs wdat_wdt lpc_ich i2c_i801 iTCO_wdt sp5100_tco i6300esb"

rm -rf "$out/initrd.d" "$out/initrd.zst"
"$image/in-builder.sh" --bind="$out" --bind="$kernel" --bind="$image" -- sh -euc '
  out=$1 kernel=$2 image=$3 modules=$4 epoch=$5
  root=$out/initrd.d
  mkdir -p "$root/bin" "$root/lib" "$root/etc" "$root/usr"; for folder in proc sys dev run sysroot; do mkdir "$root/$folder"; done
  ln -s lib "$root/lib64"; ln -s ../lib "$root/usr/lib"; ln -s ../lib "$root/usr/lib64"
  cp /usr/bin/busybox "$root/bin/"; ln -s busybox "$root/bin/sh"
  for program in /usr/sbin/veritysetup /usr/sbin/blkid; do
    cp "$program" "$root/bin/"
    ldd "$program" | grep -o "/[^ ]*\.so[^ ]*" | while read -r library; do
      [ -e "$root/lib/${library##*/}" ] || cp -L "$library" "$root/lib/"
    done
  done
  release=$(ls "$kernel/usr/lib/modules")
  : > "$root/modules.list"
  for module in $modules; do
    modprobe -d "$kernel/usr" -S "$release" --show-depends "$module" 2>/dev/null | sed -n "s/^insmod \([^ ]*\).*/\1/p" > "$out/found" || true
    if [ ! -s "$out/found" ]; then
      grep -q "/$(echo "$module" | sed "s/_/[_-]/g")\.ko" "$kernel/usr/lib/modules/$release/modules.builtin" || { echo "initrd: this kernel has no module $module" >&2; exit 1; }
      continue
    fi
    while read -r file; do
      name=$(basename "$file" .xz)
      if [ ! -e "$root/lib/$name" ]; then
        case $file in *.xz) xz -dc "$file" > "$root/lib/$name" ;; *) cp "$file" "$root/lib/$name" ;; esac
        echo "/lib/$name" >> "$root/modules.list"
      fi
    done < "$out/found"
  done
  rm "$out/found"
  install -m 0755 "$image/initramfs/init" "$root/init"
  cp "$out/roothash.p7s" "$out/cmdline" "$root/"
  cd "$root"
  chmod -R u+rwX,go+rX,go-w .
  find . -exec touch -h -d "@$epoch" {} +
  find . -print0 | LC_ALL=C sort -z | cpio --null -o -H newc --reproducible -R 0:0 --quiet | zstd -q -15 -T1 > "$out/initrd.zst"
' sh "$out" "$kernel" "$image" "$MODULES" "${SOURCE_DATE_EPOCH:?}"
rm -rf "$out/initrd.d"
