include $(sort $(wildcard $(BR2_EXTERNAL_DRIMBOX_PATH)/package/*/*.mk))

# An option that a fragment asks for and Kconfig drops is silent in the kernel's
# own build. Here it ends the build, unless cannot.txt says why it can't be had.
define DRIMBOX_KERNEL_OPTIONS_TOOK
	$(BR2_EXTERNAL_DRIMBOX_PATH)/kernel-options.sh --config=$(LINUX_DIR)/.config \
		$(call qstrip,$(BR2_LINUX_KERNEL_CUSTOM_CONFIG_FILE)) \
		$(call qstrip,$(BR2_LINUX_KERNEL_CONFIG_FRAGMENT_FILES))
endef
LINUX_POST_CONFIGURE_HOOKS += DRIMBOX_KERNEL_OPTIONS_TOOK

# systemd-tpm2-setup, which makes the storage key that ours hang from, is built
# with the boot loader alone; Buildroot offers that on x86 only, though systemd
# has it for arm64 too.
ifeq ($(BR2_aarch64)$(BR2_PACKAGE_SYSTEMD),yy)
SYSTEMD_CONF_OPTS += -Dbootloader=enabled
$(SYSTEMD_TARGET_CONFIGURE): | host-python-pyelftools
endif
