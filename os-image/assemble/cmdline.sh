#!/usr/bin/env bash
# OUT/cmdline: the kernel's command line, which is signed with the kernel. What each word is for
# stands beside it; the kernel's own documentation: admin-guide/kernel-parameters.
#
#   os-image/assemble/cmdline.sh OUT VERSION [MORE…]
set -euo pipefail
case "${1:-}" in --help|-h|'') sed -n '2,5s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
out=$(realpath "$1") version=$2; shift 2

words=(
  "drimbox.roothash=$(cat "$out/roothash")" "drimbox.version=$version"   # which root, found by its hash
  console=ttyS0 ro quiet loglevel=4
  panic=10 oops=panic                        # a broken kernel restarts, so that the tries run down
  lockdown=confidentiality module.sig_enforce=1
  init_on_alloc=1 init_on_free=1 slab_nomerge page_alloc.shuffle=1 hardened_usercopy=1 kfence.sample_interval=100
  randomize_kstack_offset=on pti=on mitigations=auto,nosmt
  vsyscall=none vdso32=0 ia32_emulation=0    # no old ways in
  debugfs=off hash_pointers=always proc_mem.force_override=never bdev_allow_write_mounted=0
  iommu=force intel_iommu=on iommu.strict=1 efi=disable_early_pci_dma   # no memory for plugged-in devices
  transparent_hugepage=never                 # 65 MB kept free for them; and the gateway was measured without
  extra_latent_entropy random.trust_cpu=on
  systemd.gpt_auto=0                         # partitions are ours to name
  systemd.import_credentials=no              # firmware tables (SMBIOS, fw_cfg) hand over no settings and no units
  systemd.show_status=0 systemd.default_device_timeout_sec=300
  lsm=landlock,lockdown,yama,loadpin,safesetid,integrity,bpf   # those without profiles: units are fenced by systemd
)
echo "${words[*]}${*:+ $*}" > "$out/cmdline"
