/**
 * Sends a C-STORE-RQ and its data set: the bytes of the object are never copied, and never run ahead of what the
 * peer takes.
 *
 * Source: DICOM PS3.8 Annex E. The command and the first fragments leave in one write.
 */

import type { CommandSet } from './command.ts'
import { encodeMessage, fragmentBytesMax } from './message.ts'
import { CONTROL_LAST, FRAGMENT_HEADER_BYTES, writeFragmentHeader } from './pdu.ts'
import type { UpperLayer } from './upper-layer.ts'

/** Pieces of a data set; a piece is given away and must not be written to afterwards. */
export type ObjectSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** Fragments handed to the socket between two looks at whether it is full: 2 MB with the usual PDU. */
const FRAGMENTS_PER_WRITE = 16

const NOTHING = new Uint8Array(0)

/** Resolves when all is handed over, or as soon as the association is over. @throws whatever the source throws */
export async function sendObject (upper: UpperLayer, contextId: number, command: CommandSet, source: ObjectSource, pduBytesMax: number): Promise<void> {
  const sender = new Sender(upper, contextId, fragmentBytesMax(pduBytesMax))
  let head: Uint8Array | undefined = encodeMessage(contextId, command, undefined, pduBytesMax)
  // One piece behind, since the last fragment must say that it is the last.
  let piece: Uint8Array | undefined
  for await (const next of source instanceof Uint8Array ? [source] : source) {
    if (!upper.established) return
    if (next.length === 0) continue
    if (piece !== undefined) {
      await sender.piece(piece, false, head)
      head = undefined
    }
    piece = next
  }
  await sender.piece(piece ?? NOTHING, true, head)
}

class Sender {
  readonly #upper: UpperLayer
  readonly #contextId: number
  readonly #fragmentMax: number
  /** Fragments have even lengths: the odd byte of a piece goes with the next one. */
  #odd: Uint8Array = NOTHING

  constructor (upper: UpperLayer, contextId: number, fragmentMax: number) {
    this.#upper = upper
    this.#contextId = contextId
    this.#fragmentMax = fragmentMax
  }

  async piece (bytes: Uint8Array, isLast: boolean, head: Uint8Array | undefined): Promise<void> {
    let from = 0
    do {
      if (!this.#upper.established) return
      this.#upper.corked(() => {
        if (head !== undefined && from === 0) this.#upper.send(head)
        from = this.#batch(bytes, from, isLast)
      })
      await this.#upper.drained()
    } while (from < bytes.length)
  }

  /** @returns where it stopped */
  #batch (bytes: Uint8Array, from: number, isLast: boolean): number {
    const headers = Buffer.allocUnsafe(FRAGMENTS_PER_WRITE * FRAGMENT_HEADER_BYTES)
    for (let at = 0; at < headers.length; at += FRAGMENT_HEADER_BYTES) {
      const to = Math.min(from + this.#fragmentMax - this.#odd.length, bytes.length)
      const ends = to === bytes.length
      const left = ends && !isLast ? (this.#odd.length + to - from) % 2 : 0
      const length = this.#odd.length + to - from - left
      if (length > 0 || (ends && isLast)) {
        const header = headers.subarray(at, at + FRAGMENT_HEADER_BYTES)
        writeFragmentHeader(header, 0, this.#contextId, ends && isLast ? CONTROL_LAST : 0, length)
        this.#upper.send(header, this.#odd, bytes.subarray(from, to - left))
        this.#odd = NOTHING
      }
      if (left === 1) this.#odd = bytes.subarray(to - 1, to)
      from = to
      if (ends) break
    }
    return from
  }
}
