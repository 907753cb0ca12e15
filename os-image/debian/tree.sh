#!/usr/bin/env bash
# Makes the bare root tree from Debian 13's packages: what packages.txt names, without what
# removed.txt names, with the kernel modules of modules.txt. Nothing of ours is in it yet
# (os-image/finish-tree.sh). Kept until these files change; a minute and a quarter.
#
# Prints its folder, var/image/tree.base; beside it, for the bill of materials:
#   tree.base.meta/packages.tsv   package, version, architecture, source, source version, kB
#   tree.base.meta/copyright.tar  the licence texts
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
here=$(cd "$(dirname "$0")" && pwd)
var=$(mkdir -p "$here/../../var/image" && cd "$here/../../var/image" && pwd)
tree=$var/tree.base meta=$var/tree.base.meta
kernel=$("$here/kernel.sh")

wanted=$(cat "$here/packages.txt" "$here/removed.txt" "$here/removed-files.txt" "$here/modules.txt" "$kernel/package.tsv" "$0" | sha256sum | cut -d' ' -f1)
if [ "$(cat "$tree.made" 2>/dev/null || true)" = "$wanted" ]; then echo "$tree"; exit 0; fi
words() { sed -E 's/[[:space:]]*#.*//; /^$/d' "$1"; }

rm -rf "$tree" "$tree.made" "$meta"; mkdir -p "$meta"
exclude=()
for path in doc man locale bash-completion zsh lintian info common-licenses; do exclude+=(--dpkgopt="path-exclude=/usr/share/$path/*"); done
mmdebstrap --quiet --mode=root --variant=essential --include="$(words "$here/packages.txt" | paste -sd,)" \
  --aptopt='Acquire::Languages "none"' --aptopt='APT::Install-Recommends "false"' \
  "${exclude[@]}" --dpkgopt='path-include=/usr/share/doc/*/copyright' \
  trixie "$tree" - < <("$here/sources.sh") >&2

# What the tree says of itself, before the package manager goes.
chroot "$tree" dpkg-query -W -f '${Package}\t${Version}\t${Architecture}\t${source:Package}\t${source:Version}\t${Installed-Size}\n' > "$meta/all.tsv"
awk -F'\t' 'NR == FNR { gone[$1] = 1; next } !($1 in gone)' <(words "$here/removed.txt") "$meta/all.tsv" > "$meta/packages.tsv"
cat "$kernel/package.tsv" >> "$meta/packages.tsv"
tar -C "$tree" --sort=name --mtime=@0 --owner=0 --group=0 -cf "$meta/copyright.tar" usr/share/doc
rm -rf "$tree/usr/share/doc"

# Debian's alternatives are links by way of /etc; here each points to what it means (awk is mawk).
find "$tree/usr" "$tree/etc" -type l -lname '/etc/alternatives/*' | while read -r link; do
  end=$(readlink "$tree$(readlink "$link")" || true)
  if [ -n "$end" ] && [ -e "$tree$end" ]; then ln -sfn "$end" "$link"; else rm -f "$link"; fi
done

words "$here/removed.txt" | while read -r package; do
  for list in "$tree/var/lib/dpkg/info/$package.list" "$tree/var/lib/dpkg/info/$package:amd64.list"; do
    [ -f "$list" ] || continue
    # nologin stays: it is the shell of every account.
    while read -r file; do
      case $file in /usr/sbin/nologin) continue ;; esac
      if [ -f "$tree$file" ] || [ -L "$tree$file" ]; then rm -f "$tree$file"; fi
    done < "$list"
  done
done
cd "$tree"
rm -rf var/lib/dpkg var/lib/apt var/cache var/log home media mnt opt srv boot root
rm -rf etc/{apt,dpkg,alternatives,cron*,init.d,rc*.d,logrotate.d,skel,update-motd.d,kernel,initramfs*,profile.d,pam.d,security,opt,default,debconf.conf,logcheck,ufw,rsyslog.d,gss,bash.bashrc,selinux,terminfo,vim,issue*,motd,adduser.conf,deluser.conf,mke2fs.conf.dpkg*}
rm -rf usr/share/{perl*,debconf,info,man,locale,i18n,pixmaps,keyrings,bug,menu,polkit-1,base-passwd,common-licenses,bash-completion,zsh,zoneinfo,initramfs-tools,apport,tabset,terminfo,pam*,doc-base,gdb,gcc,libc-bin,dict,applications,fish,vim,adduser,lintian,mime*,ieee-data}
rm -rf usr/lib/{apt,dpkg,perl5,tmpfiles.d/*dpkg*,initramfs-tools,kernel,init,terminfo,python3*,mime,locale/C.utf8/no-such} usr/lib/x86_64-linux-gnu/{perl-base,gconv,perl*}
# Names of devices for people: 12 MB that nothing here reads.
rm -f usr/lib/udev/hwdb.d/* usr/lib/udev/hwdb.bin etc/udev/hwdb.bin
# A private key that Debian makes for nobody.
rm -rf etc/ssl/private
# Programs that nothing runs.
words "$here/removed-files.txt" | while read -r pattern; do
  # shellcheck disable=SC2086
  rm -rf -- ./$pattern
done
find usr/bin usr/sbin -type l ! -lname '/*' -xtype l -delete
find . -xdev -type f -perm /6000 -exec chmod ug-s {} +
# Users are written again by finish-tree.sh, with fixed numbers.
rm -f etc/{passwd,group,shadow,gshadow,subuid,subgid}{,-}
# What a service would write belongs to the data partition.
rm -rf var/* run/* tmp/*

# Modules: those of the list, with what they need, compressed as Debian ships them.
release=$(ls "$kernel/usr/lib/modules")
"$here/../in-builder.sh" --bind="$kernel" --bind="$tree" --bind="$here" -- sh -euc '
  kernel=$1 tree=$2 release=$3 list=$4
  depmod -b "$kernel/usr" "$release" 2>/dev/null || depmod -b "$kernel" "$release"
  from=$kernel/usr/lib/modules/$release to=$tree/usr/lib/modules/$release
  mkdir -p "$to"; cp "$from"/modules.builtin "$from"/modules.builtin.modinfo "$from"/modules.order "$to/"
  sed -E "s/[[:space:]]*#.*//; /^\$/d" "$list" | while read -r module; do
    shown=$(modprobe -d "$kernel/usr" -S "$release" --show-depends "$module" 2>/dev/null) ||
      { grep -q "/$module.ko" "$from/modules.builtin" || echo "tree: this kernel has no module $module" >&2; continue; }
    echo "$shown" | sed -n "s/^insmod \([^ ]*\).*/\1/p"
  done | sort -u | while read -r file; do
    install -D -m 0644 "$file" "$to/${file#"$from"/}"
  done
  depmod -b "$tree/usr" "$release"' sh "$kernel" "$tree" "$release" "$here/modules.txt" >&2
printf '%s' "$wanted" > "$tree.made"
echo "$tree"
