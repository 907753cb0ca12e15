#!/usr/bin/env bash
# Writes the artifact with no payload from which Mender's client, while its store is new, learns which
# release it was delivered with. By hand, since `mender-artifact write bootstrap-artifact` puts the time of
# day into it and the image has to come out the same twice. Format: Mender artifact version 3.
#
#   os-image/mender/bootstrap.sh VERSION FILE
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
version=$1 file=$(realpath -m "$2")
mkdir -p "$(dirname "$file")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
pack() { tar --format=ustar --mtime=@0 --owner=0 --group=0 --numeric-owner --mode=0600 -cf "$@"; }
mkdir -p headers/0000 data
printf '{"format":"mender","version":3}' > version
printf '{"payloads":[{"type":null}],"artifact_provides":{"artifact_name":"drimbox-%s"},"artifact_depends":{"device_type":["drimbox-x86-64"]}}' "$version" > header-info
printf '{"type":null,"artifact_provides":{"rootfs-image.version":"%s"}}' "$version" > headers/0000/type-info
pack header.tar header-info headers/0000/type-info
head -c 1024 /dev/zero > data/0000.tar        # an archive with nothing in it
sha256sum header.tar version > manifest
pack "$file" version manifest header.tar data/0000.tar
chmod 0644 "$file"
