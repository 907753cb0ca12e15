#!/usr/bin/env bash
# Makes the test keys of this checkout in var/keys, each once, and never a second time: boxes that
# were made with them would no longer boot or open their data. Prints the folder.
#
# KEYS=FOLDER: makes nothing, takes that folder's; its private keys may lie in a token (token.sh).
#
#   PK, KEK, db     Secure Boot (RSA-2048: the size that every firmware takes); .auth to enrol them
#   pcr             signs the PCR 11 policy inside each kernel image (RSA-2048)
#   artifact        signs OTA artifacts (P-256, SEC1: mender-artifact 3.9 reads no PKCS#8)
#   settings        signs the settings on a USB stick (P-256)
#   fleet           TLS of the fleet server on this desk
#   recovery        sealed recovery keys of the data partitions can be read with it (RSA-3072)
#   OVMF_VARS.fd    firmware variables of a virtual machine, Secure Boot on, these keys alone
set -euo pipefail
case "${1:-}" in --help|-h) sed -n '2,14s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
if [ -n "${KEYS:-}" ]; then
  for name in db.key db.crt pcr.key pcr.pub artifact.key artifact.pub settings.pub recovery.pub fleet.crt; do
    [ -s "$KEYS/$name" ] || { echo "keys: $name is missing in $KEYS" >&2; exit 1; }
  done
  cd "$KEYS" && pwd
  exit 0
fi
keys=$image/../var/keys
mkdir -p "$keys"; chmod 700 "$keys"; keys=$(cd "$keys" && pwd); cd "$keys"

TEMPLATE=/usr/share/OVMF/OVMF_VARS_4M.fd   # Debian's ovmf: an empty store of the size its code wants
DAYS=3650

[ -s guid ] || cat /proc/sys/kernel/random/uuid > guid
for name in PK KEK db; do
  [ -s $name.crt ] || openssl req -new -x509 -newkey rsa:2048 -nodes -sha256 -days $DAYS \
    -subj "/CN=DRIMbox TEST $name/" -keyout $name.key -out $name.crt 2>/dev/null
done
[ -s pcr.pub ] || { openssl genrsa -out pcr.key 2048 2>/dev/null; openssl rsa -in pcr.key -pubout -out pcr.pub 2>/dev/null; }
for name in artifact settings; do
  [ -s $name.pub ] || { openssl ecparam -name prime256v1 -genkey -noout -out $name.key; openssl ec -in $name.key -pubout -out $name.pub 2>/dev/null; }
done
# 10.0.2.2 is this machine as a QEMU guest sees it.
[ -s fleet.crt ] || openssl req -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days $DAYS \
  -subj '/CN=DRIMbox TEST fleet/' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:10.0.2.2' \
  -keyout fleet.key -out fleet.crt 2>/dev/null
[ -s recovery.pub ] || { openssl genrsa -out recovery.key 3072 2>/dev/null; openssl rsa -in recovery.key -pubout -out recovery.pub 2>/dev/null; }
chmod 600 ./*.key

in_builder() { "$image/in-builder.sh" --bind="$keys" -- "$@"; }
if [ ! -s db.auth ]; then
  in_builder sh -euc '
    cd "$1"; guid=$(cat guid)
    for name in PK KEK db; do cert-to-efi-sig-list -g "$guid" $name.crt $name.esl; done
    # Each list is signed by the key above it; PK by itself.
    sign-efi-sig-list -g "$guid" -k PK.key -c PK.crt PK PK.esl PK.auth
    sign-efi-sig-list -g "$guid" -k PK.key -c PK.crt KEK KEK.esl KEK.auth
    sign-efi-sig-list -g "$guid" -k KEK.key -c KEK.crt db db.esl db.auth' sh "$keys" >/dev/null
fi
if [ ! -s OVMF_VARS.fd ] && [ -s "$TEMPLATE" ]; then
  cp "$TEMPLATE" template.fd
  in_builder sh -euc '
    cd "$1"; guid=$(cat guid)
    virt-fw-vars --input template.fd --output OVMF_VARS.fd --set-pk "$guid" PK.crt --add-kek "$guid" KEK.crt --add-db "$guid" db.crt --secure-boot' sh "$keys" >/dev/null 2>&1
  rm template.fd
fi
echo "$keys"
