#!/usr/bin/env bash
# Prints the folder of the pinned Buildroot, after unpacking or fetching it if need be: half a minute
# the first time, then none.
#
#   buildroot-source.sh            BUILDROOT= an archive or a folder of it; else the archive that lies in
#                                  ../shared/third-party beside the checkout; else fails with code 3
#   buildroot-source.sh --fetch    …else Buildroot's own repository, that commit alone
#
# Wherever it came from, its files are compared with the commit's tree.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

VERSION=2026.02.3
COMMIT=679b9ead7620bbf193620d1ebf56f53c1764d37a
TREE=7687f049dcbb99ea686fa921153e9e33ff06a623
UPSTREAM=https://gitlab.com/buildroot.org/buildroot.git

project=$(cd "$(dirname "$0")/../.." && pwd)
work=$project/var/buildroot
out=$work/source-$VERSION
[ ! -e "$out/.complete" ] || { echo "$out"; exit 0; }

from=${BUILDROOT:-}
[ -n "$from" ] || for beside in "$project/../shared" "$project/../../shared"; do
  if [ -e "$beside/third-party/buildroot-$VERSION.tar.xz" ]; then from=$beside/third-party/buildroot-$VERSION.tar.xz; fi
done
if [ -z "$from" ] && [ "${1:-}" != --fetch ]; then
  echo "no Buildroot $VERSION here: name it with BUILDROOT=archive, or fetch it with --fetch" >&2
  exit 3
fi

mkdir -p "$work"
exec 9> "$work/.source.lock"
flock 9
[ ! -e "$out/.complete" ] || { echo "$out"; exit 0; }
rm -rf "$out"
mkdir -p "$out"
if [ -z "$from" ]; then
  git init --quiet --bare "$out.git"
  git -C "$out.git" fetch --quiet --depth=1 "$UPSTREAM" "$COMMIT"
  git -C "$out.git" archive "$COMMIT" | tar -x -C "$out"
  rm -rf "$out.git"
elif [ -d "$from" ]; then
  tar -C "$from" -c --exclude=./.git --exclude=./dl --exclude=./output . | tar -x -C "$out"
else
  tar -x -f "$from" -C "$out" --strip-components=1
fi

check=$(mktemp -d)
trap 'rm -rf "$check"' EXIT
tree=$(export GIT_DIR=$check/.git GIT_WORK_TREE=$out GIT_CONFIG_GLOBAL=/dev/null
  git init --quiet "$check" && cd "$out" && git add --all --force . && git write-tree)
[ "$tree" = "$TREE" ] || { echo "this is not Buildroot $VERSION as known: tree $tree instead of $TREE" >&2; exit 1; }
touch "$out/.complete"
echo "$out"
