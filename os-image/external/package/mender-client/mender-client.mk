################################################################################
#
# mender-client
#
################################################################################

# Tag 5.1.0
MENDER_CLIENT_VERSION = 54d57fc32abd0bb1a8f0336d6d5ab624d3c5ac49
MENDER_CLIENT_RELEASE = 5.1.0
MENDER_CLIENT_SITE = https://github.com/mendersoftware/mender.git
MENDER_CLIENT_SITE_METHOD = git
MENDER_CLIENT_LICENSE = Apache-2.0
MENDER_CLIENT_LICENSE_FILES = LICENSE
MENDER_CLIENT_CPE_ID_VENDOR = northern.tech
MENDER_CLIENT_CPE_ID_PRODUCT = mender
MENDER_CLIENT_CPE_ID_VERSION = $(MENDER_CLIENT_RELEASE)
MENDER_CLIENT_SUPPORTS_IN_SOURCE_BUILD = NO
MENDER_CLIENT_DEPENDENCIES = \
	host-pkgconf boost dbus json-for-modern-cpp libarchive lmdb lmdbxx \
	openssl tl-expected yaml-cpp

# Its git submodules are replaced by packages: the same patch and stand-ins as
# in the build for the Debian tree.
MENDER_CLIENT_STAND_INS = $(BR2_EXTERNAL_DRIMBOX_PATH)/../mender
define MENDER_CLIENT_REPLACE_SUBMODULES
	$(APPLY_PATCHES) $(@D) $(MENDER_CLIENT_STAND_INS) debian-13.patch
	mkdir -p $(@D)/src/common/vendor
	cp -r $(MENDER_CLIENT_STAND_INS)/stand-ins/. $(@D)/src/common/vendor/
endef
MENDER_CLIENT_POST_PATCH_HOOKS += MENDER_CLIENT_REPLACE_SUBMODULES

MENDER_CLIENT_CONF_OPTS = \
	-DMENDER_VERSION=$(MENDER_CLIENT_RELEASE) \
	-DBUILD_TESTS=OFF \
	-DSYSTEMD_UNIT_DIR=/usr/lib/systemd/system

$(eval $(cmake-package))
