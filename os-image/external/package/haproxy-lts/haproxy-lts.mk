################################################################################
#
# haproxy-lts
#
################################################################################

HAPROXY_LTS_VERSION_MAJOR = 3.0
HAPROXY_LTS_VERSION = $(HAPROXY_LTS_VERSION_MAJOR).29
HAPROXY_LTS_SOURCE = haproxy-$(HAPROXY_LTS_VERSION).tar.gz
HAPROXY_LTS_SITE = https://www.haproxy.org/download/$(HAPROXY_LTS_VERSION_MAJOR)/src
HAPROXY_LTS_LICENSE = GPL-2.0+ and LGPL-2.1+ with exceptions
HAPROXY_LTS_LICENSE_FILES = LICENSE doc/lgpl.txt doc/gpl.txt
HAPROXY_LTS_CPE_ID_VENDOR = haproxy
HAPROXY_LTS_CPE_ID_PRODUCT = haproxy
HAPROXY_LTS_DEPENDENCIES = openssl

# No Lua, no regular-expression library, no compression: the front terminates
# TLS and forwards. systemd's notification is a few lines of its own, no library.
HAPROXY_LTS_MAKE_OPTS = \
	LD="$(TARGET_CC)" \
	PREFIX=/usr \
	TARGET=linux-glibc \
	USE_OPENSSL=1 \
	USE_SYSTEMD=$(if $(BR2_PACKAGE_SYSTEMD),1) \
	USE_SLZ= \
	USE_DL=1 \
	USE_LIBATOMIC=$(if $(BR2_TOOLCHAIN_HAS_LIBATOMIC),1)

define HAPROXY_LTS_BUILD_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) \
		$(HAPROXY_LTS_MAKE_OPTS) -C $(@D)
endef

define HAPROXY_LTS_INSTALL_TARGET_CMDS
	$(TARGET_MAKE_ENV) $(MAKE) $(TARGET_CONFIGURE_OPTS) \
		$(HAPROXY_LTS_MAKE_OPTS) -C $(@D) DESTDIR=$(TARGET_DIR) install-bin
endef

$(eval $(generic-package))
