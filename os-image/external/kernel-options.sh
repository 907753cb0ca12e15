#!/usr/bin/env bash
# Says which options of our kernel fragments Kconfig did not take. Silence is success; an option that
# can't be had on a board must be in board/common/kernel/cannot.txt, with its reason.
#
#   kernel-options.sh --config=.config FRAGMENT…          a configuration that is there already
#   kernel-options.sh --source=LINUX --board=x86-64|arm64 makes it (ten seconds; CROSS_COMPILE= for arm64)
#
# --source takes an unpacked kernel, or a tarball of it: then only what Kconfig reads is unpacked.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
kernel=$here/board/common/kernel
config='' source='' board='' fragments=()
for word in "$@"; do
  case $word in
    --help|-h) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
    --config=*) config=${word#*=} ;;
    --source=*) source=${word#*=} ;;
    --board=*) board=${word#*=} ;;
    -*) echo "unknown option: $word" >&2; exit 2 ;;
    *) fragments+=("$word") ;;
  esac
done

if [ -n "$source" ]; then
  case $board in
    x86-64) arch=x86_64 ;;
    arm64) arch=arm64; : "${CROSS_COMPILE=aarch64-linux-gnu-}" ;;
    *) echo "--board is x86-64 or arm64" >&2; exit 2 ;;
  esac
  export CROSS_COMPILE=${CROSS_COMPILE-}
  out=$(mktemp -d)
  trap 'rm -rf "$out"' EXIT
  if [ -f "$source" ]; then
    mkdir "$out/linux"
    tar -x -f "$source" -C "$out/linux" --strip-components=1 --wildcards \
      '*/Makefile' '*/Kconfig*' '*/scripts/*' '*/arch/*/Kbuild' '*/arch/*/configs/*' '*/tools/*.include'
    source=$out/linux
  fi
  fragments=("$kernel/base.config" "$kernel/hardening.config" "$here/board/$board/kernel.config")
  config=$out/.config
  cat "${fragments[@]}" > "$config"
  # Later lines win, as with Buildroot's merge of fragments; what nobody names takes its default.
  make -s -C "$source" O="$out" ARCH=$arch olddefconfig >/dev/null 2>"$out/said" || { tail -n 5 "$out/said" >&2; exit 1; }
fi
if [ -z "$config" ] || [ ${#fragments[@]} -eq 0 ]; then echo "--config=FILE FRAGMENT…, or --source= and --board= (--help)" >&2; exit 2; fi
[ -n "$board" ] || board=$(grep -q '^CONFIG_ARM64=y' "$config" && echo arm64 || echo x86-64)

# The last word on each option over all fragments, then what became of it.
dropped=$(awk -v board="$board" -v cannot="$kernel/cannot.txt" '
  function name(line) { sub(/^# /, "", line); sub(/[= ].*/, "", line); return line }
  function value(line) { return line ~ /^#/ ? "n" : substr(line, index(line, "=") + 1) }
  FILENAME == cannot { if ($1 ~ /^CONFIG_/ && ($2 == board || $2 == "all")) known[$1] = 1; next }
  !/^(# )?CONFIG_[A-Za-z0-9_]+( is not set|=)/ { next }
  FILENAME == ARGV[ARGC - 1] { have[name($0)] = value($0); next }
  { want[name($0)] = value($0) }
  END {
    for (option in want) {
      got = option in have ? have[option] : "n"
      if (want[option] != got && !(option in known)) print option " wanted " want[option] ", is " got
      if (want[option] == got && option in known) print option " is in cannot.txt, yet it took"
    }
  }' "$kernel/cannot.txt" "${fragments[@]}" "$config" | sort)
if [ -n "$dropped" ]; then
  printf 'kernel options that did not take on %s:\n%s\n' "$board" "$dropped" >&2
  exit 1
fi
