/**
 * Whether a data set that arrives in pieces ends where its own lengths say: what was cut on its way
 * here would make whoever parses it next wait for the rest.
 *
 * Source: DICOM PS3.5 §7.1, §7.5 and §A.4 (fragments). Values are stepped over, pixel data included.
 */

import { HEAD_BYTES_MAX, Nesting, formOf, newHead, readHead, type ElementHead } from './elements.ts'
import { transferSyntax } from './transfer-syntax.ts'

export class WholeReader {
  readonly #nesting: Nesting
  readonly #head: ElementHead = newHead()
  /** Deflated, or not to be followed: nothing is said of it. */
  #lost: boolean
  /** How many bytes of the next piece belong to a value that is stepped over. */
  #skip = 0
  /** The beginning of an element's head. */
  #held: Buffer | undefined = undefined
  /** So many came. */
  bytes = 0

  constructor (transferSyntaxUid: string) {
    this.#nesting = new Nesting(formOf(transferSyntaxUid))
    this.#lost = transferSyntax(transferSyntaxUid).deflated
  }

  push (chunk: Uint8Array): void {
    this.bytes += chunk.length
    if (this.#lost) return
    try {
      this.#walk(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length))
    } catch {
      this.#lost = true
    }
  }

  /**
   * After the last piece: the bytes end inside of an element. False also where the walk lost its
   * way, since what a maker got wrong may still be what a PACS reads.
   */
  get cut (): boolean {
    if (this.#lost) return false
    return this.bytes === 0 || this.#skip > 0 || this.#nesting.depth > 0 || this.#held?.some(byte => byte !== 0) === true
  }

  #walk (bytes: Buffer): void {
    const end = bytes.length
    let at = this.#skip
    if (this.#held !== undefined) {
      const held = this.#held
      const joined = Buffer.concat([held, bytes.subarray(0, HEAD_BYTES_MAX)])
      const next = this.#pass(joined, 0)
      this.#held = next < 0 ? joined : undefined
      at = next < 0 ? end : next - held.length
    }
    while (at < end) {
      const next = this.#pass(bytes, at)
      if (next < 0) {
        this.#held = Buffer.from(bytes.subarray(at))
        at = end
      } else {
        at = next
      }
    }
    this.#skip = at - end
  }

  /** @returns where the next head begins, perhaps beyond the bytes; -1 when this one is cut */
  #pass (bytes: Buffer, at: number): number {
    if (!readHead(bytes, at, bytes.length, this.#nesting.form, this.#head)) return -1
    return this.#head.value + this.#nesting.pass(this.#head)
  }
}
