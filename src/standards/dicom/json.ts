/**
 * The DICOM JSON model: the form in which data sets are held in memory and given away.
 *
 * Source: DICOM PS3.18 Annex F.
 */

import type { Tag, Vr } from './dictionary.ts'

/** One attribute. At most one of the three is present; none means: present, without a value. */
export interface JsonElement {
  vr: Vr
  /**
   * Text, numbers, {@link PersonName} or {@link DicomJson}, and null for an empty one among others.
   * Numbers of IS, DS, SV and UV are text where a JSON number couldn't hold them exactly; FL and FD
   * are 'NaN', 'inf' or '-inf' where JSON has no such number.
   */
  Value?: unknown[]
  /** Base64 of the value in little endian. */
  InlineBinary?: string
  BulkDataURI?: string
}

/** A data set, or one item of a sequence. */
export type DicomJson = Record<Tag, JsonElement>

/** Only the component groups that aren't empty (PS3.5 §6.2.1). */
export interface PersonName {
  Alphabetic?: string
  Ideographic?: string
  Phonetic?: string
}

/**
 * As `JSON.stringify`, with attributes in ascending order as PS3.18 §F.2.2 demands. JavaScript moves
 * keys such as '30060020' before '00080005', since they look like array indices to it.
 */
export function jsonText (json: DicomJson): string {
  const attributes = Object.keys(json).sort().map(tag => `"${tag}":${elementText(json[tag]!)}`)
  return `{${attributes.join(',')}}`
}

function elementText (element: JsonElement): string {
  if (element.vr !== 'SQ' || element.Value === undefined) return JSON.stringify(element)
  return `{"vr":"SQ","Value":[${element.Value.map(item => jsonText(item as DicomJson)).join(',')}]}`
}
