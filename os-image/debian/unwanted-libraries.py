"""Removes shared libraries that nothing in a root tree names any more, and prints them.

    unwanted-libraries.py TREE

A library is wanted when its name (libfoo.so.1) stands anywhere in a program, or in another library that
is wanted: so those that are opened at run time by a name of theirs are kept like those that are linked.
OPENED_LATER: names that programs put together themselves.
"""
import os
import re
import sys

NAME = re.compile(rb'lib[\w+.-]*?\.so(?:\.\d+)*')
# The TPM library opens libtss2-tcti-<what>.so.0; the kernel's resource manager is the one that is used.
OPENED_LATER = {b'libtss2-tcti-device.so.0'}

tree = sys.argv[1]
folder = os.path.join(tree, 'usr/lib/x86_64-linux-gnu')


def names_in(path):
    with open(path, 'rb') as file:
        content = file.read()
    return set(NAME.findall(content)) if content[:4] == b'\x7fELF' else set()


libraries = {}
for entry in os.listdir(folder):
    path = os.path.join(folder, entry)
    if re.match(r'lib.*\.so(\.\d+)*$', entry) and os.path.isfile(path):
        libraries.setdefault(os.path.realpath(path), set()).add(entry.encode())

wanted = set(OPENED_LATER)
for base, _, files in os.walk(os.path.join(tree, 'usr')):
    for name in files:
        path = os.path.join(base, name)
        if not os.path.islink(path) and os.path.realpath(path) not in libraries:
            wanted |= names_in(path)

kept = set()
while True:
    more = [path for path, names in libraries.items() if path not in kept and names & wanted]
    if not more:
        break
    for path in more:
        kept.add(path)
        wanted |= names_in(path)

for path in sorted(set(libraries) - kept):
    print(os.path.basename(path))
    os.remove(path)
for entry in os.listdir(folder):
    path = os.path.join(folder, entry)
    if os.path.islink(path) and not os.path.exists(path):
        os.remove(path)
