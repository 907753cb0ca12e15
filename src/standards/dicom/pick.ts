/**
 * A few attributes of a data set, without decoding the others.
 *
 * Source: DICOM PS3.5 §7.1.
 */

import { decodeDataset } from './dataset.ts'
import { endOf, formOf, malformed, newHead, readHead } from './elements.ts'
import type { DicomJson } from './json.ts'

export interface Picked {
  /** Where the element lies, its head included, and its value alone. */
  readonly element: Buffer
  readonly value: Buffer
}

/**
 * @param head a data set from its start, to its end or to any element
 * @param wants attributes of the data set itself
 * @throws RequestError DATA_MALFORMED
 */
export function pick (head: Buffer, transferSyntaxUid: string, wants: ReadonlySet<number>): Map<number, Picked> {
  const picked = new Map<number, Picked>()
  const form = formOf(transferSyntaxUid)
  const element = newHead()
  for (let at = 0; at < head.length;) {
    if (!readHead(head, at, head.length, form, element)) throw malformed('an element is cut', at)
    const end = endOf(head, element, head.length, form)
    if (wants.has(element.tag)) picked.set(element.tag, { element: head.subarray(at, end), value: head.subarray(element.value, end) })
    at = end
  }
  return picked
}

/** What was picked, in the JSON model. */
export function decodePicked (picked: ReadonlyMap<number, Picked>, transferSyntaxUid: string): DicomJson {
  return decodeDataset(Buffer.concat([...picked.values()].map(({ element }) => element)), transferSyntaxUid)
}
