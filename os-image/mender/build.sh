#!/usr/bin/env bash
# Builds Mender's client (mender-auth, mender-update) for Debian 13, stripped, with its units, its
# D-Bus policy and its default scripts, and prints the folder that holds them as a tree to be laid
# over /. Kept by the hash of what went in: a second call takes no time. Eight minutes on two cores;
# root; mmdebstrap, git, patch.
#
#   os-image/mender/build.sh
#
# The source comes from MENDER_SOURCE=archive.tar.xz, else from ../shared/third-party/mender-5.1.0.tar.xz
# beside the checkout where that exists, else from upstream (MENDER_GIT=url) by its commit. Either way
# the same files are asked for by hash. Git submodules are not taken: Debian's packages stand in.
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;; esac

VERSION=5.1.0
COMMIT=54d57fc32abd0bb1a8f0336d6d5ab624d3c5ac49
# `git write-tree` over all files of that commit, submodules left out.
FILES_TREE=8d484e65dc8e786452f16ce0f6afbef0bca95b13
PACKAGES=build-essential,cmake,pkg-config,libboost-dev,libboost-log-dev,libssl-dev,libarchive-dev
PACKAGES+=,liblmdb-dev,liblmdb++-dev,libexpected-dev,libdbus-1-dev,nlohmann-json3-dev,libyaml-cpp-dev

here=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$here/../.." && pwd)
work=$project/var/mender
# Beside this checkout, or beside the one whose work tree this is.
archive=${MENDER_SOURCE:-}
for place in "$project" "$(git -C "$project" rev-parse --path-format=absolute --git-common-dir 2>/dev/null || echo "$project/.git")/.."; do
  [ -n "$archive" ] || archive=$(ls "$place/../shared/third-party/mender-$VERSION.tar.xz" 2>/dev/null || true)
done
upstream=${MENDER_GIT:-https://github.com/mendersoftware/mender.git}

say() { printf '  mender: %s\n' "$*" >&2; }

inputs=$(cd "$here" && find build.sh debian-13.patch stand-ins -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum | cut -c1-16)
out=$work/$inputs
if [ -e "$out/.complete" ]; then echo "$out"; exit 0; fi
[ "$(id -u)" -eq 0 ] || { say 'needs root (a chroot is built)'; exit 1; }

# Mounts live and die with this script, whatever way it ends.
if [ "${DRIMBOX_OWN_MOUNTS:-}" != yes ]; then
  exec env DRIMBOX_OWN_MOUNTS=yes unshare --mount --propagation private "$0" "$@"
fi
mkdir -p "$work"
exec 9> "$work/.lock"
flock 9
if [ -e "$out/.complete" ]; then echo "$out"; exit 0; fi

# The Debian mirrors of this machine, for the release that the box runs.
debian_13() {
  local uri
  apt-get indextargets --format '$(REPO_URI) $(LABEL)' 'Created-By: Packages' 'Origin: Debian' | sort -u |
    while read -r uri label; do
      case $label in
        Debian) echo "deb $uri trixie main" ;;
        Debian-Security) echo "deb $uri trixie-security main" ;;
      esac
    done
}

chroot=$work/builder-$(printf '%s' "$PACKAGES" | sha256sum | cut -c1-8)
if [ ! -e "$chroot/.complete" ]; then
  say 'builder: Debian 13 with a compiler (a minute) …'
  rm -rf "$chroot"
  mapfile -t sources < <(debian_13)
  [ ${#sources[@]} -gt 0 ] || { say 'apt on this machine names no Debian mirror (apt-get update?)'; exit 1; }
  mmdebstrap --quiet --mode=root --variant=apt --include="$PACKAGES" --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    trixie "$chroot" "${sources[@]}" >&2
  touch "$chroot/.complete"
fi

source=$(mktemp -d -p "$work" source.XXXXXX)
trap 'rm -rf "$source"' EXIT
if [ -n "$archive" ]; then
  say "source: $archive"
  tar -x --strip-components=1 -f "$archive" -C "$source"
else
  say "source: $upstream, commit $COMMIT"
  git init --quiet --bare "$source.git"
  trap 'rm -rf "$source" "$source.git"' EXIT
  git -C "$source.git" fetch --quiet --depth=1 "$upstream" "$COMMIT"
  git -C "$source.git" archive "$COMMIT" | tar -x -C "$source"
fi
# What is compiled is what was reviewed, whichever way it came.
check=$(mktemp -d -p "$work" check.XXXXXX)
tree=$(export GIT_DIR=$check/.git GIT_WORK_TREE=$source GIT_CONFIG_GLOBAL=/dev/null
  git init --quiet "$check" && cd "$source" && git add --all --force . && git write-tree)
rm -rf "$check"
[ "$tree" = "$FILES_TREE" ] || { say "the source is not Mender $VERSION as known: tree $tree instead of $FILES_TREE"; exit 1; }

patch --quiet --directory="$source" --strip=1 < "$here/debian-13.patch"
cp -r "$here/stand-ins/." "$source/src/common/vendor/"

say 'compiling (eight minutes on two cores) …'
rm -rf "$chroot/mender"
mkdir -p "$chroot/mender/build" "$chroot/mender/source" "$chroot/proc"
mount --bind "$source" "$chroot/mender/source"
mount -t proc proc "$chroot/proc"
inside() { chroot "$chroot" /usr/bin/env -i PATH=/usr/sbin:/usr/bin LC_ALL=C "$@"; }
{
  # The hardening that Debian's own packages are built with; paths of this machine stay out.
  flags='-O2 -fstack-protector-strong -fstack-clash-protection -fcf-protection -D_FORTIFY_SOURCE=3'
  inside cmake -S /mender/source -B /mender/build -DCMAKE_BUILD_TYPE=Release -DBUILD_TESTS=OFF \
    -DMENDER_VERSION=$VERSION -DCMAKE_INSTALL_PREFIX=/usr -DSYSTEMD_UNIT_DIR=/usr/lib/systemd/system \
    -DCMAKE_CXX_FLAGS_RELEASE="$flags -DNDEBUG" -DCMAKE_EXE_LINKER_FLAGS='-pie -Wl,-z,relro,-z,now' \
    -DCMAKE_POSITION_INDEPENDENT_CODE=ON
  inside make -C /mender/build -j"$(nproc)"
  inside env DESTDIR=/mender/out cmake --install /mender/build --strip
} > "$work/build.log" 2>&1 || { tail -n 30 "$work/build.log" >&2; exit 1; }
umount "$chroot/mender/source"

# The whole tree under its name in one step; beside it what it links to, for the bill of materials.
rm -rf "$out"
result=$chroot/mender/out
inside dpkg-query -W -f '${Package}\t${Version}\n' > "$result/.builder-packages.tsv"
printf 'mender\t%s\t%s\n' "$VERSION" "$COMMIT" > "$result/.source.tsv"
touch "$result/.complete"
mv "$result" "$out"
rm -rf "$chroot/mender"
say "$(du -sh "$out" | cut -f1) in $out"
echo "$out"
