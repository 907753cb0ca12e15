#!/usr/bin/env bash
# OUT/esp.img and OUT/disk.img: the disk as it leaves the factory, slot A filled, slot B empty. The
# data partition is made at the first boot in what is left of the disk. Two seconds; sparse.
#
#   SOURCE_DATE_EPOCH=… os-image/assemble/disk.sh OUT VERSION
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
out=$(realpath "$1") version=$2
# MiB. The ESP holds three kernel images (20 each): two slots and one on its way in. A slot has room
# for twice today's root. None of this can be changed on a box in the field.
ESP=128 ROOT=256 VERITY=4
TRIES=3
. "$out/uuids"

[ "$(stat -c %s "$out/root.erofs")" -le $((ROOT << 20)) ] || { echo "disk: root.erofs is larger than its slot" >&2; exit 1; }
[ "$(stat -c %s "$out/root.verity")" -le $((VERITY << 20)) ] || { echo "disk: root.verity is larger than its slot" >&2; exit 1; }
rm -f "$out/esp.img" "$out/disk.img"
truncate -s ${ESP}M "$out/esp.img"
truncate -s $((ESP + 2 * (ROOT + VERITY) + 4))M "$out/disk.img"
# The loader asks nobody, shows nothing, enrols no keys.
printf '%s\n' 'timeout 0' 'editor no' 'auto-firmware no' 'auto-entries no' 'secure-boot-enroll off' > "$out/loader.conf"

"$image/in-builder.sh" --bind="$out" --clock="${SOURCE_DATE_EPOCH:?}" -- sh -euc '
  cd "$1"; entry=$2
  mkfs.vfat -F 32 -n ESP -i 12345678 --invariant esp.img >/dev/null
  mmd -i esp.img ::/EFI ::/EFI/BOOT ::/EFI/systemd ::/EFI/Linux ::/loader
  mcopy -i esp.img BOOTX64.EFI ::/EFI/BOOT/BOOTX64.EFI
  mcopy -i esp.img systemd-bootx64.efi ::/EFI/systemd/systemd-bootx64.efi
  mcopy -i esp.img loader.conf ::/loader/loader.conf
  mcopy -i esp.img uki.efi "::/EFI/Linux/$entry"' sh "$out" "drimbox_$version+$TRIES.efi"
rm "$out/loader.conf"

ESP_TYPE=c12a7328-f81f-11d2-ba4b-00a0c93ec93b
ROOT_TYPE=4f68bce3-e8cd-4db1-96e7-fbcaf984b709     # root, x86-64 (Discoverable Partitions Specification)
VERITY_TYPE=2c7357ed-ebd2-46d9-aec1-23d437ec2bf5   # its hash tree
FIXED=7f3c9a52-0000-4000-8000-0000000000
"$image/in-builder.sh" --bind="$out" -- sfdisk -q "$out/disk.img" <<END >&2
label: gpt
label-id: ${FIXED}0f
first-lba: 2048
name=esp,      size=${ESP}M,    type=$ESP_TYPE,    uuid=${FIXED}10
name=root-a,   size=${ROOT}M,   type=$ROOT_TYPE,   uuid=$data_uuid, attrs="GUID:60"
name=verity-a, size=${VERITY}M, type=$VERITY_TYPE, uuid=$hash_uuid, attrs="GUID:60"
name=root-b,   size=${ROOT}M,   type=$ROOT_TYPE,   uuid=${FIXED}b1, attrs="GUID:60"
name=verity-b, size=${VERITY}M, type=$VERITY_TYPE, uuid=${FIXED}b2, attrs="GUID:60"
END
put() { dd if="$out/$1" of="$out/disk.img" bs=1M seek="$2" conv=notrunc,sparse status=none; }
put esp.img 1
put root.erofs $((1 + ESP))
put root.verity $((1 + ESP + ROOT))
