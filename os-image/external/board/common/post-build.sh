#!/bin/sh
# Takes out of the target tree what Buildroot puts in for machines with a console and people at it.
# What every root tree gets, from whatever recipe, is done later, by os-image/finish-tree.sh.
set -eu
target=$1

cd "$target"
rm -rf ./etc/init.d ./etc/profile ./etc/profile.d ./etc/network ./etc/fstab ./etc/issue ./etc/shells
rm -rf ./usr/share/bash-completion ./usr/share/zsh ./usr/share/locale ./usr/share/man ./usr/share/doc
# One shell, for the boot scripts.
rm -f ./usr/bin/bash ./usr/bin/rbash ./usr/sbin/sulogin ./usr/sbin/agetty
# Of the device mapper the library and dmsetup alone.
rm -f ./usr/bin/dmeventd ./usr/bin/blkdeactivate ./usr/lib/libdevmapper-event*
rm -f ./usr/lib/systemd/system/dm-event.* ./usr/lib/systemd/system/blk-availability.service
