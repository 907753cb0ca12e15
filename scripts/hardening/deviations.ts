/**
 * Why the kernel is not everywhere as kernel-hardening-checker wishes: one reason for each family. An
 * option that has none makes the command fail, so that a new kernel's new answers are looked at.
 */

export interface Deviation {
  readonly name: string
  /** kconfig, cmdline or sysctl */
  readonly type: string
  readonly wanted: string
  readonly found: string
}

export interface Reason {
  readonly why: string
  readonly applies: (deviation: Deviation) => boolean
}

const named = (...names: readonly string[]) => {
  const set = new Set(names.map(name => `CONFIG_${name}`))
  return ({ name }: Deviation): boolean => set.has(name)
}

const COMPILER: Reason = {
  why: 'Needs a kernel compiled by clang; ours and Debian\'s are compiled by gcc. Forward-edge protection is then IBT, where the processor has it.',
  applies: ({ name }) => /^CONFIG_CFI_|^cfi$/.test(name)
}
const SMT: Reason = {
  why: 'mitigations=auto,nosmt switches SMT off exactly where a processor\'s faults demand it; a small board has no cores to lose where they don\'t.',
  applies: ({ name }) => name === 'nosmt'
}

/** For Debian's kernel. In order: the first that applies is told. */
export const DEBIAN: readonly Reason[] = [
  {
    why: 'Said on the signed command line instead (os-image/assemble/cmdline.sh), which wins over the default that was compiled in.',
    applies: named('SLAB_MERGE_DEFAULT', 'LOCK_DOWN_KERNEL_FORCE_CONFIDENTIALITY', 'KFENCE_SAMPLE_INTERVAL', 'MODULE_SIG_FORCE', 'INIT_ON_FREE_DEFAULT_ON', 'EFI_DISABLE_PCI_DMA', 'HARDENED_USERCOPY_DEFAULT_ON', 'IOMMU_DEFAULT_DMA_STRICT', 'IOMMU_DEFAULT_DMA_LAZY', 'INTEL_IOMMU_DEFAULT_ON', 'IA32_EMULATION', 'COMPAT', 'PROC_MEM_NO_FORCE', 'BLK_DEV_WRITE_MOUNTED', 'DEBUG_FS')
  },
  {
    why: 'Closed at run time by a sysctl (50-drimbox.conf): no line disciplines on demand, no kexec, no io_uring, no SysRq, no core dumps, no user fault handlers for others than root, more random bits of addresses.',
    applies: named('LDISC_AUTOLOAD', 'KEXEC', 'KEXEC_FILE', 'USERFAULTFD', 'IO_URING', 'MAGIC_SYSRQ', 'MAGIC_SYSRQ_SERIAL', 'ARCH_MMAP_RND_BITS', 'ARCH_MMAP_RND_COMPAT_BITS', 'COREDUMP', 'CRASH_DUMP', 'PROC_VMCORE')
  },
  {
    why: 'Closed by lockdown in its strictest form (confidentiality), which the signed command line switches on: no reading or writing of kernel memory, no ports, no probes or traces of the kernel, no hibernation, no tables of the firmware\'s replaced.',
    applies: named('PROC_KCORE', 'DEVMEM', 'DEVPORT', 'HIBERNATION', 'KPROBES', 'KPROBE_EVENTS', 'UPROBE_EVENTS', 'BPF_SYSCALL', 'X86_IOPL_IOPERM', 'ACPI_TABLE_UPGRADE', 'EFI_CUSTOM_SSDT_OVERLAYS', 'MMIOTRACE', 'FTRACE', 'GENERIC_TRACER', 'FUNCTION_TRACER', 'STACK_TRACER', 'HIST_TRIGGERS', 'BLK_DEV_IO_TRACE', 'MODULE_FORCE_LOAD', 'LIVEPATCH', 'PROC_PAGE_MONITOR')
  },
  {
    why: 'A module, and one that the image does not hold (os-image/debian/modules.txt): it can\'t be loaded, since modules must be signed and the root is read-only.',
    applies: ({ type, found }) => type === 'kconfig' && found === 'm'
  },
  COMPILER,
  {
    why: 'Used here: signed modules are loaded when a device appears (USB stick, network card), and each service\'s sandbox is made of namespaces and system call filters in BPF.',
    applies: ({ name }) => ['CONFIG_MODULES', 'kernel.modules_disabled', 'CONFIG_USER_NS', 'user.max_user_namespaces', 'CONFIG_RSEQ'].includes(name)
  },
  {
    why: 'A console exists so that a technician sees the firmware and the boot; nobody can log in on it.',
    applies: named('VT', 'FB')
  },
  SMT,
  {
    why: 'Debian\'s kernel is one for all machines and is taken as it is: signed, and mended by Debian\'s security team. Our own kernel configuration (os-image/external) is where this is set. Until then units can\'t reach most of it: their system call filters name families.',
    applies: named('WERROR', 'RANDOM_KMALLOC_CACHES', 'DEBUG_VIRTUAL', 'STATIC_USERMODEHELPER', 'DEBUG_SG', 'ZERO_CALL_USED_REGS', 'DEBUG_NOTIFIERS', 'RANDSTRUCT_FULL', 'GCC_PLUGIN_LATENT_ENTROPY', 'MODULE_SIG_ALL', 'MODULE_SIG_SHA512', 'UBSAN_BOUNDS', 'UBSAN_LOCAL_BOUNDS', 'UBSAN_TRAP', 'UBSAN_SANITIZE_ALL', 'KSTACK_ERASE', 'KSTACK_ERASE_METRICS', 'KSTACK_ERASE_RUNTIME_DISABLE', 'SCHED_CORE', 'PAGE_TABLE_CHECK', 'PAGE_TABLE_CHECK_ENFORCED', 'SECURITY_SELINUX_DEVELOP', 'X86_X32_ABI', 'MODIFY_LDT_SYSCALL', 'USELIB', 'CHECKPOINT_RESTORE', 'MEM_SOFT_DIRTY', 'KCMP', 'SUNRPC_DEBUG', 'X86_16BIT', 'CACHESTAT_SYSCALL', 'MPTCP', 'STAGING', 'KSM', 'KALLSYMS', 'AIO', 'XFS_SUPPORT_V4', 'TRIM_UNUSED_KSYMS', 'BPF_JIT', 'INIT_STACK_ALL_ZERO')
  }
]

/** For our own (os-image/external/board). */
export const OWN: readonly Reason[] = [
  COMPILER,
  SMT,
  {
    why: 'Plugins of gcc, which the kernel is about to give up, and which not every compiler of Buildroot\'s brings. Stacks and registers are wiped without them (INIT_STACK_ALL_ZERO, ZERO_CALL_USED_REGS); entropy comes from the TPM, the processor and jitter.',
    applies: named('RANDSTRUCT_FULL', 'GCC_PLUGIN_LATENT_ENTROPY', 'KSTACK_ERASE', 'KSTACK_ERASE_METRICS', 'KSTACK_ERASE_RUNTIME_DISABLE')
  },
  {
    why: 'Used here: the C library (RSEQ), systemd (KCMP), and each service\'s sandbox, which is made of namespaces and of filters in BPF that root alone may load.',
    applies: ({ name }) => ['CONFIG_RSEQ', 'CONFIG_KCMP', 'CONFIG_USER_NS', 'CONFIG_BPF_SYSCALL', 'user.max_user_namespaces'].includes(name)
  },
  {
    why: 'Says nothing about a kernel that runs, or about this one: warnings while it is compiled; a lock of SMT siblings that a program must ask for; values of SELinux, and of later versions, which are fixed here.',
    applies: ({ name }) => ['CONFIG_WERROR', 'CONFIG_SCHED_CORE', 'CONFIG_LSM_MMAP_MIN_ADDR', 'CONFIG_HARDENED_USERCOPY_DEFAULT_ON'].includes(name)
  }
]

/** @returns families in order, each with what belongs to it; and those that nobody has explained */
export function explained (deviations: readonly Deviation[], reasons: readonly Reason[]): { readonly families: readonly { readonly why: string, readonly names: readonly string[] }[], readonly unexplained: readonly Deviation[] } {
  const families = new Map<string, string[]>()
  const unexplained: Deviation[] = []
  for (const deviation of deviations) {
    const why = reasons.find(({ applies }) => applies(deviation))?.why
    if (why === undefined) unexplained.push(deviation)
    else families.set(why, [...families.get(why) ?? [], deviation.name.replace(/^CONFIG_/, '')])
  }
  return { families: reasons.flatMap(({ why }) => families.has(why) ? [{ why, names: families.get(why)! }] : []), unexplained }
}
