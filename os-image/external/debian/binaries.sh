#!/usr/bin/env bash
# Fetches into DIR the Debian packages that debian-binaries.mk installs: programs whose sources Debian's
# archive lists and does not always have, or whose build takes longer than it tells (Boost).
#
#   APT_CONFIG=… binaries.sh DIR
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
PACKAGES=(
  tpm2-tools tpm2-openssl
  nftables libnftables1 libnftnl11 libmnl0 libxtables12 libjansson4 libgmp10 libedit2 libbsd0 libmd0 libtinfo6
  libboost-log1.83.0 libboost-thread1.83.0 libboost-filesystem1.83.0
  libicu76 liblmdb0 libarchive13t64 libyaml-cpp0.8 libdbus-1-3 libxml2 libnettle8t64 libbz2-1.0 liblz4-1 libxxhash0 libzstd1 libacl1
)
mkdir -p "$1"
cd "$1"
for package in "${PACKAGES[@]}"; do
  compgen -G "${package}_*.deb" >/dev/null || apt-get download -qq "$package" || { echo "Debian has no $package" >&2; exit 1; }
done
