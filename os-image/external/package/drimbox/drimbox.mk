################################################################################
#
# drimbox
#
################################################################################

DRIMBOX_VERSION = 0.1.0
DRIMBOX_SITE = $(BR2_EXTERNAL_DRIMBOX_PATH)/../..
DRIMBOX_SITE_METHOD = local
DRIMBOX_LICENSE = Proprietary
DRIMBOX_REDISTRIBUTE = NO
DRIMBOX_DEPENDENCIES = nodejs-release
DRIMBOX_OVERRIDE_SRCDIR_RSYNC_EXCLUSIONS = \
	--include=/src --include=/package.json --include=/package-lock.json \
	--exclude='/*'

# npm on the build machine; foreign binaries are chosen by the packages
# themselves, so they are told which machine it will be.
define DRIMBOX_BUILD_CMDS
	cd $(@D) && npm ci --omit=dev --ignore-scripts --no-audit --no-fund \
		--os=linux --cpu=$(NODEJS_RELEASE_ARCH) --libc=glibc
	find $(@D)/node_modules/*/prebuilds -type f \
		! -name linux-$(NODEJS_RELEASE_ARCH).node -delete
endef

define DRIMBOX_INSTALL_TARGET_CMDS
	rm -rf $(TARGET_DIR)/usr/lib/drimbox/service
	mkdir -p $(TARGET_DIR)/usr/lib/drimbox/service
	cp -R $(@D)/src $(@D)/package.json $(@D)/node_modules \
		$(TARGET_DIR)/usr/lib/drimbox/service/
endef

$(eval $(generic-package))
