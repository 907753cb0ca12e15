################################################################################
#
# lmdbxx
#
################################################################################

# Upstream made no release after this commit; Debian's source package holds it.
LMDBXX_VERSION = 0.9.14.1+git20160229.0b43ca8
LMDBXX_SOURCE = lmdbxx_$(LMDBXX_VERSION).orig.tar.xz
# On the mirror of this machine's apt; MIRROR=URL elsewhere.
LMDBXX_SITE = $(shell $(BR2_EXTERNAL_DRIMBOX_PATH)/../debian/sources.sh | sed -n '1s/^deb \([^ ]*\) .*/\1/p')/pool/main/l/lmdbxx
LMDBXX_LICENSE = Unlicense
LMDBXX_LICENSE_FILES = UNLICENSE
LMDBXX_INSTALL_STAGING = YES
# A header: nothing of it goes to the target by itself.
LMDBXX_INSTALL_TARGET = NO
LMDBXX_DEPENDENCIES = lmdb

define LMDBXX_INSTALL_STAGING_CMDS
	$(INSTALL) -D -m 0644 $(@D)/lmdb++.h $(STAGING_DIR)/usr/include/lmdb++.h
endef

$(eval $(generic-package))
