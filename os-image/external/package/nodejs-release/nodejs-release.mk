################################################################################
#
# nodejs-release
#
################################################################################

NODEJS_RELEASE_VERSION = 26.10.0
NODEJS_RELEASE_ARCH = $(if $(BR2_aarch64),arm64,x64)
ifeq ($(BR2_PACKAGE_NODEJS_RELEASE_FROM_NPM),y)
NODEJS_RELEASE_SOURCE = node-linux-$(NODEJS_RELEASE_ARCH)-$(NODEJS_RELEASE_VERSION).tgz
# From npm's own registry setting.
NODEJS_RELEASE_SITE = $(patsubst %/,%,$(shell npm config get registry))/node-linux-$(NODEJS_RELEASE_ARCH)/-
else
NODEJS_RELEASE_SOURCE = node-v$(NODEJS_RELEASE_VERSION)-linux-$(NODEJS_RELEASE_ARCH).tar.xz
NODEJS_RELEASE_SITE = https://nodejs.org/dist/v$(NODEJS_RELEASE_VERSION)
endif
NODEJS_RELEASE_LICENSE = \
	MIT (core code), \
	MIT, Apache-2.0, BSD-2-Clause, BSD-3-Clause, ISC (bundled components)
NODEJS_RELEASE_LICENSE_FILES = LICENSE
NODEJS_RELEASE_CPE_ID_VENDOR = nodejs
NODEJS_RELEASE_CPE_ID_PRODUCT = node.js

define NODEJS_RELEASE_INSTALL_TARGET_CMDS
	$(INSTALL) -D -m 0755 $(@D)/bin/node $(TARGET_DIR)/usr/bin/node
endef

$(eval $(generic-package))
