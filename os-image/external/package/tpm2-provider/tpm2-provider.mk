################################################################################
#
# tpm2-provider
#
################################################################################

TPM2_PROVIDER_VERSION = 1.3.0
TPM2_PROVIDER_SOURCE = tpm2-openssl-$(TPM2_PROVIDER_VERSION).tar.gz
TPM2_PROVIDER_SITE = https://github.com/tpm2-software/tpm2-openssl/releases/download/$(TPM2_PROVIDER_VERSION)
TPM2_PROVIDER_LICENSE = BSD-3-Clause
TPM2_PROVIDER_LICENSE_FILES = LICENSE
TPM2_PROVIDER_DEPENDENCIES = host-pkgconf openssl tpm2-tss

# Absolute, because the module's folder is asked of OpenSSL's pkg-config file
# otherwise, which names the staging folder.
TPM2_PROVIDER_CONF_OPTS = --with-modulesdir="/usr/lib/ossl-modules"

$(eval $(autotools-package))
