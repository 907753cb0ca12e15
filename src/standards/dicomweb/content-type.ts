/**
 * What a request says that its body is.
 *
 * Source: RFC 9110 §8.3 (Content-Type), RFC 2387 (multipart/related), DICOM PS3.18 §8.7.3.
 */

import { parseAccept } from './accept.ts'

export interface ContentType {
  /** Lower case: 'multipart/related', 'application/dicom'. */
  readonly type: string
  /** The `type="…"` of multipart/related, lower case. */
  readonly inner?: string
  readonly boundary?: string
}

/** A media type is written as a range of Accept is. Undefined when it is absent, or can't be read. */
export function parseContentType (header: string | undefined): ContentType | undefined {
  if (header === undefined || header.trim() === '') return undefined
  try {
    const [first, ...more] = parseAccept(header)
    if (first === undefined || more.length > 0 || first.type.includes('*')) return undefined
    const { type, inner, boundary } = first
    return { type, ...inner !== undefined && { inner }, ...boundary !== undefined && { boundary } }
  } catch {
    return undefined
  }
}
