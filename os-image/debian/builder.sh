#!/usr/bin/env bash
# Makes the builder: a Debian 13 chroot with every tool that the assembly needs, so that the build
# machine itself needs nothing but mmdebstrap. Kept until its package list or this script changes;
# about a minute, 250 MB. Prints its folder (var/image/builder).
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
builder=$here/../../var/image/builder
mkdir -p "$builder"
builder=$(cd "$builder" && pwd)

wanted=$(cat "$here/builder-packages.txt" "$0" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$builder.made" 2>/dev/null || true)" = "$wanted" ]; then echo "$builder"; exit 0; fi

packages=$(sed -E 's/[[:space:]]*#.*//; /^$/d' "$here/builder-packages.txt" | paste -sd,)
rm -rf "$builder" "$builder.made"
mmdebstrap --quiet --mode=root --variant=apt --include="$packages" \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
  --dpkgopt='path-exclude=/usr/share/locale/*' \
  trixie "$builder" - < <("$here/sources.sh") >&2
printf '%s' "$wanted" > "$builder.made"
echo "$builder"
