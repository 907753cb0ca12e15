################################################################################
#
# devmapper-udev
#
################################################################################

# It replaces that one's library: the same version, always.
DEVMAPPER_UDEV_VERSION = $(LVM2_VERSION)
DEVMAPPER_UDEV_SOURCE = $(LVM2_SOURCE)
DEVMAPPER_UDEV_SITE = $(LVM2_SITE)
DEVMAPPER_UDEV_DL_SUBDIR = lvm2
DEVMAPPER_UDEV_LICENSE = GPL-2.0, LGPL-2.1
DEVMAPPER_UDEV_LICENSE_FILES = COPYING COPYING.LIB
DEVMAPPER_UDEV_DEPENDENCIES = host-pkgconf lvm2 udev
# As for lvm2: parallel builds fail, and the tools of configure are not asked.
DEVMAPPER_UDEV_MAKE = $(MAKE1)
DEVMAPPER_UDEV_MAKE_ENV = $(TARGET_CONFIGURE_OPTS)
DEVMAPPER_UDEV_CONF_OPTS = \
	--enable-write_install \
	--enable-udev_rules \
	--enable-udev_sync \
	--disable-cmdlib \
	--disable-dmeventd \
	--disable-nls \
	--disable-readline \
	--disable-selinux \
	--with-symvers=no
DEVMAPPER_UDEV_MAKE_OPTS = device-mapper
# On the target alone: it takes the place of lvm2's files there.
DEVMAPPER_UDEV_INSTALL_TARGET_OPTS = DESTDIR=$(TARGET_DIR) install_device-mapper

$(eval $(autotools-package))
