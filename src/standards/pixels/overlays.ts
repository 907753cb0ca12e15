/**
 * Overlay planes: graphics that an acquisition or a reader drew over an image.
 *
 * Source: DICOM PS3.3 §C.9.2 (overlay plane) and §C.9.3 (multi-frame overlay), PS3.5 §8.1.2.
 * Regions of interest (type R) mark pixels for counting and aren't drawn.
 */

import { firstText } from '../dicom/dataset.ts'
import type { DicomJson } from '../dicom/json.ts'

export interface Overlay {
  /** 6000, 6002 … 601E: even, as text. */
  readonly group: string
  readonly rows: number
  readonly columns: number
  /** Place of its upper left pixel in the image, from 1; may lie outside. */
  readonly row: number
  readonly column: number
  /** One bit for each pixel, the least significant first; those of this frame begin at `bit`. */
  readonly bits: Uint8Array
  readonly bit: number
}

const GROUPS = Array.from({ length: 16 }, (_, place) => (0x6000 + 2 * place).toString(16).toUpperCase())

/** @param frame of the image, from 1 */
export function overlaysOf (head: DicomJson, frame: number): Overlay[] {
  return GROUPS.flatMap(group => {
    const whole = (element: string): number => Number(firstText(head, group + element) ?? NaN)
    const data = head[`${group}3000`]
    const [rows, columns] = [whole('0010'), whole('0011')]
    if (data === undefined || !(rows > 0) || !(columns > 0) || firstText(head, `${group}0040`) === 'R') return []
    const bits = data.InlineBinary !== undefined ? Buffer.from(data.InlineBinary, 'base64') : Buffer.from((data.Value ?? []).map(Number))
    const frames = whole('0015') || 1
    const place = frames === 1 && Number.isNaN(whole('0051')) ? 0 : frame - (whole('0051') || 1)
    const bit = place * rows * columns
    if (place < 0 || place >= frames || bits.length * 8 < bit + rows * columns) return []
    const [row = 1, column = 1] = (head[`${group}0050`]?.Value ?? []).map(Number)
    return [{ group, rows, columns, row, column, bits: Uint8Array.from(bits), bit }]
  })
}
