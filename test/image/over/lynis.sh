#!/usr/bin/env bash
# Lynis, from this machine's Debian, for an image that is audited from inside. Prints the folder to lay over a tree.
#
#   os-image/build.ts --over=$(test/image/over/lynis.sh)
set -euo pipefail
project=$(realpath "$(dirname "$0")/../../..")
over=$project/var/peers/lynis
if [ ! -x "$over/usr/sbin/lynis" ]; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  (cd "$work" && apt-get -qq -o APT::Sandbox::User=root download lynis >&2)
  dpkg-deb -x "$work"/lynis_*.deb "$work/all"
  mkdir -p "$over/usr/share" "$over/usr/sbin" "$over/etc"
  cp -R "$work/all/usr/share/lynis" "$over/usr/share/"
  cp -R "$work/all/etc/lynis" "$over/etc/"
  cp "$work/all/usr/sbin/lynis" "$over/usr/sbin/"
fi
echo "$over"
