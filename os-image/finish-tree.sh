#!/usr/bin/env bash
# Makes an appliance of a bare root tree, in place, whichever recipe it came from (Debian, Buildroot):
# lays our files, the service, Mender's client and the keys' public halves over it, writes users with
# fixed numbers, enables what the presets name, and refuses a tree that breaks a rule
# (os-image/check-tree.sh).
#
#   os-image/finish-tree.sh --tree=DIR --version=0.1.0 --release=1 [--arch=x64] [--mender=DIR] [--without-node] [--over=DIR]…
#
#   --mender=DIR    what os-image/mender/build.sh printed, where the tree has no client of its own
#   --without-node  the tree brings its own /usr/bin/node
#   --over=DIR      more files, last of all: probes and broken services of tests
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,12s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")" && pwd)
project=$(cd "$image/.." && pwd)

tree='' version='' release='' arch=x64 mender='' service=() overs=()
for option in "$@"; do
  case $option in
    --tree=*) tree=$(realpath "${option#*=}") ;;
    --version=*) version=${option#*=} ;;
    --release=*) release=${option#*=} ;;
    --arch=*) arch=${option#*=} ;;
    --mender=*) mender=$(realpath "${option#*=}") ;;
    --without-node) service+=(--without-node) ;;
    --over=*) overs+=("$(realpath "${option#*=}")") ;;
    *) echo "finish-tree: unknown option $option" >&2; exit 2 ;;
  esac
done
# Everything below writes into and deletes from $tree: it must be a root tree, and never this machine's.
[ "$tree" != / ] && [ -d "$tree/usr/lib/systemd" ] || { echo "finish-tree: --tree=$tree is no root tree" >&2; exit 2; }
readonly tree
[[ $version =~ ^[0-9]+\.[0-9]+\.[0-9]+$ ]] || { echo "finish-tree: --version=$version is not three numbers" >&2; exit 2; }
# The floor is a field of 64 bits in the TPM; bit 0 is never used.
[[ $release =~ ^[0-9]+$ ]] && [ "$release" -ge 1 ] && [ "$release" -le 63 ] || { echo "finish-tree: --release=$release is not 1 to 63" >&2; exit 2; }
keys=$("$image/keys/make.sh")
lay() { cp -a --no-preserve=ownership "$1/." "$tree/"; }

cd "$tree"
rm -rf ./{boot,home,media,mnt,opt,root,srv}
mkdir -p ./{dev,efi,etc/mender,proc,root,run,sys,tmp,usr/lib/drimbox,var}
if [ -n "$mender" ]; then lay "$mender"; rm -f ./.[a-z]*; fi
for files in "$project/appliance/rootfs" "$project/appliance/update/rootfs"; do
  if [ -d "$files" ]; then lay "$files"; fi
done
PATH="$project/node_modules/.bin:$PATH" node "$image/service.ts" --tree="$tree" --arch="$arch" "${service[@]}"

# Public halves of the vendor's keys, and what the image is.
install -m 0644 "$keys/artifact.pub" ./etc/mender/artifact-verify-key.pem
install -m 0644 "$keys/fleet.crt" ./etc/mender/fleet.crt
install -m 0644 "$keys/settings.pub" ./usr/lib/drimbox/settings-verify-key.pem
install -m 0644 "$keys/recovery.pub" ./usr/lib/drimbox/recovery-public-key.pem
echo "$version" > ./usr/lib/drimbox/version
echo "$release" > ./usr/lib/drimbox/release
# What a box that was never updated is to its fleet server (appliance/update, tmpfiles.d).
"$image/mender/bootstrap.sh" "$version" ./usr/share/mender/bootstrap.mender
printf '%s\n' NAME=DRIMbox ID=drimbox "VERSION_ID=$version" IMAGE_ID=drimbox "IMAGE_VERSION=$version" \
  "PRETTY_NAME=\"DRIMbox Edge $version\"" > ./usr/lib/os-release
ln -sfn ../usr/lib/os-release ./etc/os-release
: > ./etc/machine-id
[ -e ./etc/hostname ] || echo drimbox > ./etc/hostname
ln -sfn ../run/drimbox-network/resolv.conf ./etc/resolv.conf
for over in "${overs[@]}"; do lay "$over"; done

# Scripts for an interpreter that no image has.
{ grep -rlIE '^#! ?/(usr/)?bin/(env )?(bash|perl|python3?)' usr/bin usr/sbin usr/lib etc || true; } | xargs -r rm -f

# Now that all programs are in: libraries that none of them names (Debian's packages bring many).
if [ -d ./usr/lib/x86_64-linux-gnu ]; then
  "$image/in-builder.sh" --bind="$tree" --bind="$image" -- python3 "$image/debian/unwanted-libraries.py" "$tree" > "$tree.unwanted"
fi

# Users from nothing but our sysusers.d, so that a package more or less moves no number, and none comes along.
rm -f ./etc/{passwd,group,shadow,gshadow}{,-}
find ./usr/lib/sysusers.d ./etc/sysusers.d -mindepth 1 ! -name 00-drimbox.conf -delete 2>/dev/null || true
"$image/in-builder.sh" --bind="$tree" -- sh -euc '
  systemd-sysusers --root="$1" 2>/dev/null
  cd "$1"
  rm -f ./etc/*- ./etc/.pwd.lock
  # No password opens any account, no account has a shell.
  sed -i "s#^\([^:]*\):[^:]*:[^:]*:#\1:!*:0:#" ./etc/shadow
  sed -i "s#:[^:]*\$#:/usr/sbin/nologin#" ./etc/passwd
  rm -rf ./etc/systemd/system/*.wants ./etc/systemd/system/*.requires
  systemctl --root="$1" preset-all 2>/dev/null
  systemctl --root="$1" --quiet set-default multi-user.target' sh "$tree" >&2

# Nothing is asked at a console, nothing does at run time what was done here. Emergency and rescue are
# ours, and start the machine again (appliance/rootfs); masked, a failed boot would stand still.
for unit in getty@.service serial-getty@.service console-getty.service container-getty@.service autovt@.service debug-shell.service \
  systemd-firstboot.service systemd-sysusers.service systemd-homed.service systemd-machine-id-commit.service \
  systemd-update-done.service systemd-hwdb-update.service systemd-boot-update.service systemd-boot-random-seed.service ldconfig.service \
  fstrim.timer systemd-confext.service systemd-sysext.service systemd-bsod.service; do
  if [ -e "./usr/lib/systemd/system/$unit" ]; then ln -sfn /dev/null "./etc/systemd/system/$unit"; fi
done

# A kernel with everything built in has nothing to load.
if [ ! -d ./usr/lib/modules ]; then rm -rf ./usr/lib/modules-load.d; fi

# They make what an appliance has no place for: log-in keys, shell profiles.
rm -f ./usr/lib/tmpfiles.d/{provision,20-systemd-osc-context,20-systemd-shell-extra,home,debian,legacy,x11,tpm2-tss-fapi,20-systemd-ssh-generator}.conf
if [ "$arch" = x64 ] && [ -x ./usr/bin/node ]; then "$image/compile-cache.sh" "$tree"; fi

rm -rf ./var/* ./run/* ./tmp/*
mkdir -p ./var/{cache,lib,log,tmp}
chown -R -h 0:0 .
chmod 0755 .; chmod 0700 ./root; chmod 1777 ./tmp ./var/tmp
chmod 0644 ./etc/{passwd,group}; chmod 0400 ./etc/{shadow,gshadow}
find . -xdev -type f -perm /6000 -exec chmod ug-s {} +
find . -xdev \( -type f -o -type d \) -perm /022 ! -perm -1000 -exec chmod go-w {} +
"$image/check-tree.sh" "$tree"
