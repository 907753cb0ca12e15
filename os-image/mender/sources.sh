#!/usr/bin/env bash
# Prints Debian 13's package sources, one `deb …` line each, on the mirrors of this machine's own apt.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2s/^# //p' "$0"; exit 0 ;; esac
apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 'Origin: Debian' | sort -u |
  while read -r uri label; do
    case $label in
      Debian) echo "deb $uri trixie main" ;;
      Debian-Security) echo "deb $uri trixie-security main" ;;
    esac
  done | sort -u
