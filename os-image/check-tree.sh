#!/usr/bin/env bash
# Refuses a root tree that breaks a rule of the appliance, naming every finding at once:
#   a program or library whose shared library is missing; a script whose interpreter is missing;
#   a unit that starts a missing program; a user or group that a unit, udev or tmpfiles names and nobody
#   has made, or that nobody of ours has declared; set-uid files; files that everyone may write;
#   a shell for people, a package manager, an interpreter other than Node.
#
#   os-image/check-tree.sh DIR
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")" && pwd)
tree=$(realpath "$1"); [ -d "$tree/usr" ] || { echo "check-tree: $1 is no root tree" >&2; exit 2; }
found=$(mktemp); trap 'rm -f "$found"' EXIT
cd "$tree"

find . -xdev -type f -perm /6000 -printf 'set-uid or set-gid: %P\n' >> "$found"
find . -xdev \( -type f -o -type d \) -perm -0002 ! -perm -1000 -printf 'everyone may write: %P\n' >> "$found"
find . -xdev ! -uid 0 -printf 'not owned by root: %P\n' >> "$found"
for program in bash perl python3 apt dpkg gcc cc ld busybox su sudo login passwd ssh sshd telnet nc curl wget gdb strace; do
  for folder in usr/bin usr/sbin usr/local/bin; do
    if [ -e "$folder/$program" ]; then echo "must not be here: $folder/$program" >> "$found"; fi
  done
done

# Every ELF file's wanted libraries, against the names that the tree has. readelf says which file it
# reads only when there are two: its own comes along, and is left out.
find . -xdev -name '*.so*' -printf '%f\n' | sort -u > "$found.names"
find . -xdev -type f \( -perm /111 -o -name '*.so*' -o -name '*.node' \) -print0 > "$found.elf"
"$image/in-builder.sh" --bind="$tree" -- sh -c 'cd "$1"; xargs -0 readelf -d /usr/bin/readelf 2>/dev/null || true' sh "$tree" < "$found.elf" |
  awk 'FILENAME != "-" { have[$1] = 1; next }
       /^File: / { file = $2 ~ /^\.\// ? substr($2, 3) : "" }
       /\(NEEDED\)/ && file { name = $NF; gsub(/[][]/, "", name); if (!(name in have)) print "library missing: " name ", wanted by " file }' "$found.names" - >> "$found"
rm -f "$found.names" "$found.elf"

resolve() { # a path as the running system would follow it
  local path=$1 hops=0
  while [ -L "$tree$path" ] && [ $hops -lt 8 ]; do
    local end; end=$(readlink "$tree$path")
    case $end in /*) path=$end ;; *) path=$(dirname "$path")/$end ;; esac
    hops=$((hops + 1))
  done
  [ -e "$tree$path" ]
}
{ grep -rlIE --max-count=1 '^#!' usr/bin usr/sbin usr/lib usr/share/mender etc 2>/dev/null || true; } | while read -r script; do
  [ -x "$script" ] || continue
  IFS= read -r line < "$script" || true
  case $line in '#!'*) ;; *) continue ;; esac
  read -r interpreter argument _ <<< "${line#\#!}"
  if [ "$interpreter" = /usr/bin/env ]; then interpreter=/usr/bin/$argument; fi
  resolve "$interpreter" || resolve "/usr$interpreter" || echo "interpreter missing: $interpreter, wanted by $script" >> "$found"
done

# Only units that are started: those masked, or of things that aren't here, may stay.
find etc/systemd/system usr/lib/systemd/system -path '*.wants/*' -name '*.service' -o -path '*.requires/*' -name '*.service' | while read -r wanted; do
  unit=usr/lib/systemd/system/$(basename "$wanted")
  [ -f "$unit" ] && [ ! -L "etc/systemd/system/$(basename "$wanted")" ] || continue
  sed -nE 's/^ExecStart(Pre)?=[-+!@:|]*(\/[^ ]+).*/\2/p' "$unit" | while read -r program; do
    resolve "$program" || echo "program missing: $program, started by $(basename "$wanted")" >> "$found"
  done
done

# A rule of udev or tmpfiles with such a name is left out at each start, and a unit does not start.
names() { # KEYS-OF-UNITS KEY-OF-UDEV COLUMN-OF-TMPFILES: lines of FILE NAME
  find {etc,usr/lib}/systemd/system -type f \( -name '*.service' -o -name '*.socket' -o -path '*.d/*.conf' \) -exec \
    awk -F'[= ]' -v keys="^($1)\$" '$1 ~ keys { for (i = 2; i <= NF; i++) print FILENAME, $i }' {} +
  find {etc,usr/lib}/udev/rules.d -name '*.rules' -exec grep -HoE "$2:?=\"[^\"]+\"" {} + | sed -E 's/:.*"(.+)"$/ \1/'
  find {etc,usr/lib}/tmpfiles.d -name '*.conf' -exec awk -v column="$3" '!/^[ \t]*(#|$)/ && NF >= column { print FILENAME, $column }' {} +
}
missing() { # FILE WHAT
  sort -u | while read -r file name; do
    case $name in *%*|-|[0-9]*) ;; *) grep -qs "^$name:" "$1" || echo "no such $2: $name, named by $file" ;; esac
  done
}
{
  names 'User|SocketUser' OWNER 4 | missing etc/passwd user
  names 'Group|SocketGroup|SupplementaryGroups' GROUP 5 | missing etc/group group
} 2>/dev/null >> "$found" || true

# Accounts are those of one file, whatever packages bring.
for accounts in etc/passwd etc/group; do
  [ ! -e $accounts ] || cut -d: -f1 $accounts | while read -r name; do
    grep -qsE "^[ug] +$name( |\$)" usr/lib/sysusers.d/00-drimbox.conf || echo "not in sysusers.d: $name, in $accounts"
  done
done >> "$found"

if [ -s "$found" ]; then
  echo "check-tree: the tree is refused:" >&2
  sort -u "$found" | sed 's/^/  /' >&2
  exit 1
fi
