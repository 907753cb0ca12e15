/**
 * Bytes that arrive in pieces of any size, taken in pieces of ours.
 */

import { FleetError } from '../errors.ts'

export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>
  #held: Buffer = Buffer.alloc(0)
  #at = 0

  constructor (chunks: AsyncIterable<Uint8Array>) {
    this.#chunks = chunks[Symbol.asyncIterator]()
  }

  /** Bytes that were taken so far. */
  get at (): number {
    return this.#at
  }

  /** @throws FleetError ARTIFACT_TRUNCATED */
  async take (bytes: number): Promise<Buffer> {
    const pieces: Buffer[] = []
    for await (const piece of this.stream(bytes)) pieces.push(piece)
    return pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)
  }

  /**
   * @yields exactly so many bytes
   * @throws FleetError ARTIFACT_TRUNCATED
   */
  async * stream (bytes: number): AsyncGenerator<Buffer> {
    for (let left = bytes; left > 0;) {
      if (await this.isAtEnd()) throw new FleetError('ARTIFACT_TRUNCATED', 'the file ends too early', { facts: { at: this.#at, missing: left } })
      const piece = this.#held.subarray(0, left)
      this.#held = this.#held.subarray(piece.length)
      this.#at += piece.length
      left -= piece.length
      yield piece
    }
  }

  /** All that is left. */
  async * rest (): AsyncGenerator<Buffer> {
    while (!await this.isAtEnd()) yield * this.stream(this.#held.length)
  }

  async isAtEnd (): Promise<boolean> {
    while (this.#held.length === 0) {
      const { done, value } = await this.#chunks.next()
      if (done === true) return true
      this.#held = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    }
    return false
  }
}
