#!/usr/bin/env bash
# Brings everything that the project needs onto this machine: npm packages, Node 26 among them, and
# the Debian packages of the peers that tests talk to. Does nothing when it is all there.
#
#   scripts/setup.sh            npm packages, then the peers (a missing one is named, or fatal in CI)
#   scripts/setup.sh --npm      npm packages only
set -euo pipefail
cd "$(dirname "$0")/.."

case "${1:-}" in
  --help|-h) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;;
esac

NODE_MAJOR=26
# What the tests, the bench and the command line talk to. Debian names, then one program of each.
PEERS=(
  dcmtk:storescp orthanc:Orthanc orthanc-dicomweb:/usr/share/orthanc/plugins/libOrthancDicomWeb.so
  libgdcm-tools:gdcmconv chromium:chromium nginx-light:nginx wrk:wrk libxml2-utils:xmllint iproute2:ip
  e2fsprogs:mkfs.ext4 mount:mount curl:curl openssl:openssl swtpm:swtpm tpm2-tools:tpm2_sign
  nmap:nmap dash:dash chrony:chronyd util-linux:unshare mender-artifact:mender-artifact haproxy:haproxy nftables:nft dosfstools:mkfs.vfat mtools:mcopy fdisk:sfdisk
  mmdebstrap:mmdebstrap debian-archive-keyring:/usr/share/keyrings/debian-archive-keyring.gpg
  qemu-system-x86:qemu-system-x86_64 qemu-utils:qemu-img ovmf:/usr/share/OVMF/OVMF_CODE_4M.secboot.fd
  shellcheck:shellcheck python3-flake8:/usr/lib/python3/dist-packages/flake8/__init__.py python3-magic:/usr/lib/python3/dist-packages/magic/__init__.py
)

say() { printf '  %s\n' "$*"; }

lock=$(sha256sum package-lock.json package.json .taprc | sha256sum | cut -d' ' -f1)
if [ "$(cat node_modules/.drimbox-ready 2>/dev/null || true)" != "$lock" ]; then
  say "npm packages (half a minute) …"
  npm ci --no-audit --no-fund --loglevel=error
  if [ "$(node_modules/.bin/node -p 'process.versions.node.split(".")[0]' 2>/dev/null || true)" != "$NODE_MAJOR" ]; then
    # An npm that runs no install scripts leaves the Node package without its binary.
    npm rebuild node --ignore-scripts=false --loglevel=error
  fi
  node_modules/.bin/node -e "if (Number(process.versions.node.split('.')[0]) < $NODE_MAJOR) { console.error('Node $NODE_MAJOR could not be installed'); process.exit(1) }"
  # tap writes its runner for the plugins of .taprc once, ahead of the first test.
  PATH="$PWD/node_modules/.bin:$PATH" node_modules/.bin/tap build >/dev/null
  printf '%s' "$lock" > node_modules/.drimbox-ready
fi
[ "${1:-}" = --npm ] && exit 0

missing=()
for peer in "${PEERS[@]}"; do
  program=${peer#*:}
  if [ "${program#/}" != "$program" ]; then [ -e "$program" ] || missing+=("${peer%%:*}")
  else PATH="$PATH:/usr/sbin" command -v "$program" >/dev/null || missing+=("${peer%%:*}"); fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

root=()
if [ "$(id -u)" -ne 0 ]; then root=(sudo -n); fi
if command -v apt-get >/dev/null && { [ "$(id -u)" -eq 0 ] || sudo -n true 2>/dev/null; }; then
  say "Debian packages: ${missing[*]} …"
  export DEBIAN_FRONTEND=noninteractive
  "${root[@]}" apt-get update -qq
  # Peers run on ports of our choosing, started by tests: no service of theirs may start by itself.
  "${root[@]}" env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
elif [ -n "${CI:-}" ]; then
  say "missing, and not installable here: ${missing[*]}"
  exit 1
else
  say "not here: ${missing[*]} (needs apt and root or sudo); the tests that talk to them are skipped by name"
fi
