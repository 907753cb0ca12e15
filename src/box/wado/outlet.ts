/**
 * Bytes into an HTTP answer, in whole blocks, no faster than the reader takes them.
 */

import type { ServerResponse } from 'node:http'
import { PeerError } from '#core/errors.ts'

/** Fits every record of a CT; larger brings no speed, smaller does cost. */
const BLOCK_BYTES = 512 << 10
/** What readers get beyond {@link LARGE_BLOCKS_MAX}: hundreds of slow ones must not fill the memory. */
const SMALL_BLOCK_BYTES = 64 << 10
/** For twenty readers, all answers together. */
const LARGE_BLOCKS_MAX = 40
/** One being sent while the next is read. */
const BLOCKS_PER_READER = 2
/** Blocks kept for the next readers: one for each of those who ask for image after image, over some connections. */
const SPARE_MAX = 16
/** A reader who takes nothing for so long isn't one any more. In milliseconds. */
const STALLED_MS = 5 * 60_000

const spare: Buffer[] = []
let largeBlocks = 0

/** One answer's way out. */
export class Outlet {
  readonly #response: ServerResponse
  readonly #free: Buffer[] = []
  readonly #waiting = new Set<() => void>()
  #blocks = 0
  #largeBlocks = 0
  /** Of what happens to the answer. Most have left before anybody must wait. */
  #isTold = false
  readonly #stalledMs: number
  #stalled: NodeJS.Timeout | undefined

  /** @param stalledMs after which a reader who takes nothing is cut off */
  constructor (response: ServerResponse, stalledMs: number = STALLED_MS) {
    this.#response = response
    this.#stalledMs = stalledMs
    response.once('close', () => {
      clearTimeout(this.#stalled)
      this.#forgetLarge()
    })
  }

  get closed (): boolean {
    return this.#response.destroyed || this.#response.req.socket.destroyed
  }

  /** A block to read into; waits until the reader has taken an earlier one. @throws PeerError CANCELLED */
  async block (): Promise<Buffer> {
    while (true) {
      if (this.closed) throw gone()
      const free = this.#free.pop()
      if (free !== undefined) return free
      if (this.#blocks < BLOCKS_PER_READER) return this.#newBlock()
      await this.#news()
    }
  }

  /**
   * Sends a whole body that fits into one block, with the head of its answer, in one write.
   *
   * @param lay puts it there
   * @returns false when no such block is to be had, or others must leave first: nothing has been done then
   * @throws whatever `lay` throws; PeerError CANCELLED when the reader left meanwhile
   */
  async whole (bytes: number, lay: (block: Buffer) => Promise<void>): Promise<boolean> {
    const response = this.#response
    // The answer to a pipelined request has no socket before its turn comes, and may never get one.
    if (response.socket === null || bytes > BLOCK_BYTES || (bytes > SMALL_BLOCK_BYTES && largeBlocks >= LARGE_BLOCKS_MAX)) return false
    const block = this.#newBlock()
    await lay(block)
    if (this.closed) throw gone()
    this.#stalled = setTimeout(() => { this.cut(gone()) }, this.#stalledMs).unref()
    response.cork()
    response.write(block.subarray(0, bytes))
    response.end(() => {
      clearTimeout(this.#stalled)
      this.#free.push(block)
      this.#release()
    })
    response.uncork()
    return true
  }

  /** Gives a block back that hasn't been written. */
  giveBack (block: Buffer): void {
    this.#free.push(block)
    for (const go of [...this.#waiting]) go()
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
    while (!this.closed && this.#response.writableNeedDrain) await this.#news()
    if (this.closed) throw gone()
  }

  /** The answer is whole. */
  end (last?: Uint8Array): void {
    this.#response.end(last, () => { this.#release() })
  }

  /** The answer must not look whole. */
  cut (error: Error): void {
    this.#forgetLarge()
    this.#response.destroy(error)
    // Before its turn has come, the answer to a pipelined request has nothing to destroy but this.
    this.#response.req.socket.destroy()
  }

  #newBlock (): Buffer {
    this.#blocks++
    if (largeBlocks >= LARGE_BLOCKS_MAX) return Buffer.allocUnsafeSlow(SMALL_BLOCK_BYTES)
    largeBlocks++
    this.#largeBlocks++
    return spare.pop() ?? Buffer.allocUnsafeSlow(BLOCK_BYTES)
  }

  /** Resolves when something has changed: a block has left, the reader takes more, or has gone. */
  async #news (): Promise<void> {
    if (!this.#isTold) this.#beTold()
    await new Promise<void>(resolve => {
      const go = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(go)
        resolve()
      }
      const timer = setTimeout(() => { this.cut(gone()); go() }, this.#stalledMs).unref()
      this.#waiting.add(go)
    })
  }

  #beTold (): void {
    this.#isTold = true
    const wake = (): void => { for (const go of [...this.#waiting]) go() }
    // The answer to a pipelined request has no socket yet, and isn't told when that closes.
    const { socket } = this.#response.req
    socket.once('close', wake)
    this.#response.on('drain', wake).once('close', () => {
      socket.off('close', wake)
      wake()
    })
  }

  #forgetLarge (): void {
    largeBlocks -= this.#largeBlocks
    this.#largeBlocks = 0
  }

  #release (): void {
    for (const block of this.#free.splice(0)) {
      if (block.length === BLOCK_BYTES && spare.length < SPARE_MAX) spare.push(block)
    }
  }
}

function gone (): PeerError {
  return new PeerError('CANCELLED', 'the reader left')
}
