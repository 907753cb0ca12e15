/**
 * Transfer syntaxes that we receive, and which of them we ask for first.
 *
 * Source: DICOM PS3.6 Table A-1, PS3.8 §9.3.3.2; docs/decisions/0050.
 * A pack is shared by all who read the study, now and later. So whatever the first caller likes best,
 * nothing here ever puts a lossy syntax before a lossless one: a PACS that can convert is never asked
 * to spoil its images.
 */

import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'

/** Without a wish: compressed without loss first, since that is smallest and true; then uncompressed; lossy last. */
export const RECEIVED_SYNTAXES: readonly string[] = [
  '1.2.840.10008.1.2.4.80', // JPEG-LS lossless
  '1.2.840.10008.1.2.4.90', // JPEG 2000 lossless
  '1.2.840.10008.1.2.4.201', // HTJ2K lossless
  '1.2.840.10008.1.2.4.202', // HTJ2K lossless RPCL
  '1.2.840.10008.1.2.4.70', // JPEG lossless, first-order prediction
  '1.2.840.10008.1.2.4.57', // JPEG lossless
  '1.2.840.10008.1.2.4.110', // JPEG XL lossless
  '1.2.840.10008.1.2.5', // RLE
  '1.2.840.10008.1.2.1', // explicit little endian
  '1.2.840.10008.1.2', // implicit little endian
  '1.2.840.10008.1.2.1.99', // deflated
  '1.2.840.10008.1.2.2', // explicit big endian
  '1.2.840.10008.1.2.4.91', // JPEG 2000
  '1.2.840.10008.1.2.4.203', // HTJ2K
  '1.2.840.10008.1.2.4.81', // JPEG-LS near-lossless
  '1.2.840.10008.1.2.4.51', // JPEG extended
  '1.2.840.10008.1.2.4.50', // JPEG baseline
  '1.2.840.10008.1.2.4.111', // JPEG XL, JPEG recompression
  '1.2.840.10008.1.2.4.112', // JPEG XL
  '1.2.840.10008.1.2.4.100', // MPEG-2 main profile, main level
  '1.2.840.10008.1.2.4.101', // MPEG-2 main profile, high level
  '1.2.840.10008.1.2.4.102', // MPEG-4 high profile 4.1
  '1.2.840.10008.1.2.4.103', // MPEG-4 high profile 4.1, BD compatible
  '1.2.840.10008.1.2.4.104', // MPEG-4 high profile 4.2, 2D
  '1.2.840.10008.1.2.4.105', // MPEG-4 high profile 4.2, 3D
  '1.2.840.10008.1.2.4.106', // MPEG-4 stereo high profile
  '1.2.840.10008.1.2.4.107', // HEVC main profile
  '1.2.840.10008.1.2.4.108' // HEVC main 10 profile
]

/** What a PACS that can't convert, and offers several syntaxes at once, is most likely to hold. */
const UNCOMPRESSED: readonly string[] = ['1.2.840.10008.1.2.1', '1.2.840.10008.1.2']

/**
 * In which order we choose among the syntaxes that a PACS offers in one presentation context of an
 * association that it opens (C-MOVE). All are received, whatever the order.
 *
 * @param preference what the caller named, most liked first
 * @param attempt 0 at first; afterwards it is about what didn't come that way
 */
export function receivingOrder (preference: readonly string[] = [], attempt: number = 0): readonly string[] {
  if (preference.length === 0 && attempt === 0) return RECEIVED_SYNTAXES
  const wished = attempt === 0 ? preference.filter(uid => RECEIVED_SYNTAXES.includes(uid)) : UNCOMPRESSED
  const all = [...new Set([...wished, ...RECEIVED_SYNTAXES])]
  return [...all.filter(isLossless), ...all.filter(uid => !isLossless(uid))]
}

/**
 * Which syntaxes we propose on an association of our own (C-GET), in order: at first the lossless ones
 * that the caller named and no others, so that a PACS that can convert does; for what didn't come that
 * way, and where the caller named none, all of them.
 */
export function proposedSyntaxes (preference: readonly string[] = [], attempt: number = 0): readonly string[] {
  const wished = preference.filter(uid => RECEIVED_SYNTAXES.includes(uid) && isLossless(uid))
  return attempt === 0 && wished.length > 0 ? wished : receivingOrder()
}

function isLossless (uid: string): boolean {
  return !transferSyntax(uid).lossy
}

/**
 * The orders of the retrieves that are under way by C-MOVE. An association that the PACS opens doesn't
 * say for which of them it is, so a wish counts only while all of them share it.
 */
export class ReceivingOrders {
  readonly #underWay = new Set<readonly string[]>()

  get current (): readonly string[] {
    const [first, ...others] = [...this.#underWay].map(order => order.join())
    return first === undefined || others.some(order => order !== first) ? RECEIVED_SYNTAXES : first.split(',')
  }

  /** `order` holds as long as `use` runs. */
  async during<T> (order: readonly string[], use: () => Promise<T>): Promise<T> {
    const own = [...order]
    this.#underWay.add(own)
    try {
      return await use()
    } finally {
      this.#underWay.delete(own)
    }
  }
}
