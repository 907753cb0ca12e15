#!/usr/bin/env bash
# Runs one command inside the builder chroot (os-image/debian/builder.sh), as root.
#
#   os-image/in-builder.sh [--bind=PATH]… [--keys=FOLDER] [--clock=EPOCH] [--network] -- COMMAND [ARGUMENT]…
#
#   --bind=PATH    a folder or file of this machine, seen inside under the same path
#   --clock=EPOCH  the clock stands still at these seconds since 1970, and SOURCE_DATE_EPOCH is set:
#                  for tools that write the time of day (signatures, FAT)
#   --keys=FOLDER  --bind, and OpenSSL inside knows the token that the folder names (os-image/keys/token.sh)
#   --network      name resolution as on this machine (apt)
#
# All mounts live in a mount namespace that dies with the command: nothing can be left bound and
# sign with yesterday's keys.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
builder=$("$here/debian/builder.sh")

binds=() clock='' network='' token=()
while [ $# -gt 0 ]; do
  case $1 in
    --bind=*) binds+=("$(realpath "${1#*=}")") ;;
    --clock=*) clock=${1#*=} ;;
    --keys=*)
      keys=$(realpath "${1#*=}")
      binds+=("$keys")
      if [ -e "$keys/openssl.cnf" ]; then token+=("OPENSSL_CONF=$keys/openssl.cnf"); fi
      if [ -e "$keys/softhsm2.conf" ]; then token+=("SOFTHSM2_CONF=$keys/softhsm2.conf"); fi ;;
    --network) network=1 ;;
    --) shift; break ;;
    *) echo "in-builder: unknown option $1" >&2; exit 2 ;;
  esac
  shift
done
[ -z "$network" ] || binds+=(/etc/resolv.conf)

environment=(PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C.UTF-8 TZ=UTC HOME=/root MTOOLS_SKIP_CHECK=1 "${token[@]}")
still=()
if [ -n "$clock" ]; then
  environment+=("SOURCE_DATE_EPOCH=$clock")
  still=(faketime -f "$(date -u -d "@$clock" '+%Y-%m-%d %H:%M:%S')")
fi

# The inner script gets: number of binds, the binds, then the command.
export builder
exec unshare --mount --propagation=private bash -euc '
  count=$1; shift
  for _ in $(seq "$count"); do
    if [ -d "$1" ]; then mkdir -p "$builder$1"; else mkdir -p "$(dirname "$builder$1")"; rm -f "$builder$1"; touch "$builder$1"; fi
    mount --bind "$1" "$builder$1"
    shift
  done
  mount -t proc proc "$builder/proc"
  mount --rbind /dev "$builder/dev"
  exec chroot "$builder" /usr/bin/env -i "$@"
' in-builder "${#binds[@]}" "${binds[@]}" "${environment[@]}" "${still[@]}" "$@"
