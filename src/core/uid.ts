/**
 * DICOM unique identifiers, read at the door.
 *
 * Source: DICOM PS3.5 §9.1.
 */

import { RequestError } from './errors.ts'

declare const checked: unique symbol

/** Text that has been through {@link parseUid}. Nothing else makes one. */
export type Uid = string & { readonly [checked]: 'Uid' }

const LENGTH_MAX = 64
/**
 * Components with leading zeros are tolerated: makers have sent them for decades, the images exist,
 * and refusing them would hide them.
 */
const FORM = /^\d+(\.\d+)*$/

export function isUid (text: string): text is Uid {
  return text.length <= LENGTH_MAX && FORM.test(text)
}

/**
 * Reads a UID that a caller or a PACS sent.
 *
 * @throws RequestError UID_INVALID
 */
export function parseUid (text: string): Uid {
  if (!isUid(text)) throw new RequestError('UID_INVALID', 'not a DICOM UID', { facts: { length: text.length } })
  return text
}
