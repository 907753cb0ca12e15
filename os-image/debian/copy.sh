#!/usr/bin/env bash
# Copies a bare root tree to a new place, owners and times kept; what was there is removed.
#
#   os-image/debian/copy.sh FROM TO.tree
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,4s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
# It deletes: only a folder that is named as a tree.
case $2 in /*.tree) ;; *) echo "copy: $2 is not called *.tree" >&2; exit 2 ;; esac
rm -rf "$2"
cp -a --reflink=auto "$1" "$2"
