#!/usr/bin/env bash
# Makes a small Debian 13 in which tests drive Mender's real client, without a virtual machine: 5.1.0
# as built by build.sh, mender-artifact, a D-Bus daemon and what the update scripts use in the image. Like
# the image it has no bash, no perl and no python. Prints its folder; kept by the hash of what went in.
# A minute, and build.sh's eight at the first call; root.
#
#   os-image/mender/peer.sh
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

PACKAGES=fdisk,mawk,mender-artifact,dbus-daemon,dbus-system-bus-common,ca-certificates,openssl
PACKAGES+=,tpm2-tools,libtss2-rc0t64,libtss2-tcti-swtpm0t64
# What mender-auth and mender-update are linked to.
PACKAGES+=,libarchive13t64,libboost-filesystem1.83.0,libboost-log1.83.0,libboost-thread1.83.0,libdbus-1-3,liblmdb0,libstdc++6,libyaml-cpp0.8

here=$(cd "$(dirname "$0")" && pwd)
work=$here/../../var/mender
client=$("$here/build.sh")
work=$(cd "$work" && pwd)
peer=$work/peer-$(sha256sum < "$0" | cut -c1-8)-$(basename "$client")
exec 9> "$work/.peer-lock"
flock 9
if [ ! -e "$peer/.complete" ]; then
  printf '  mender: Debian 13 for tests (a minute) …\n' >&2
  rm -rf "$peer"
  mapfile -t sources < <("$here/../debian/sources.sh")
  mmdebstrap --quiet --mode=root --variant=apt --include="$PACKAGES" --aptopt='Acquire::Languages "none"' \
    --aptopt='APT::Install-Recommends "false"' --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    trixie "$peer" "${sources[@]}" >&2
  cp -a "$client/usr" "$peer/"
  # As in the image: dash alone.
  rm -rf "$peer"/usr/bin/{bash,perl*,python*} "$peer"/usr/share/mender/{modules/v3,inventory}/*
  touch "$peer/.complete"
fi
echo "$peer"
