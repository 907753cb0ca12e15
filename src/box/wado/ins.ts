/**
 * The INS on the way out: the head of each object is rewritten as it leaves, the pack and the pixel
 * bytes stay as they are.
 */

import { createHmac, randomBytes } from 'node:crypto'
import { spliceIns, type Ins } from '#standards/dicom/ins.ts'
import type { Rewrite } from './send.ts'

/** For as long as this process runs: the numbers of a whole country could be tried out on a plain digest. */
const KEY = randomBytes(32)

/** What tells objects that bear one identity from those that bear another, without telling the identity. */
export function insTag (ins: Ins): string {
  return createHmac('sha256', KEY).update(JSON.stringify(ins)).digest('base64url').slice(0, 16)
}

/** The sequence lies in group 0010, within the first kilobytes of any object. */
const HEAD_BYTES = 64 << 10

export function insRewrite (ins: Ins): Rewrite {
  return {
    headBytes: stored => Math.min(stored.pixelOffset === 0 ? stored.length : stored.pixelOffset, HEAD_BYTES),
    head: (stored, bytes) => [
      bytes.subarray(0, stored.datasetOffset),
      ...spliceIns(bytes.subarray(stored.datasetOffset), stored.transferSyntaxUid, ins).pieces
    ]
  }
}
