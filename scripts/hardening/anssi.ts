/**
 * What ANSSI-BP-028 v2.0 asks of sysctl (R9 kernel, R11 Yama, R12 and R13 network, R14 files), and why one
 * value is another here.
 */

export const ANSSI: readonly (readonly [rule: string, key: string, value: string])[] = [
  ['R9', 'kernel.dmesg_restrict', '1'], ['R9', 'kernel.kptr_restrict', '2'], ['R9', 'kernel.pid_max', '65536'],
  ['R9', 'kernel.perf_cpu_time_max_percent', '1'], ['R9', 'kernel.perf_event_max_sample_rate', '1'], ['R9', 'kernel.perf_event_paranoid', '2'],
  ['R9', 'kernel.randomize_va_space', '2'], ['R9', 'kernel.sysrq', '0'], ['R9', 'kernel.unprivileged_bpf_disabled', '1'], ['R9', 'kernel.panic_on_oops', '1'],
  ['R10', 'kernel.modules_disabled', '1'], ['R11', 'kernel.yama.ptrace_scope', '1'],
  ['R12', 'net.core.bpf_jit_harden', '2'], ['R12', 'net.ipv4.ip_forward', '0'], ['R12', 'net.ipv4.conf.all.accept_local', '0'],
  ['R12', 'net.ipv4.conf.all.accept_redirects', '0'], ['R12', 'net.ipv4.conf.default.accept_redirects', '0'],
  ['R12', 'net.ipv4.conf.all.secure_redirects', '0'], ['R12', 'net.ipv4.conf.default.secure_redirects', '0'],
  ['R12', 'net.ipv4.conf.all.shared_media', '0'], ['R12', 'net.ipv4.conf.default.shared_media', '0'],
  ['R12', 'net.ipv4.conf.all.accept_source_route', '0'], ['R12', 'net.ipv4.conf.default.accept_source_route', '0'],
  ['R12', 'net.ipv4.conf.all.arp_filter', '1'], ['R12', 'net.ipv4.conf.all.arp_ignore', '2'], ['R12', 'net.ipv4.conf.all.route_localnet', '0'],
  ['R12', 'net.ipv4.conf.all.drop_gratuitous_arp', '1'], ['R12', 'net.ipv4.conf.all.rp_filter', '1'], ['R12', 'net.ipv4.conf.default.rp_filter', '1'],
  ['R12', 'net.ipv4.conf.all.send_redirects', '0'], ['R12', 'net.ipv4.conf.default.send_redirects', '0'],
  ['R12', 'net.ipv4.icmp_ignore_bogus_error_responses', '1'], ['R12', 'net.ipv4.ip_local_port_range', '32768 65535'],
  ['R12', 'net.ipv4.tcp_rfc1337', '1'], ['R12', 'net.ipv4.tcp_syncookies', '1'],
  ['R13', 'net.ipv6.conf.all.disable_ipv6', '1'], ['R13', 'net.ipv6.conf.default.disable_ipv6', '1'],
  ['R14', 'fs.suid_dumpable', '0'], ['R14', 'fs.protected_fifos', '2'], ['R14', 'fs.protected_regular', '2'], ['R14', 'fs.protected_symlinks', '1'], ['R14', 'fs.protected_hardlinks', '1']
]

/** Another value, or none: why. */
export const OTHERWISE: Readonly<Record<string, string>> = {
  'kernel.perf_event_paranoid': 'stricter: 3, Debian\'s own value, lets nobody but root measure',
  'kernel.yama.ptrace_scope': 'stricter: 3, nobody traces anybody until the next boot',
  'kernel.modules_disabled': 'modules of a stick or a network card are loaded when it appears; all are signed, and the image holds few'
}
