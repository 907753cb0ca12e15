#!/usr/bin/env bash
# Prints Debian 13's package sources, one `deb …` line each: the archive and its security updates,
# on the mirrors that this machine's own apt uses. MIRROR=URL names another archive.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,3s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

# Both forms that apt knows: `deb URL suite …` and `URIs: URL`.
urls=$({ cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null || true; } |
  sed -nE 's/^deb (\[[^]]*\] )?([^ ]+) .*/\2/p; s/^URIs: *([^ ]+).*/\1/p')
archive=${MIRROR:-$(grep -E '/debian/?$' <<< "$urls" | head -n1 || true)}
security=$(grep -E '/debian-security/?$' <<< "$urls" | head -n1 || true)
[ -n "$archive" ] || { echo "sources: apt's settings name no Debian mirror; MIRROR=URL does" >&2; exit 1; }
echo "deb $archive trixie main"
if [ -n "$security" ]; then echo "deb $security trixie-security main"; else echo "sources: apt's settings name no mirror of security updates; none are taken" >&2; fi
