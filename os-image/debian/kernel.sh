#!/usr/bin/env bash
# Brings Debian 13's kernel (its signed package, unpacked, never installed) to var/image/kernel:
# boot/vmlinuz-*, usr/lib/modules/*. Kept until this script changes or --fresh. Half a minute.
# Prints its folder.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
kernel=$image/../var/image/kernel
mkdir -p "$kernel"; kernel=$(cd "$kernel" && pwd)

wanted=$(sha256sum < "$0" | cut -d' ' -f1)
if [ "${1:-}" != --fresh ] && [ "$(cat "$kernel.made" 2>/dev/null || true)" = "$wanted" ]; then echo "$kernel"; exit 0; fi

rm -rf "$kernel" "$kernel.made"; mkdir -p "$kernel"
# The ordinary flavour: the cloud one is a third of the size and lacks the disks and cards of real computers.
"$image/in-builder.sh" --network --bind="$kernel" -- sh -euc '
  cd "$1"
  apt-get update -qq
  package=$(apt-cache depends linux-image-amd64 | sed -n "s/^  Depends: \(linux-image-[0-9].*\)/\1/p")
  apt-get download -qq -o APT::Sandbox::User=root "$package"
  dpkg-deb -x linux-image-*.deb .
  dpkg-deb -W --showformat="\${Package}\t\${Version}\t\${Architecture}\t\${source:Package}\t\${source:Version}\t\${Installed-Size}\n" linux-image-*.deb > package.tsv
  rm linux-image-*.deb
  depmod -b usr "$(ls usr/lib/modules)"' sh "$kernel" >&2
rm -rf "$kernel/usr/share/bug" "$kernel/usr/share/lintian"
printf '%s' "$wanted" > "$kernel.made"
echo "$kernel"
