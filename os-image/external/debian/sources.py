#!/usr/bin/env python3
"""Gives a Buildroot configuration its tarballs out of Debian's source packages.

Of each tarball that `make show-info` names, the closest thing Debian has:
  identical      the very file, by Buildroot's digest: into the mirror folder
  same-version   that version, packed again by Debian: unpacked, and put in
                 the recipe's place by <PACKAGE>_OVERRIDE_SRCDIR
  other-version  the nearest version there is, likewise; options of meson
                 that it doesn't know are left out of the recipe
  npm            the Node runtime, from the npm registry by Buildroot itself
  missing        nothing: the build will stop there
Only files named in apt's signed lists are taken, checked by their SHA-256.
"""
import argparse
import glob
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import urllib.request

# Buildroot's name: Debian's source package, where they differ.
DEBIAN_NAME = {
    "haproxy-lts": "haproxy",
    "kmod": "kmod",
    "devmapper-udev": "lvm2",
    "libapparmor": "apparmor",
    "libargon2": "argon2",
    "libcap": "libcap2",
    "libcurl": "curl",
    "libopenssl": "openssl",
    "libzlib": "zlib",
    "linux-headers": "linux",
    "util-linux-libs": "util-linux",
    "xz": "xz-utils",
    "zic": "tzdata",
    "zstd": "libzstd",
    "lmdb": "lmdb",
    "tpm2-provider": "tpm2-openssl",
}
# Where a source lies in a folder of Debian's tarball.
SUBFOLDER = {"lmdb": ""}


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("info", "buildroot", "lists", "mirror", "unpacked", "local-mk", "report"):
        parser.add_argument(f"--{name}", required=True)
    return parser.parse_args()


def text_of(path):
    if path.endswith(".lz4"):
        return subprocess.run(["lz4", "-dc", path], capture_output=True, check=True).stdout.decode()
    with open(path) as file:
        return file.read()


def debian_sources(lists):
    """Source name: [(version, suite, address of the folder, {file: sha256})]."""
    # apt names its lists by the address they come from.
    with open(os.path.join(lists, "../sources.list")) as file:
        bases = {url.split("://")[1].replace("/", "_"): url for url in re.findall(r"\] (\S+) \S+ main", file.read())}
    found = {}
    for path in glob.glob(os.path.join(lists, "*_Sources*")):
        prefix, suite = re.match(r"(.*)_dists_([^_]+)_", os.path.basename(path)).groups()
        for paragraph in text_of(path).split("\n\n"):
            fields = dict(re.findall(r"^(Package|Version|Directory): (\S+)", paragraph, re.MULTILINE))
            sums = re.search(r"^Checksums-Sha256:\n((?: .*\n?)+)", paragraph, re.MULTILINE)
            if len(fields) < 3 or not sums:
                continue
            files = {line.split()[2]: line.split()[0] for line in sums.group(1).splitlines()}
            entry = (fields["Version"], suite, f"{bases[prefix]}/{fields['Directory']}", files)
            found.setdefault(fields["Package"], []).append(entry)
    return found


def upstream(version):
    """Debian's version without epoch, revision and signs of packing."""
    version = re.sub(r"^\d+:", "", version)
    version = re.sub(r"-[^-]*$", "", version)
    return re.sub(r"[+~.](ds|dfsg|really|repack|git|cs).*$", "", version)


def nearness(want, have):
    """Sorts versions: most leading numbers in common, then the nearest that is not older."""
    wanted, there = ([int(n) for n in re.findall(r"\d+", text)][:5] for text in (want, have))
    common = 0
    while common < min(len(wanted), len(there)) and wanted[common] == there[common]:
        common += 1
    gap = (there[common:] + [0])[0] - (wanted[common:] + [0])[0]
    return (wanted == there, common, -abs(gap), gap)


class Archive:
    """Files of Debian's archive, fetched once, checked each time."""

    def __init__(self, folder):
        self.folder = folder
        self.gone = set()
        os.makedirs(folder, exist_ok=True)

    def get(self, address, digest):
        """Path of the file, or None: lists know files that the archive has no more."""
        path = os.path.join(self.folder, os.path.basename(address))
        if address in self.gone:
            return None
        if not (os.path.exists(path) and sha256(path) == digest):
            call = ["/usr/lib/apt/apt-helper", "-qq", "download-file", address, path, f"SHA256:{digest}"]
            if subprocess.run(call, capture_output=True).returncode:
                self.gone.add(address)
                return None
        return path


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def unpack(tarball, to):
    scratch = tempfile.mkdtemp(dir=os.path.dirname(to))
    subprocess.run(["tar", "xf", tarball, "-C", scratch], check=True)
    inner = [name for name in os.listdir(scratch) if name != "pax_global_header"]
    source = os.path.join(scratch, inner[0]) if len(inner) == 1 else scratch
    shutil.rmtree(to, ignore_errors=True)
    shutil.move(source, to)
    shutil.rmtree(scratch, ignore_errors=True)


def wanted_digest(package, source, buildroot):
    for path in package.get("hashes", []):
        full = path if os.path.isabs(path) else os.path.join(buildroot, path)
        if os.path.exists(full):
            with open(full) as file:
                hit = re.search(rf"^sha256\s+([0-9a-f]{{64}})\s+{re.escape(source)}\s*$", file.read(), re.MULTILINE)
            if hit:
                return hit.group(1)
    return None


def this_machine(buildroot, name):
    """Whether host-tools.py put this machine's own tool in the place of a package."""
    path = os.path.join(buildroot, "package", name, name + ".mk")
    if not os.path.exists(path):
        return False
    with open(path) as file:
        return "# this machine's own" in file.read()


def patches(buildroot, name, to):
    """Buildroot's own patches, those of them that still apply. Returns the others."""
    refused = []
    for patch in sorted(glob.glob(os.path.join(buildroot, "package", name, "*.patch"))):
        call = ["patch", "-p1", "-s", "-N", "-f", "-d", to, "-i", patch]
        if subprocess.run(call + ["--dry-run"], capture_output=True).returncode:
            refused.append(os.path.basename(patch))
        else:
            subprocess.run(call, check=True, capture_output=True)
    return refused


def settle_times(to):
    """A tree packed again has lost the order of times that keeps automake from running again."""
    order = [("configure.ac", 0), ("*.m4", 0), ("Makefile.am", 0), ("aclocal.m4", 10), ("configure", 20),
             ("config.h.in", 20), ("config-h.in", 20), ("Makefile.in", 30)]
    for pattern, seconds in order:
        for path in glob.glob(os.path.join(to, "**", pattern), recursive=True):
            os.utime(path, (1767225600 + seconds,) * 2)


def known_options(buildroot, name, to):
    """Takes options out of a meson recipe that this version doesn't know; returns them."""
    recipe = os.path.join(buildroot, "package", name, name + ".mk")
    files = [os.path.join(to, one) for one in ("meson.options", "meson_options.txt")]
    options = next((path for path in files if os.path.exists(path)), None)
    if options is None or not os.path.exists(recipe):
        return []
    with open(options) as file:
        known = set(re.findall(r"option\(\s*'([^']+)'", file.read()))
    with open(recipe) as file:
        text = file.read()
    if "$(eval $(meson-package))" not in text:
        return []
    named = dict.fromkeys(re.findall(r"-D([\w-]+)=", text))
    unknown = [one for one in named if one not in known and not one.startswith(("b_", "c_", "cpp_"))]
    for one in unknown:
        text = re.sub(rf"-D{re.escape(one)}=(\"[^\"]*\"|'[^']*'|\$\([^)]*\)|[^\s\\]*)", "", text)
    if unknown:
        with open(recipe, "w") as file:
            file.write(text)
    return unknown


def main():
    args = arguments()
    with open(args.info) as file:
        info = json.load(file)
    os.makedirs(args.mirror, exist_ok=True)
    os.makedirs(args.unpacked, exist_ok=True)
    archive = Archive(os.path.join(args.unpacked, ".files"))
    debian = debian_sources(args.lists)
    by_digest = {}
    for name, entries in debian.items():
        for version, suite, address, files in entries:
            for file, digest in files.items():
                by_digest.setdefault(digest, (name, version, suite, address, file))

    rows, lines, done = [], [], set()
    for key, package in sorted(info.items()):
        name = re.sub(r"^host-", "", key)
        if key.startswith("host-") and this_machine(args.buildroot, name):
            continue
        for index, download in enumerate(package.get("downloads", [])):
            source = download["source"]
            if (name, source) in done or package.get("virtual"):
                continue
            done.add((name, source))
            row = {"package": name, "wanted": package["version"], "source": source}
            rows.append(row)
            place = os.path.join(args.mirror, package.get("dl_dir", name), source)
            if name == "nodejs-release":
                os.makedirs(os.path.dirname(place), exist_ok=True)
                if not os.path.exists(place):
                    registry = subprocess.check_output(["npm", "config", "get", "registry"], text=True).strip()
                    address = f"{registry.rstrip('/')}/{re.sub('-[0-9.]*.tgz$', '', source)}/-/{source}"
                    urllib.request.urlretrieve(address, place)
                row["kind"] = "npm"
                continue
            hit = by_digest.get(wanted_digest(package, source, args.buildroot))
            path = hit and archive.get(f"{hit[3]}/{hit[4]}", wanted_digest(package, source, args.buildroot))
            if path:
                os.makedirs(os.path.dirname(place), exist_ok=True)
                shutil.copy(path, place)
                row.update(kind="identical", debian=hit[:3])
                continue
            row.update(replace(name, package, debian, archive, args) if index == 0 else {"kind": "missing"})
            if row["kind"] != "missing":
                lines += row.pop("lines")
    with open(args.local_mk, "w") as file:
        file.write("\n".join(sorted(set(lines))) + "\n")
    with open(args.report, "w") as file:
        json.dump(rows, file, indent=1)
    count = {}
    for row in rows:
        count[row["kind"]] = count.get(row["kind"], 0) + 1
        if row["kind"] == "missing":
            print(f"  no source: {row['package']} {row['wanted']}")
    print("  sources: " + ", ".join(f"{number} {kind}" for kind, number in sorted(count.items())))
    return 0


def configure_of(folder):
    """A source's configure.ac; nothing where it has none."""
    path = os.path.join(folder, "configure.ac")
    return text_of(path) if os.path.exists(path) else ""


def bootstrap(folder, version):
    """Lays there what a release's tarball has and Buildroot's autoreconf does not bring."""
    configure = configure_of(folder)
    # tpm2-tss: its lists of files, and a version that it asks git for.
    script = os.path.join(folder, "bootstrap")
    if os.path.exists(script) and "AUTORECONF:-" in open(script).read():
        with tempfile.TemporaryDirectory() as tools:
            with open(os.path.join(tools, "git"), "w") as file:
                file.write(f"#!/bin/sh\necho {version}\n")
            os.chmod(os.path.join(tools, "git"), 0o755)
            environment = dict(os.environ, AUTORECONF="true", PATH=f"{tools}:{os.environ['PATH']}")
            subprocess.run(["sh", "./bootstrap"], cwd=folder, env=environment, check=True, stdout=subprocess.DEVNULL)
    if "AM_GNU_GETTEXT" in configure and not os.path.exists(os.path.join(folder, "config.rpath")):
        subprocess.run(["autopoint", "--force"], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    # Documentation isn't built: the variables that its rules would set are enough.
    for path in re.findall(r"^\s*(\S+)/Makefile$", configure, re.MULTILINE):
        makefile, rules = (os.path.join(folder, path, name) for name in ("Makefile.am", "gtk-doc.make"))
        if os.path.exists(makefile) and "gtk-doc.make" in open(makefile).read() and not os.path.exists(rules):
            with open(rules, "w") as file:
                file.write("EXTRA_DIST =\nCLEANFILES =\n")


def without_documents(folder):
    """Debian leaves documents out that aren't free; their Makefile is still asked for."""
    documents = os.path.join(folder, "doc")
    if re.search(r"\bdoc/Makefile\b", configure_of(folder)) and not os.path.exists(documents):
        os.mkdir(documents)
        for name, text in (("Makefile.am", ""), ("Makefile.in", "all install:\n")):
            with open(os.path.join(documents, name), "w") as file:
                file.write(text)


def too_new(folder):
    """Whether a source asks for a later autoconf than this machine's, and brings its configure made."""
    asked = re.search(r"^AC_PREREQ\(\[?(\d+)\.(\d+)", configure_of(folder), re.MULTILINE)
    if asked is None or not os.path.exists(os.path.join(folder, "configure")):
        return False
    has = re.search(r"(\d+)\.(\d+)", subprocess.check_output(["autoconf", "--version"], text=True))
    return tuple(map(int, asked.groups())) > tuple(map(int, has.groups()))


def replace(name, package, debian, archive, args):
    """Unpacks the nearest version of a package and says so to Buildroot."""
    other = DEBIAN_NAME.get(name, name)
    wanted = package["version"].lstrip("v")
    entries = sorted(debian.get(other, []), key=lambda entry: nearness(wanted, upstream(entry[0])), reverse=True)
    for version, suite, address, files in entries:
        tarballs = [file for file in files if re.search(r"\.orig\.tar\.\w+$", file)]
        tarballs = tarballs or [file for file in files if re.search(r"\d\.tar\.\w+$", file)]
        tarball = tarballs and archive.get(f"{address}/{tarballs[0]}", files[tarballs[0]])
        if tarball:
            break
    else:
        return {"kind": "missing", "debian": [other]}
    to = os.path.abspath(os.path.join(args.unpacked, name))
    made = to + ".made"
    if not os.path.exists(made):
        unpack(tarball, to)
        if name == "expat" and os.path.isdir(os.path.join(to, "expat")):
            shutil.move(os.path.join(to, "expat"), to + ".inner")
            shutil.rmtree(to)
            shutil.move(to + ".inner", to)
        refused = patches(args.buildroot, name, to)
        settle_times(to)
        with open(made, "w") as file:
            json.dump(refused, file)
    with open(made) as file:
        refused = json.load(file)
    same = upstream(version) == wanted
    unknown = [] if same else known_options(args.buildroot, name, to)
    variable = name.upper().replace("-", "_")
    lines = [f"{variable}_OVERRIDE_SRCDIR = {to}"]
    if os.path.exists(os.path.join(to, "configure.ac")) and not os.path.exists(os.path.join(to, "configure")):
        lines += [f"{variable}_AUTORECONF = YES", f"HOST_{variable}_AUTORECONF = YES"]
        bootstrap(to, upstream(version))
    without_documents(to)
    if too_new(to):
        lines += [f"override {variable}_AUTORECONF = NO"]
    return {"kind": "same-version" if same else "other-version", "debian": [other, version, suite],
            "unapplied": refused, "unknown options": unknown, "lines": lines}


sys.exit(main())
