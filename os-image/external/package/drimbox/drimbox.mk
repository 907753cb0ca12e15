################################################################################
#
# drimbox
#
################################################################################

# No source and no steps of its own (Config.in says why): a name, a version and
# a licence for the bill of materials, and an order for the build.
DRIMBOX_VERSION = 0.1.0
DRIMBOX_SOURCE =
DRIMBOX_LICENSE = Proprietary
DRIMBOX_REDISTRIBUTE = NO
DRIMBOX_DEPENDENCIES = \
	haproxy-lts mender-client nodejs-release tpm2-provider \
	ca-certificates cryptsetup e2fsprogs tpm2-tools

$(eval $(generic-package))
