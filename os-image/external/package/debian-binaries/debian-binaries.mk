################################################################################
#
# debian-binaries
#
################################################################################

# No source: DRIMBOX_DEBS is the folder that os-image/external/debian/binaries.sh
# fills with packages of Debian 13, checked by apt.
DEBIAN_BINARIES_VERSION = 13
DEBIAN_BINARIES_SOURCE =
DEBIAN_BINARIES_LICENSE = various
DEBIAN_BINARIES_REDISTRIBUTE = NO
DEBIAN_BINARIES_DEPENDENCIES = libcurl openssl tpm2-tss

define DEBIAN_BINARIES_INSTALL_TARGET_CMDS
	rm -rf $(@D)/root
	for deb in $(DRIMBOX_DEBS)/*.deb; do dpkg-deb -x $$deb $(@D)/root; done
	for file in bin/tpm2 sbin/nft; do \
		$(INSTALL) -D -m 0755 $(@D)/root/usr/$$file $(TARGET_DIR)/usr/$$file; \
	done
	cp -a $(@D)/root/usr/bin/tpm2_* $(TARGET_DIR)/usr/bin/
	$(INSTALL) -D -m 0644 \
		$(@D)/root/usr/lib/x86_64-linux-gnu/ossl-modules/tpm2.so \
		$(TARGET_DIR)/usr/lib/ossl-modules/tpm2.so
	cp -a -n \
		$(@D)/root/usr/lib/x86_64-linux-gnu/*.so.* $(TARGET_DIR)/usr/lib/
	# What Debian's tpm2 calls the libcurl that is built here.
	ln -sfn libcurl.so.4 $(TARGET_DIR)/usr/lib/libcurl-gnutls.so.4
endef

$(eval $(generic-package))
