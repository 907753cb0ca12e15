/**
 * Bytes into an HTTP answer, in whole blocks, no faster than the reader takes them.
 */

import type { ServerResponse } from 'node:http'
import { PeerError } from '#core/errors.ts'

/** Fits every record of a CT; larger brings no speed, smaller does cost. */
const BLOCK_BYTES = 512 << 10
/** One being sent while the next is read. */
const BLOCKS_PER_READER = 2
/** Blocks kept for the next reader. */
const SPARE_MAX = 8

const spare: Buffer[] = []

/** One answer's way out. */
export class Outlet {
  readonly #response: ServerResponse
  readonly #free: Buffer[] = []
  #blocks = 0
  #waiting: (() => void) | undefined

  constructor (response: ServerResponse) {
    this.#response = response
    response.on('close', () => { this.#waiting?.() })
  }

  get closed (): boolean {
    return this.#response.destroyed
  }

  /** A block to read into; waits until the reader has taken an earlier one. @throws PeerError CANCELLED */
  async block (): Promise<Buffer> {
    while (true) {
      if (this.closed) throw gone()
      const free = this.#free.pop()
      if (free !== undefined) return free
      if (this.#blocks < BLOCKS_PER_READER) {
        this.#blocks++
        return spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
      }
      await new Promise<void>(resolve => { this.#waiting = resolve })
    }
  }

  /** Gives a block back that hasn't been written. */
  giveBack (block: Buffer): void {
    this.#free.push(block)
    this.#waiting?.()
  }

  /**
   * Writes pieces as one. `block`, which some of them are views of, is free again once they have left.
   */
  write (pieces: readonly Uint8Array[], block?: Buffer): void {
    this.#response.cork()
    const last = pieces.length - 1
    pieces.forEach((piece, place) => {
      if (place === last && block !== undefined) this.#response.write(piece, () => { this.giveBack(block) })
      else this.#response.write(piece)
    })
    this.#response.uncork()
  }

  /** Resolves when the reader can take more. @throws PeerError CANCELLED when they left */
  async drained (): Promise<void> {
    if (this.closed) throw gone()
    if (!this.#response.writableNeedDrain) return
    await new Promise<void>(resolve => {
      const go = (): void => {
        this.#response.off('drain', go).off('close', go)
        resolve()
      }
      this.#response.on('drain', go).on('close', go)
    })
    if (this.closed) throw gone()
  }

  /** The answer is whole. */
  end (last?: Uint8Array): void {
    this.#response.end(last, () => { this.#release() })
  }

  /** The answer must not look whole. */
  cut (error: Error): void {
    this.#response.destroy(error)
  }

  #release (): void {
    for (const block of this.#free.splice(0)) {
      if (spare.length < SPARE_MAX) spare.push(block)
    }
  }
}

function gone (): PeerError {
  return new PeerError('CANCELLED', 'the reader left')
}
