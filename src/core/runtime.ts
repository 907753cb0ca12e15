/**
 * How Node is started for the service: what can't be set once it runs.
 */

import { join } from 'node:path'

/**
 * - A young generation of 1 MB: what an association or an answer allocates is short-lived views of
 *   large buffers, and V8's default lets 30 to 60 MB of them pile up before it looks. With 4 MB the
 *   service reached 200 to 240 MB while one object of a gigabyte passed, with 1 MB 145 to 180.
 * - An old generation that may reach 48 MB before it is collected: those buffers count towards it, and
 *   from a small one V8 would start a collection for every 10 MB received.
 * - And one that is bounded: memory beyond this is a leak, better ended than shared.
 */
export const NODE_FLAGS = ['--max-semi-space-size=1', '--initial-old-space-size=48', '--max-old-space-size=192'] as const

/**
 * - Compiled code is kept from one start to the next: without what strips the types, 30 MB less are
 *   resident.
 * - The C library gives memory of its own, and takes it back, to a buffer of 1 MB or more. Left to itself
 *   this threshold rises with the first buffers freed, and what a gigabyte leaves behind in its heap never
 *   goes back: a peak of 226 MB, where 172 to 192 were measured with a fixed one. Where it begins by itself
 *   (128 kB) every picture's buffers are mapped and cleared anew: a quarter of the time of a rendered frame.
 */
export const NODE_ENVIRONMENT = {
  NODE_COMPILE_CACHE: join(import.meta.dirname, '../../node_modules/.cache/node'),
  MALLOC_MMAP_THRESHOLD_: String(1024 * 1024)
} as const

/**
 * The small processes that systemd starts when they are asked (signer, status page): a heap for what they do.
 * Resident while somebody asks: 105 MB, and 77 with compiled code that was kept (NODE_COMPILE_CACHE); nothing
 * afterwards.
 */
export const SMALL_FLAGS = ['--max-semi-space-size=1', '--max-old-space-size=64'] as const

/**
 * What the status page may do, besides: read these, and talk to the gateway. Node's permission model fits it,
 * since it writes nothing and starts nothing.
 *
 * It fits neither of the others. Under `--permission` Node 26 refuses fsync and fdatasync whatever else is
 * allowed: the gateway would serve, and never put a series in its index; the signer could not tell that a key
 * is kept. And the signer has to start programs, which is leave to do anything.
 *
 * @param root before every path; empty on a box
 * @param service where this tree lies
 */
export function statusPermissions (service: string, root = ''): readonly string[] {
  const readable = [`${service}/`, ...STATUS_READS.map(path => `${root}${path}`), ...root === '' ? [] : STATUS_READS.filter(path => path.startsWith('/proc/'))]
  // Compiled code is used only where it might also be written; on a box its file system is read-only.
  return ['--permission', '--allow-net', `--allow-fs-write=${service}/node_modules/.cache/node/`, ...readable.map(path => `--allow-fs-read=${path}`), '--disable-warning=ExperimentalWarning']
}

const STATUS_READS = [
  '/run/drimbox-facts/', '/run/drimbox-front-tls/', '/usr/lib/drimbox/version', '/usr/lib/drimbox/release',
  '/proc/cmdline', '/proc/meminfo', '/proc/uptime', '/sys/class/block/', '/sys/devices/', '/sys/firmware/efi/efivars/', '/sys/kernel/security/lockdown'
] as const
