#!/usr/bin/env bash
# OUT/uki.efi: one signed kernel image of kernel, initramfs, command line and os-release, with the
# signature of the PCR 11 state that it will measure; and, signed too, the two programs before it:
# OUT/BOOTX64.EFI (os-image/loader) and OUT/systemd-bootx64.efi, which it starts. Three seconds.
#
#   SOURCE_DATE_EPOCH=… os-image/assemble/uki.sh TREE OUT KERNEL
#
# Two passes: the stub also measures the SBAT section, which ukify merges itself, so the first image
# is taken apart for what will be measured. The policy covers the state right after the stub (empty
# phase): our initramfs extends nothing.
#
# systemd's stub appends what the firmware's tables say (SMBIOS, io.systemd.stub.kernel-cmdline-extra) to
# the signed command line, Secure Boot or not: rdinit=/bin/sh would be a root shell. Nothing switches that
# off, so our copy of the stub looks for a name that no table has. What it would append is measured into
# PCR 12, to which the data partition is bound besides.
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
tree=$(realpath "$1") out=$(realpath "$2") kernel=$(realpath "$3")
keys=$("$image/keys/make.sh")
release=$(ls "$kernel/usr/lib/modules")
cp "$kernel"/boot/vmlinuz-* "$out/vmlinuz"
cp "$tree/usr/lib/os-release" "$out/os-release"

rm -f "$out"/uki.efi "$out"/BOOTX64.EFI "$out"/systemd-bootx64.efi
"$image/loader/build.sh" "$out/start.efi"
"$image/in-builder.sh" --bind="$out" --keys="$keys" --clock="${SOURCE_DATE_EPOCH:?}" -- sh -euc '
  out=$1 keys=$2 release=$3
  work=$out/uki.d; rm -rf "$work"; mkdir "$work"
  python3 - "$work/stub" <<END
import sys
stub = open("/usr/lib/systemd/boot/efi/linuxx64.efi.stub", "rb").read()
name = b"io.systemd.stub.kernel-cmdline-extra"
assert stub.count(name) == 1, "the stub is another than the one that was read"
open(sys.argv[1], "wb").write(stub.replace(name, b"-" * len(name)))
END
  uki() {
    ukify build --stub="$work/stub" --linux="$out/vmlinuz" --initrd="$out/initrd.zst" --cmdline="@$out/cmdline" --os-release="@$out/os-release" \
      --uname="$release" --pcrpkey="$keys/pcr.pub" "$@" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
  }
  uki --output="$work/first"
  # VirtualSize bytes of each section are what the stub measures.
  python3 - "$work" <<END
import pefile, sys
for section in pefile.PE(sys.argv[1] + "/first").sections:
    open(sys.argv[1] + "/" + section.Name.rstrip(b"\0").decode(), "wb").write(section.get_data(length=section.Misc_VirtualSize))
END
  /usr/lib/systemd/systemd-measure sign --linux="$work/.linux" --initrd="$work/.initrd" --cmdline="$work/.cmdline" \
    --osrel="$work/.osrel" --uname="$work/.uname" --sbat="$work/.sbat" --pcrpkey="$work/.pcrpkey" --bank=sha256 --phase= \
    --private-key="$keys/pcr.key" --public-key="$keys/pcr.pub" > "$work/pcrsig.json"
  uki --section=".pcrsig:@$work/pcrsig.json" --signtool=sbsign --secureboot-private-key="$keys/db.key" \
    --secureboot-certificate="$keys/db.crt" --output="$out/uki.efi"
  rm -r "$work"
  sign() { sbsign --key "$keys/db.key" --cert "$keys/db.crt" --output "$1" "$2" 2>/dev/null; }
  sign "$out/BOOTX64.EFI" "$out/start.efi"
  sign "$out/systemd-bootx64.efi" /usr/lib/systemd/boot/efi/systemd-bootx64.efi
' sh "$out" "$keys" "$release"
rm "$out/vmlinuz" "$out/os-release" "$out/start.efi"
