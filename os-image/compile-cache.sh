#!/usr/bin/env bash
# Lays beside the service what Node makes of its TypeScript and of every module that it loads, types stripped and
# code compiled, so that no start has to do it again. Of the gateway on a desk: 12 MB less, and a third of its
# start; a fifth of what is left when types alone are stripped.
# What Node keeps is found by version, flags and user, so each program is started once as it is on the box.
# V8 takes --predictable and --random-seed for no other flags, so that what is kept comes out the same twice;
# what does not is left out.
#
#   os-image/compile-cache.sh TREE
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,9s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
tree=$(realpath "$1")
service=/usr/lib/drimbox/service
cache=$service/node_modules/.cache/node
# User, unit (its flags are taken from there) or `-` for none, program. The gate and the settings run as root.
PROGRAMS='901 drimbox.service drimbox.ts
902 drimbox-signer.service signer.ts
904 drimbox-status.service status.ts
0 - gate.ts
0 - settings.ts'

fill() { # $1 folder inside the tree: every program, far enough to have loaded all that it imports
  while read -r user unit program; do
    flags=()
    if [ "$unit" != - ]; then
      # Node's permissions matter to what runs, not to what is kept.
      read -ra flags < <(sed -n 's/^ExecStart=\/usr\/bin\/node \(.*\)/\1/p' "$tree/usr/lib/systemd/system/$unit" | grep -oE -- '--max-[a-z-]+=[0-9]+|--initial-[a-z-]+=[0-9]+' | paste -sd' ')
    fi
    install -d -m 0777 "$tree$1"
    # An option that none of them has ends it, after its imports.
    chroot --userspec="$user:$user" "$tree" /usr/bin/env -i PATH=/usr/bin HOME=/ NODE_COMPILE_CACHE="$1" /usr/bin/node --predictable --random-seed=1 "${flags[@]}" "$service/src/$program" --only-to-be-compiled > /dev/null 2>&1 || :
  done <<< "$PROGRAMS"
}

rm -rf "$tree$cache" "$tree/tmp/second"
fill "$cache"; fill /tmp/second
kept=0
while read -r file; do
  if cmp -s "$tree$cache/$file" "$tree/tmp/second/$file"; then kept=$((kept + 1)); else rm -f "$tree$cache/$file"; fi
done < <(cd "$tree$cache" && find . -type f)
rm -rf "$tree/tmp/second"
chown -R 0:0 "$tree$cache"
find "$tree$cache" -type d -exec chmod 0755 {} +
find "$tree$cache" -type f -exec chmod 0644 {} +
[ $kept -gt 0 ] || { echo 'compile-cache: Node kept nothing' >&2; exit 1; }
echo "compile-cache: $kept modules, $(du -sh "$tree$cache" | cut -f1)" >&2
