#!/usr/bin/env python3
"""Names the sources of a configuration that no .hash file vouches for.

usage: digests.py BUILDROOT EXTERNAL SHOW_INFO.json    (code 1 if there is one)
"""
import json
import os
import re
import sys

DIGEST = re.compile(
    r"^(?:sha256\s+[0-9a-f]{64}|sha384\s+[0-9a-f]{96}"
    r"|sha512\s+[0-9a-f]{128})\s+(\S+)\s*$",
    re.MULTILINE)


def known(paths, folders):
    """File names with a SHA-2 digest in any of these .hash files."""
    names = set()
    for path in paths:
        for folder in folders:
            full = os.path.join(folder, path)
            if os.path.exists(full):
                with open(full) as file:
                    names.update(DIGEST.findall(file.read()))
    return names


def main():
    buildroot, external, info = sys.argv[1:4]
    with open(info) as file:
        packages = json.load(file)
    missing = []
    count = 0
    for name, package in sorted(packages.items()):
        for download in package.get("downloads", []):
            count += 1
            source = download["source"]
            hashes = package.get("hashes", [])
            if source not in known(hashes, [buildroot, external]):
                missing.append(f"{name}: no digest for {source}")
    if missing:
        print("\n".join(missing))
    else:
        print(f"  buildroot: {count} sources, each with its digest")
    return 1 if missing else 0


sys.exit(main())
