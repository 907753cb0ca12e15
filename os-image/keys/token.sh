#!/usr/bin/env bash
# Makes a folder for KEYS= whose private keys db, pcr and artifact stay in a PKCS#11 token: those that the token
# lacks are made in it, and FOLDER gets references to them, their public halves and db's certificate.
# What the token doesn't hold is put there by hand: settings.pub, recovery.pub, fleet.crt.
#
#   os-image/keys/token.sh FOLDER TOKEN MODULE
#
#   FOLDER  has the file `pin`; best in memory (/run). For SoftHSM it has softhsm2.conf too
#   TOKEN   the token's label
#   MODULE  its PKCS#11 library, as the builder sees it (a package more: os-image/debian/builder-packages.txt)
#
# References are files that the PKCS#11 provider of OpenSSL takes for private keys, so that every tool of the
# assembly does. Source: RFC 7512 (URIs); provider-pkcs11(7), pkcs11-module-encode-provider-uri-to-pem.
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
image=$(cd "$(dirname "$0")/.." && pwd)
folder=$(realpath "$1") token=$2 module=$3
DAYS=3650
[ -s "$folder/pin" ] || { echo "token: $folder/pin is missing" >&2; exit 1; }

cat > "$folder/openssl.cnf" <<END
openssl_conf = start
[start]
providers = providers
[providers]
default = built-in
pkcs11 = token
[built-in]
activate = 1
[token]
pkcs11-module-path = $module
pkcs11-module-token-pin = file:$folder/pin
pkcs11-module-quirks = no-deinit
pkcs11-module-encode-provider-uri-to-pem = true
activate = 1
[req]
distinguished_name = name
[name]
END

"$image/in-builder.sh" --keys="$folder" -- sh -euc '
  cd "$1"; umask 077
  for name in db pcr artifact; do
    uri="pkcs11:token=$2;object=$name"
    case $name in artifact) kind="EC -pkeyopt ec_paramgen_curve:prime256v1" ;; *) kind="RSA -pkeyopt rsa_keygen_bits:2048" ;; esac
    openssl pkey -in "$uri;type=private" -out $name.key 2>/dev/null ||
      openssl genpkey -propquery provider=pkcs11 -algorithm $kind -pkeyopt "pkcs11_uri:$uri" -out $name.key
    openssl pkey -in "$uri;type=public" -pubin -pubout -out $name.pub
  done
  [ -s db.crt ] || openssl req -new -x509 -sha256 -days '$DAYS' -subj "/CN=DRIMbox db/" -key db.key -out db.crt' sh "$folder" "$token"
