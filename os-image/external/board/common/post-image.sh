#!/usr/bin/env bash
# Makes the image of what Buildroot built, by the same two programs as the Debian tree: finish-tree.sh
# lays the appliance over it, assemble makes file system, hash tree, signed kernel image and disk of it.
#
# Buildroot calls it with its images folder, then BR2_ROOTFS_POST_SCRIPT_ARGS: the board.
#   DRIMBOX_VERSION (0.1.0), DRIMBOX_RELEASE (1), DRIMBOX_OUT (var/image/buildroot-<board>)
set -euo pipefail
images=$1 board=$2
image=$(cd "$(dirname "$0")/../../.." && pwd)
project=$(dirname "$image")
out=${DRIMBOX_OUT:-$project/var/image/buildroot-$board}
version=${DRIMBOX_VERSION:-0.1.0} release=${DRIMBOX_RELEASE:-1}
case $board in x86-64) arch=x64 ;; arm64) arch=arm64 ;; *) echo "post-image: no board $board" >&2; exit 2 ;; esac
export PATH=$project/node_modules/.bin:$PATH

tree=$out/tree
rm -rf "$tree"
mkdir -p "$tree"
tar -x -f "$images/rootfs.tar" -C "$tree"
"$image/finish-tree.sh" --tree="$tree" --version="$version" --release="$release" --arch="$arch" --without-node
if [ "$board" != x86-64 ]; then
  echo "post-image: the tree is in $tree; assemble makes images for x86-64 alone so far (docs/buildroot.md)"
  exit 0
fi
"$image/assemble/assemble.sh" --tree="$tree" --kernel="$images/bzImage" --version="$version" --release="$release" --out="$out"
