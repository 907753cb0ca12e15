#!/usr/bin/env bash
# Unpacks Debian's mender-client (3.4.0, the line before the one in the image) for the tests of the fleet
# server, without installing it: its service would start by itself. Prints the folder that holds
# usr/bin/mender; kept in var/peers. Some seconds, 3 MB. Debian 12's own sources, or those of Debian 13
# on a Debian 13 machine.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
root=$(cd "$(dirname "$0")/.." && pwd)
peer=$root/var/peers/mender-client
if [ ! -x "$peer/usr/bin/mender" ]; then
  mkdir -p "$root/var/peers"
  work=$(mktemp -d "$root/var/peers/.mender-client.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  cd "$work"
  apt-get download -qq -o APT::Sandbox::User=root mender-client >&2 ||
    { apt-get update -qq >&2 && apt-get download -qq -o APT::Sandbox::User=root mender-client >&2; }
  dpkg-deb -x mender-client_3.4.*.deb unpacked
  rm -rf "$peer"
  mv unpacked "$peer"
fi
echo "$peer"
