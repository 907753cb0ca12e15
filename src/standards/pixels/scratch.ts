/**
 * Memory that one frame after the other is worked on in.
 *
 * A fresh buffer for each step costs more than the step: the service starts with the C library's
 * threshold for mapped memory held low (core/runtime.ts), so that every buffer of a frame is mapped,
 * zeroed page by page as it is written, and unmapped again: 5 of the 15 ms that a CT slice took to
 * become a picture.
 */

import { allocate } from './samples.ts'

/**
 * Gives memory for so many bytes, at a multiple of 8. Whatever was in it may be in it still, perhaps
 * pixels of another patient: who takes it writes all of it before anybody reads.
 */
export type Allocate = (bytes: number) => Buffer

/** Kept between frames, in bytes: a large radiograph with its picture. Beyond it, memory is fresh each time. */
const BYTES_KEPT_MAX = 24 << 20

export class Scratch {
  #memory = allocate(0)
  #taken = 0
  /** Of the present frame, in bytes, with what found no room. */
  #wanted = 0

  /** Begins a frame: whatever was taken for the last one is given out again. */
  begin (): void {
    const useful = Math.min(this.#wanted, BYTES_KEPT_MAX)
    if (useful > this.#memory.length) this.#memory = allocate(useful)
    this.#taken = this.#wanted = 0
  }

  readonly take: Allocate = bytes => {
    const room = Math.ceil(bytes / 8) * 8
    this.#wanted += room
    if (this.#taken + room > this.#memory.length) return allocate(bytes)
    this.#taken += room
    return this.#memory.subarray(this.#taken - room, this.#taken - room + bytes)
  }
}

export function copyOf (bytes: Uint8Array, memory: Allocate): Buffer {
  const copy = memory(bytes.length)
  copy.set(bytes)
  return copy
}
