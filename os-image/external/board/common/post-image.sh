#!/usr/bin/env bash
# Makes the image of what Buildroot built, by the same programs as the Debian tree: finish-tree.sh lays
# the appliance over it, assemble.sh makes file system, hash tree, signed kernel image and disk of it.
#
# Buildroot calls it with its images folder, then BR2_ROOTFS_POST_SCRIPT_ARGS: the board, and `with-mender`
# where the recipe builds no client (os-image/external/debian/reduced.config). From os-image/buildroot.sh:
#   DRIMBOX_VERSION (0.1.0), DRIMBOX_RELEASE (1), DRIMBOX_OUT (var/image/buildroot-<board>),
#   DRIMBOX_SBOM (what goes into the bill of materials, options of scripts/sbom.ts)
set -euo pipefail
images=$1 board=$2
image=$(cd "$(dirname "$0")/../../.." && pwd)
project=$(dirname "$image")
version=${DRIMBOX_VERSION:-0.1.0} release=${DRIMBOX_RELEASE:-1}
export PATH=$project/node_modules/.bin:/usr/sbin:/usr/bin:/sbin:/bin
# Buildroot's make and its flags are no business of what follows.
unset MAKEFLAGS MAKELEVEL MAKEOVERRIDES O

case $board in x86-64) arch=x64 ;; arm64) arch=arm64 ;; *) echo "post-image: no board $board" >&2; exit 2 ;; esac
out=${DRIMBOX_OUT:-$project/var/image/buildroot-$board}
tree=$out.tree
rm -rf "$tree"
mkdir -p "$tree" "$out"
tar -x -f "$images/rootfs.tar" -C "$tree"

finish=(--tree="$tree" --version="$version" --release="$release" --arch="$arch" --without-node)
if [ "${3:-}" = with-mender ]; then finish+=(--mender="$("$image/mender/build.sh" | tail -n1)"); fi
# Everything is built into the kernel. What assemble.sh asks of a folder of modules is a list of that.
kernel=$out/kernel
built=$(find "$BUILD_DIR" -mindepth 1 -maxdepth 1 -name 'linux-[0-9]*' -o -maxdepth 1 -name linux-custom | head -n1)
name=$(cat "$built/include/config/kernel.release")
rm -rf "$kernel"
mkdir -p "$kernel/boot" "$kernel/usr/lib/modules/$name"
cp "$images"/*Image "$kernel/boot/vmlinuz-$name"
cp "$built/modules.builtin" "$built/modules.builtin.modinfo" "$kernel/usr/lib/modules/$name/"
: > "$kernel/usr/lib/modules/$name/modules.order"
"$image/finish-tree.sh" "${finish[@]}"
# shellcheck disable=SC2086
"$image/sbom.sh" --install --tree="$tree" --version="$version" ${DRIMBOX_SBOM:?from os-image/buildroot.sh}

if [ "$board" != x86-64 ]; then
  echo "post-image: the tree is $tree; an image of it is made on x86-64 alone so far (docs/buildroot.md)"
  exit 0
fi
"$image/assemble.sh" --tree="$tree" --kernel="$kernel" --out="$out" --version="$version" --release="$release"
