#!/usr/bin/env bash
# Compiles os-image/loader/start.c to OUT, an EFI program without a signature. A blink.
#
#   os-image/loader/build.sh OUT
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
folder=$(realpath "$(dirname "$1")")
"$here/../in-builder.sh" --bind="$here" --bind="$folder" -- sh -euc '
  work=$(mktemp -d); trap "rm -rf $work" EXIT
  # One section that may lie anywhere, and an empty table of relocations: firmware refuses an image without one.
  cat > "$work/layout" <<END
ENTRY(start)
SECTIONS {
  .text 0x1000 : { *(.text*) *(.rodata*) *(.data*) *(.bss*) }
  .reloc ALIGN(0x1000) : { LONG(0) LONG(12) SHORT(0) SHORT(0) }
  /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) *(.dyn*) *(.gnu*) *(.hash) *(.interp) }
}
END
  gcc -std=gnu17 -Os -Wall -Wextra -Werror -ffreestanding -fshort-wchar -fpie -fvisibility=hidden -fno-stack-protector -mno-red-zone \
    -mgeneral-regs-only -fcf-protection=none -fno-asynchronous-unwind-tables -c -o "$work/start.o" "$1/start.c"
  # Nothing may be left for a loader to fill in.
  ld -static -nostdlib -z noexecstack --no-warn-rwx-segments -T "$work/layout" -o "$work/start.elf" "$work/start.o"
  ! readelf -r "$work/start.o" | grep -q "R_X86_64_64\|R_X86_64_32"
  objcopy -O efi-app-x86_64 --subsystem=10 -j .text -j .reloc "$work/start.elf" "$2"
' sh "$here" "$folder/$(basename "$1")"
