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
  return async (stored, read) => {
    const end = stored.pixelOffset === 0 ? stored.length : stored.pixelOffset
    const whole = end <= HEAD_BYTES
    const replaced = whole ? end : HEAD_BYTES
    const bytes = await read(0, replaced)
    const { pieces } = spliceIns(bytes.subarray(stored.datasetOffset), stored.transferSyntaxUid, ins)
    return { pieces: [bytes.subarray(0, stored.datasetOffset), ...pieces], replaced }
  }
}
