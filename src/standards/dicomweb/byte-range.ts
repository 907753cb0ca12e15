/**
 * The part of an answer that a caller wants.
 *
 * Source: RFC 9110 §14.1.2 and §14.2. One range is given; several at once are answered with the whole,
 * as §14.2 allows (docs/decisions/0041): who asks for many small pieces would cost more than they are worth.
 */

import { RequestError } from '#core/errors.ts'

export interface ByteRange {
  readonly from: number
  /** The first byte that isn't wanted any more. */
  readonly end: number
}

/**
 * @param bytes of the whole
 * @returns undefined for the whole: without a range, with several, in another unit, or unreadable
 * @throws RequestError RANGE_UNSATISFIABLE
 */
export function parseByteRange (header: string | undefined, bytes: number): ByteRange | undefined {
  const [, first, last] = /^bytes=\s*(\d*)\s*-\s*(\d*)\s*$/i.exec(header?.slice(0, HEADER_CHARS_MAX) ?? '') ?? []
  if (first === undefined || last === undefined || (first === '' && last === '')) return undefined
  if (first === '') {
    const suffix = Number(last)
    if (suffix === 0 || bytes === 0) throw unsatisfiable(bytes)
    return { from: Math.max(0, bytes - suffix), end: bytes }
  }
  const from = Number(first)
  const end = last === '' ? bytes : Math.min(Number(last) + 1, bytes)
  if (last !== '' && Number(last) < from) return undefined
  if (from >= bytes) throw unsatisfiable(bytes)
  return { from, end }
}

export function contentRange ({ from, end }: ByteRange, bytes: number): string {
  return `bytes ${from}-${end - 1}/${bytes}`
}

/** Both numbers of the largest file that exists take 40. */
const HEADER_CHARS_MAX = 128

function unsatisfiable (bytes: number): RequestError {
  return new RequestError('RANGE_UNSATISFIABLE', 'the range begins beyond the end', { facts: { bytes } })
}
