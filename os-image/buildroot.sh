#!/usr/bin/env bash
# `make image`: the image by Buildroot, from sources. Hours the first time with everything from
# upstream, an hour and a half with SOURCES=debian and REDUCED=1.
#
#   [BOARD=x86-64|arm64] [SOURCES=upstream|debian] [REDUCED=1] [BUILDROOT=archive] os-image/buildroot.sh [TARGET…]
#
#   SOURCES=upstream  every tarball from where its makers publish it, by digest
#   SOURCES=debian    x86-64 alone: where nothing but Debian's archive can be reached. Sources come from
#                     Debian's source packages, the compiler from its gcc and glibc, build tools from this
#                     machine (os-image/external/debian). A stand-in for tests, never a release.
#   REDUCED=1         with SOURCES=debian: Debian's binaries of what has no source there
#   TARGET…           of Buildroot's make instead of the image: show-info, legal-info, systemd …
#
# Folders: var/buildroot/<board>-<sources> is Buildroot's output; the image is in var/image/buildroot-<board>.
# VERSION= (0.1.0) and RELEASE= (1) of the image; JLEVEL= jobs (all processors).
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,16s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")" && pwd)
project=$(dirname "$image")
external=$image/external
board=${BOARD:-x86-64} sources=${SOURCES:-upstream} reduced=${REDUCED:-}
case $board in x86-64|arm64) ;; *) echo "no board $board: x86-64 or arm64" >&2; exit 2 ;; esac
case $sources in upstream|debian) ;; *) echo "SOURCES is upstream or debian" >&2; exit 2 ;; esac
if [ "$sources$board" = debianarm64 ]; then echo "SOURCES=debian builds for x86-64 alone" >&2; exit 2; fi
if [ "$reduced$sources" = 1upstream ]; then echo "REDUCED=1 goes with SOURCES=debian" >&2; exit 2; fi

work=$project/var/buildroot
out=$work/$board-$sources${reduced:+-reduced}
mkdir -p "$out"
defconfig=$out/defconfig
rm -f "$out/show-info.json"
say() { printf '  %s %s\n' "$(date +%T)" "$*" >&2; }
export DRIMBOX_VERSION=${VERSION:-0.1.0} DRIMBOX_RELEASE=${RELEASE:-1} DRIMBOX_OUT=$project/var/image/buildroot-$board

cat "$external/configs/drimbox_${board//-/_}_defconfig" > "$defconfig"
if [ -n "${JLEVEL:-}" ]; then echo "BR2_JLEVEL=$JLEVEL" >> "$defconfig"; fi

if [ "$sources" = upstream ]; then
  buildroot=$("$external/buildroot-source.sh" --fetch)
  echo "BR2_DL_DIR=\"$work/dl\"" >> "$defconfig"
else
  # Tools that stand in for Buildroot's own, by package: a program or a file of each.
  missing=()
  for one in lz4:lz4 rsync:rsync cpio:cpio bc:bc m4:m4 flex:flex bison:bison gperf:gperf patchelf:patchelf meson:meson ninja-build:ninja \
    autoconf:autoconf automake:automake libtool:libtoolize autoconf-archive:/usr/share/aclocal/ax_pthread.m4 \
    libltdl-dev:/usr/share/aclocal/ltdl.m4 gettext:msgfmt autopoint:autopoint fakeroot:fakeroot erofs-utils:mkfs.erofs gawk:gawk cmake:cmake \
    pkgconf:pkgconf python3-jinja2:/usr/lib/python3/dist-packages/jinja2/__init__.py python3-setuptools:/usr/lib/python3/dist-packages/setuptools/__init__.py \
    python3-pyelftools:/usr/lib/python3/dist-packages/elftools/__init__.py python3-pefile:/usr/lib/python3/dist-packages/pefile.py; do
    what=${one#*:}
    if [ "${what#/}" != "$what" ]; then [ -e "$what" ] || missing+=("${one%%:*}")
    else command -v "$what" >/dev/null || missing+=("${one%%:*}"); fi
  done
  if [ ${#missing[@]} -gt 0 ]; then echo "SOURCES=debian needs: apt-get install ${missing[*]}" >&2; exit 1; fi

  # A copy: recipes of build tools are replaced in it.
  source=$("$external/buildroot-source.sh")
  buildroot=$work/source-debian
  if [ "$(cat "$buildroot/.made" 2>/dev/null || true)" != "$(cat "$external"/debian/*.py | sha256sum)" ]; then
    rm -rf "$buildroot"; cp -a "$source" "$buildroot"
    mkdir -p "$work/empty"
    /usr/bin/python3 "$external/debian/host-tools.py" "$buildroot" "$work/empty" > "$work/host-tools.log"
    cat "$external"/debian/*.py | sha256sum > "$buildroot/.made"
  fi
  say 'Debian: lists of sources and packages'
  APT_CONFIG=$("$external/debian/apt.sh" "$work/apt"); export APT_CONFIG
  if [ ! -e "$work/toolchain/.complete" ]; then
    say 'compiler out of Debian 13'
    "$external/debian/toolchain.sh" "$work/toolchain"
  fi
  [ -z "$reduced" ] || cat "$external/debian/reduced.config" >> "$defconfig"
  sed "s#@WORK@#$work#g; s#@OUT@#$out#g" "$external/debian/sources.config" >> "$defconfig"
  # Nothing of a desk's own: no version managers, no package caches of Python, no Perl options.
  unset PYTHONDONTWRITEBYTECODE PIP_FIND_LINKS PERL_MM_OPT
  export PATH=/usr/sbin:/usr/bin:/sbin:/bin FORCE_UNSAFE_CONFIGURE=1 DRIMBOX_DEBS=$work/debs
fi

mk() { make --no-print-directory -C "$buildroot" O="$out" BR2_EXTERNAL="$external" "$@"; }
if [ "$sources" = debian ]; then : > "$out/local.mk"; fi
mk -s defconfig BR2_DEFCONFIG="$defconfig" > "$out/defconfig.log" 2>&1 || { cat "$out/defconfig.log" >&2; exit 1; }
if [ "$sources" = debian ]; then
  # Versions are the recipes' own here, "custom" once sources are put in their place.
  mk -s show-info > "$out/show-info.json"
  [ -z "$reduced" ] || "$external/debian/binaries.sh" "$work/debs"
  say 'sources out of Debian'
  /usr/bin/python3 "$external/debian/sources.py" --info="$out/show-info.json" --buildroot="$buildroot" --lists="$work/apt/lists" \
    --mirror="$work/mirror" --unpacked="$work/unpacked" --local-mk="$out/local.mk" --report="$out/sources.json" >&2
  mk() { make --no-print-directory -C "$buildroot" O="$out" BR2_EXTERNAL="$external" PYTHON3_VERSION_MAJOR="$(/usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')" "$@"; }
fi
# What will be built, for the bill of materials of the image.
spdx=$project/node_modules/@cyclonedx/cyclonedx-library/res/schema/spdx.SNAPSHOT.schema.json
mkdir -p "$work/dl/cyclonedx"
if [ -e "$spdx" ]; then cp "$spdx" "$work/dl/cyclonedx/spdx-1.6.schema.json"; fi
[ -e "$out/show-info.json" ] || mk -s show-info > "$out/show-info.json"
BR2_DL_DIR=$work/dl /usr/bin/python3 "$buildroot/utils/generate-cyclonedx" --in-file "$out/show-info.json" --out-file "$out/sbom.cdx.json"
export DRIMBOX_SBOM="--buildroot=$out/sbom.cdx.json"
if [ "$sources" = debian ]; then DRIMBOX_SBOM+=" --sources=$out/sources.json"; fi
if [ -n "$reduced" ]; then DRIMBOX_SBOM+=" --debs=$work/debs"; fi
say "building in $out"
mk "${@:-all}"
