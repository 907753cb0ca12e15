#!/usr/bin/env python3
"""Puts this machine's own tools in the place of those that Buildroot would build for itself.

usage: host-tools.py BUILDROOT EMPTY_FOLDER

Edits that copy of Buildroot: the host variant of each package below becomes
links to programs of this machine. Saves twenty minutes and thirty tarballs
where Debian's archive is all that can be reached; a release builds its tools.
"""
import os
import re
import sys

# Package: the programs to link into HOST_DIR/bin; none where a Python module of
# this machine, or nothing at all, is enough.
TOOLS = {
    "acl": "",
    "attr": "",
    "autoconf": "autoconf autoheader autom4te autoreconf autoscan autoupdate ifnames",
    "autoconf-archive": "",
    "automake": "automake aclocal",
    "bc": "bc",
    "bison": "bison yacc",
    "cmake": "cmake ctest",
    "elfutils": "",
    "erofs-utils": "mkfs.erofs",
    "expat": "",
    "fakeroot": "fakeroot",
    "flex": "flex lex",
    "gawk": "awk gawk",
    "gettext-tiny": "msgfmt msgmerge xgettext msginit msgconv gettextize autopoint",
    "gperf": "gperf",
    "gzip": "",
    "kmod": "depmod modinfo",
    "libcap": "",
    "libffi": "",
    "libgpg-error": "",
    "libopenssl": "openssl c_rehash",
    "libtool": "libtool libtoolize",
    "libxcrypt": "",
    "libzlib": "",
    "lz4": "lz4",
    "m4": "m4",
    "meson": "meson ninja",
    "mkpasswd": "mkpasswd",
    "ninja": "ninja",
    "patchelf": "patchelf",
    "pkgconf": "",
    "python-flit-core": "",
    "python-installer": "",
    "python-jinja2": "",
    "python-markupsafe": "",
    "python-packaging": "",
    "python-pefile": "",
    "python-pyelftools": "",
    "python-pypa-build": "",
    "python-pyproject-hooks": "",
    "python-setuptools": "",
    "python-wheel": "",
    "python3": "python3",
    "rsync": "",
    "systemd": "systemctl systemd-analyze systemd-hwdb systemd-sysusers",
    "tar": "tar",
    "tzdata": "",
    "util-linux": "",
    "xz": "xz",
    "zic": "zic",
    "zstd": "zstd",
}
GETTEXT = "$(HOST_DIR)/share/gettext-tiny"
MORE = {
    "automake": "\tmkdir -p $(STAGING_DIR)/usr/share/aclocal\n",
    "gettext-tiny": (
        f"\tmkdir -p {GETTEXT}/po\n"
        f"\tcp /usr/share/gettext/config.rpath {GETTEXT}/\n"
        f"\tcp /usr/share/gettext/po/* {GETTEXT}/po/\n"
    ),
    "pkgconf": (
        "\t$(INSTALL) -m 0755 -D package/pkgconf/pkgconf $(HOST_DIR)/bin/pkgconf\n"
        "\t$(HOST_PKGCONF_INSTALL_WRAPPER)\n\t$(HOST_PKGCONF_SHARED)\n"
    ),
    "systemd": "\t$(INSTALL) -m 0755 -D package/systemd/systemd-tmpfiles $(HOST_DIR)/bin/systemd-tmpfiles\n",
    "tzdata": (
        "\t$(INSTALL) -d -m 0755 $(HOST_DIR)/share/zoneinfo\n"
        "\tcp -RL /usr/share/zoneinfo/posix /usr/share/zoneinfo/*.tab $(HOST_DIR)/share/zoneinfo\n"
    ),
    "python3": "\tln -sfn python3 $(HOST_DIR)/bin/python\n",
}
# Programs of this machine behind a script that stands between.
SCRIPTS = {
    # Folders on the target must not be given the build's root in front of them.
    # Buildroot patches its pkgconf for that; this machine's is asked without one.
    "pkgconf/pkgconf": """#!/bin/sh
for word in "$@"; do
    case $word in
        --variable=g_ir_*|--variable=includedir|--variable=libdir) ;;
        --variable=mapdir|--variable=sdkdir) ;;
        --variable=*) export PKG_CONFIG_SYSROOT_DIR=/ ;;
    esac
done
exec /usr/bin/pkgconf "$@"
""",
    # systemd before 256 doesn't know the mark `$`, which is for its --purge.
    "systemd/systemd-tmpfiles": """#!/bin/sh
case " $* " in
    *" --cat-config "*) /usr/bin/systemd-tmpfiles "$@" | sed -E 's/^([A-Za-z][^[:space:]$]*)\\$/\\1/' ;;
    *) exec /usr/bin/systemd-tmpfiles "$@" ;;
esac
""",
}
HOOKS = (
    "POST_DOWNLOAD POST_EXTRACT PRE_PATCH POST_PATCH POST_RSYNC PRE_CONFIGURE"
    " POST_CONFIGURE PRE_BUILD POST_BUILD PRE_INSTALL POST_INSTALL"
).split()


def recipe(package, programs, empty):
    """Lines that end a .mk in the place of its own host package."""
    name = "HOST_" + package.upper().replace("-", "_")
    find = "PATH=/usr/bin:/usr/sbin:/bin:/sbin command -v"
    links = "".join(
        f"\tln -sfn $(or $(shell {find} {one}),/usr/bin/{one}) $(HOST_DIR)/bin/{one}\n"
        for one in programs.split()
    )
    hooks = "\n".join(f"{name}_{hook}_HOOKS =" for hook in HOOKS)
    return f"""# this machine's own
{name}_OVERRIDE_SRCDIR = {empty}
{name}_DEPENDENCIES =
{name}_SUBDIR =
{name}_EXTRA_DOWNLOADS =
{name}_SETUP_TYPE =
{hooks}
{name}_CONFIGURE_CMDS =
{name}_BUILD_CMDS =
define {name}_INSTALL_CMDS
\tmkdir -p $(HOST_DIR)/bin $(HOST_DIR)/share/aclocal $(HOST_DIR)/lib $(HOST_DIR)/include
{links}{MORE.get(package, '')}endef
$(eval $(host-generic-package))
"""


def main():
    buildroot, empty = sys.argv[1:3]
    for package, programs in TOOLS.items():
        path = os.path.join(buildroot, "package", package, package + ".mk")
        if not os.path.exists(path):
            continue
        with open(path) as file:
            text = file.read()
        new, count = re.subn(
            r"^\$\(eval \$\(host-[\w-]+-package\)\)$",
            lambda _: recipe(package, programs, empty),
            text,
            count=1,
            flags=re.MULTILINE,
        )
        if count:
            with open(path, "w") as file:
                file.write(new)
        print(f"{package}: {'this machine' if count else 'no host package'}")
    for path, text in SCRIPTS.items():
        with open(os.path.join(buildroot, "package", path), "w") as file:
            file.write(text)
    # meson before 1.3 asks for "pkgconfig", later ones for "pkg-config".
    cross = os.path.join(buildroot, "support/misc/cross-compilation.conf.in")
    with open(cross) as file:
        text = file.read()
    if "\npkgconfig" not in text:
        with open(cross, "w") as file:
            file.write(re.sub(r"^pkg-config = (.*)$", r"pkg-config = \1\npkgconfig = \1", text, flags=re.MULTILINE))


main()
