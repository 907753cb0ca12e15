/**
 * Bytes that arrive in pieces and are wanted whole: a small PDU, a command set, an identifier.
 *
 * Grows with what has come, never with what was announced, and copies, so that a peer who sends single bytes
 * cannot make us keep a socket buffer for each.
 */

const FIRST_BYTES = 256

export class Gather {
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  get length (): number { return this.#length }

  push (chunk: Uint8Array): void {
    const wanted = this.#length + chunk.length
    if (wanted > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(wanted, this.#bytes.length * 2, FIRST_BYTES))
      grown.set(this.#bytes.subarray(0, this.#length))
      this.#bytes = grown
    }
    this.#bytes.set(chunk, this.#length)
    this.#length = wanted
  }

  /** All bytes so far; what follows begins a new collection. */
  take (): Buffer {
    const taken = this.#bytes.subarray(0, this.#length)
    this.#bytes = Buffer.alloc(0)
    this.#length = 0
    return taken
  }
}
