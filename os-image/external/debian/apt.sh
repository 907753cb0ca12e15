#!/usr/bin/env bash
# Prints an apt configuration of its own (for APT_CONFIG) in DIR, with the package lists of Debian 13
# and the source lists of every suite that might hold a tarball. A minute; kept for half a day.
#
#   apt.sh DIR
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mkdir -p "$1" && cd "$1" && pwd)
mkdir -p "$dir"/{lists/partial,cache/archives/partial}
: > "$dir/status"

lines=$("$here/../../debian/sources.sh")
archive=$(awk '$3 == "trixie" { print $2 }' <<< "$lines")
security=$(awk '$3 == "trixie-security" { print $2 }' <<< "$lines")
key='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]'
{
  echo "deb $key $archive trixie main"
  for suite in trixie trixie-updates sid bookworm; do echo "deb-src $key $archive $suite main"; done
  echo "deb-src $key $security trixie-security main"
} > "$dir/sources.list"
cat > "$dir/apt.conf" <<END
Dir::Etc::sourcelist "$dir/sources.list"; Dir::Etc::sourceparts "/nonexistent";
Dir::State::lists "$dir/lists"; Dir::Cache "$dir/cache"; Dir::State::status "$dir/status";
Acquire::Languages "none"; Acquire::Retries "3"; APT::Sandbox::User "root";
END
if [ -z "$(find "$dir/lists" -name '*_Sources*' -mmin -720 -print -quit)" ]; then
  APT_CONFIG=$dir/apt.conf apt-get update -qq >&2
fi
echo "$dir/apt.conf"
