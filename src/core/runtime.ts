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
