#!/usr/bin/env bash
# Makes a cross compiler for Buildroot out of Debian 13's gcc 14, binutils and glibc, in seconds instead
# of the half hour that building one takes. For SOURCES=debian alone; a release builds its own.
#
#   APT_CONFIG=… toolchain.sh OUT
#
# OUT/host     gcc and binutils unpacked: gcc finds its parts relative to itself
# OUT/run      the shared libraries that those programs want, set as their search path, so that a newer
#              Debian's compiler runs on an older build machine
# OUT/sysroot  glibc, libstdc++, libgcc and kernel headers, flat in usr/lib and usr/include, which is what
#              Buildroot expects of a compiler's own tree
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,11s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
MAJOR=14
TUPLE=x86_64-drimbox-linux-gnu
DEBIAN=x86_64-linux-gnu
command -v patchelf >/dev/null || { echo 'toolchain: needs patchelf' >&2; exit 1; }

rm -rf "$1"
out=$(mkdir -p "$1" && cd "$1" && pwd)
mkdir -p "$out"/{bin,run,debs} "$out"/sysroot/usr/{lib,include}
unpacked() { # into which folder, packages…
  local into=$1; shift
  mkdir -p "$out/$into"
  (cd "$out/debs" && apt-get download -qq "$@" >/dev/null && for deb in ./*.deb; do dpkg-deb -x "$deb" "$out/$into"; done && rm -f ./*.deb)
}
optional() { if apt-cache show "$1" >/dev/null 2>&1; then echo "$1"; fi; }
suffix=''
[ -z "$(optional gcc-$MAJOR-x86-64-linux-gnu)" ] || suffix=-x86-64-linux-gnu
unpacked host "gcc-$MAJOR$suffix" "cpp-$MAJOR$suffix" "g++-$MAJOR$suffix" binutils-x86-64-linux-gnu "libgcc-$MAJOR-dev" "libstdc++-$MAJOR-dev"
# shellcheck disable=SC2046
unpacked libraries libbinutils libctf0 libctf-nobfd0 libgprofng0 libjansson4 libzstd1 zlib1g libisl23 libmpc3 libmpfr6 libgmp10 libc6 libstdc++6 libgcc-s1 $(optional libsframe1)
unpacked target libc6 libc6-dev linux-libc-dev libgcc-s1 libstdc++6 libatomic1

cd "$out"
find libraries -name '*.so*' \( -type f -o -type l \) -path "*$DEBIAN*" ! -path '*/gconv/*' -exec cp -a {} run/ \;
[ -e run/ld-linux-x86-64.so.2 ] || cp -L "$(find libraries -name ld-linux-x86-64.so.2 -print -quit)" run/
find host -type f -perm -100 | while read -r file; do
  patchelf --print-interpreter "$file" >/dev/null 2>&1 || continue
  patchelf --set-interpreter "$out/run/ld-linux-x86-64.so.2" --force-rpath --set-rpath "$out/run" "$file"
done
find host -path '*/gcc/*' -name '*.so*' -type f -exec sh -c 'patchelf --force-rpath --set-rpath "$1" "$2" 2>/dev/null || true' sh "$out/run" {} \;

cp -a target/usr/include/. sysroot/usr/include/
cp -a "sysroot/usr/include/$DEBIAN/." sysroot/usr/include/
if [ -d target/usr/lib/linux/uapi/x86/asm ]; then rm -rf sysroot/usr/include/asm; cp -a target/usr/lib/linux/uapi/x86/asm sysroot/usr/include/; fi
rm -rf "sysroot/usr/include/$DEBIAN" sysroot/usr/include/c++ sysroot/usr/include/crypt.h
for folder in "target/lib/$DEBIAN" "target/usr/lib/$DEBIAN"; do
  if [ -d "$folder" ]; then find "$folder" -mindepth 1 -maxdepth 1 \( -type f -o -type l \) -exec cp -a {} sysroot/usr/lib/ \;; fi
done
[ -e sysroot/usr/lib/ld-linux-x86-64.so.2 ] || cp -L run/ld-linux-x86-64.so.2 sysroot/usr/lib/
own=host/usr/lib/gcc/$DEBIAN/$MAJOR
[ -d "$own" ] || own=host/usr/lib/gcc-cross/$DEBIAN/$MAJOR
mv "$own/libstdc++.a" "$own/libsupc++.a" sysroot/usr/lib/
ln -sfn libstdc++.so.6 sysroot/usr/lib/libstdc++.so
ln -sfn libatomic.so.1 sysroot/usr/lib/libatomic.so
(
  cd sysroot/usr/lib
  for file in *.so *.a; do if [ -L "$file" ]; then ln -sfn "$(basename "$(readlink "$file")")" "$file"; fi; done
  # Linker scripts name the folders of a machine with several architectures.
  for file in libc.so libm.so libm.a; do
    if [ -f "$file" ] && [ "$(head -c 2 "$file")" = '/*' ]; then sed -i "s#/usr/lib/$DEBIAN/#/usr/lib/#g; s#/lib/$DEBIAN/#/usr/lib/#g; s#/lib64/#/usr/lib/#g" "$file"; fi
  done
  printf '/* GNU ld script */\nGROUP ( libgcc_s.so.1 -lgcc )\n' > libgcc_s.so
)
ln -sfn usr/lib sysroot/lib; ln -sfn lib sysroot/usr/lib64; ln -sfn usr/lib sysroot/lib64
# gcc's own folder must not carry links to this machine's libraries.
rm -f "$own"/libstdc++.so "$own"/libatomic.so "$own"/libgcc_s.so "$own"/libgomp.*

for tool in gcc g++ cpp; do
  # A later --sysroot (Buildroot's staging folder) wins over this one.
  printf '#!/bin/sh\nexec %s/host/usr/bin/%s-%s-%s --sysroot=%s/sysroot "$@"\n' "$out" $DEBIAN $tool $MAJOR "$out" > "bin/$TUPLE-$tool"
  chmod 755 "bin/$TUPLE-$tool"
done
ln -s $TUPLE-gcc bin/$TUPLE-cc; ln -s $TUPLE-g++ bin/$TUPLE-c++
for tool in ar nm ranlib; do ln -s "../host/usr/bin/$DEBIAN-gcc-$tool-$MAJOR" "bin/$TUPLE-gcc-$tool"; done
for tool in ar as ld ld.bfd nm objcopy objdump ranlib readelf strip strings size addr2line c++filt; do
  if [ -e "host/usr/bin/$DEBIAN-$tool" ]; then ln -s "../host/usr/bin/$DEBIAN-$tool" "bin/$TUPLE-$tool"; fi
done
# gcc calls "as" and "ld" by plain name beside its own target folder.
mkdir -p host/usr/$DEBIAN/bin
for tool in as ld ld.bfd ar nm ranlib objcopy; do ln -sf "../../bin/$DEBIAN-$tool" "host/usr/$DEBIAN/bin/$tool"; done
rm -rf target libraries debs
touch .complete
