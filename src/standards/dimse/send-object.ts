/**
 * Sends a C-STORE-RQ and its data set: the bytes of the object are never copied, and never run ahead of what the
 * peer takes.
 *
 * Source: DICOM PS3.8 Annex E. The command and the first fragments leave in one write.
 */

import type { CommandSet } from './command.ts'
import { encodeMessage } from './message.ts'
import { CONTROL_LAST, FRAGMENT_HEADER_BYTES, PDV_HEADER_BYTES, writeFragmentHeader } from './pdu.ts'
import type { UpperLayer } from './upper-layer.ts'

/** Pieces of a data set; a piece is given away and must not be written to afterwards. */
export type ObjectSource = Uint8Array | Iterable<Uint8Array> | AsyncIterable<Uint8Array>

/** Fragments handed to the socket between two looks at whether it is full: 2 MB with the usual PDU. */
const FRAGMENTS_PER_WRITE = 16

const NOTHING = new Uint8Array(0)

/** Resolves when all is handed over, or as soon as the association is over. @throws whatever the source throws */
export async function sendObject (upper: UpperLayer, contextId: number, command: CommandSet, source: ObjectSource, pduBytesMax: number): Promise<void> {
  const fragmentMax = pduBytesMax - PDV_HEADER_BYTES
  let head: Uint8Array | undefined = encodeMessage(contextId, command, undefined, pduBytesMax)
  // One piece behind, since the last fragment must say that it is the last.
  let piece: Uint8Array | undefined
  for await (const next of source instanceof Uint8Array ? [source] : source) {
    if (!upper.established) return
    if (next.length === 0) continue
    if (piece !== undefined) {
      await sendPiece(upper, contextId, head, piece, fragmentMax, false)
      head = undefined
    }
    piece = next
  }
  await sendPiece(upper, contextId, head, piece ?? NOTHING, fragmentMax, true)
}

async function sendPiece (upper: UpperLayer, contextId: number, head: Uint8Array | undefined, piece: Uint8Array, fragmentMax: number, isLast: boolean): Promise<void> {
  const stride = fragmentMax * FRAGMENTS_PER_WRITE
  let from = 0
  do {
    if (!upper.established) return
    const to = Math.min(from + stride, piece.length)
    upper.corked(() => {
      if (head !== undefined && from === 0) upper.send(head)
      sendFragments(upper, contextId, piece.subarray(from, to), fragmentMax, isLast && to === piece.length)
    })
    from = to
    await upper.drained()
  } while (from < piece.length)
}

function sendFragments (upper: UpperLayer, contextId: number, bytes: Uint8Array, fragmentMax: number, isLast: boolean): void {
  const headers = Buffer.allocUnsafe(Math.max(1, Math.ceil(bytes.length / fragmentMax)) * FRAGMENT_HEADER_BYTES)
  let at = 0
  let from = 0
  do {
    const to = Math.min(from + fragmentMax, bytes.length)
    writeFragmentHeader(headers, at, contextId, isLast && to === bytes.length ? CONTROL_LAST : 0, to - from)
    upper.send(headers.subarray(at, at + FRAGMENT_HEADER_BYTES), bytes.subarray(from, to))
    at += FRAGMENT_HEADER_BYTES
    from = to
  } while (from < bytes.length)
}
