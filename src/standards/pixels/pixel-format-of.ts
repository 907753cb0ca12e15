/**
 * The pixel format that a data set declares, from its head to a type.
 *
 * Source: DICOM PS3.3 §C.7.6.3 (Image Pixel), PS3.5 §8.1.1.
 */

import { RequestError } from '#core/errors.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import type { PixelFormat } from './pixel-format.ts'

const ROWS_MAX = 65_535
const BITS_ALLOCATED = [1, 8, 16, 32]
/** A Code String has no small letters, but files do. */
const PHOTOMETRIC = /^[A-Z0-9_ ]{1,16}$/

/**
 * @param head of one object; the pixel data need not be in it
 * @throws RequestError DATA_MALFORMED naming the attribute, where rows, columns or bits are absent or
 *   impossible. What says nothing and has one usual meaning is completed: Bits Stored, High Bit, Pixel
 *   Representation, Planar Configuration, Photometric Interpretation
 */
export function pixelFormatOf (head: DicomJson): PixelFormat {
  const rows = whole(head, '00280010', 1, ROWS_MAX)
  const columns = whole(head, '00280011', 1, ROWS_MAX)
  const samples = whole(head, '00280002', 1, 3, 1)
  if (samples === 2) throw malformed('Samples per Pixel', 2)
  const bitsAllocated = whole(head, '00280100', 1, 32)
  if (!BITS_ALLOCATED.includes(bitsAllocated)) throw malformed('Bits Allocated', bitsAllocated)
  const bitsStored = whole(head, '00280101', 1, bitsAllocated, bitsAllocated)
  const highBit = whole(head, '00280102', bitsStored - 1, bitsAllocated - 1, bitsStored - 1)
  const signed = whole(head, '00280103', 0, 1, 0) === 1
  const planar = samples > 1 && whole(head, '00280006', 0, 1, 0) === 1
  const photometric = (firstText(head, '00280004') ?? (samples === 1 ? 'MONOCHROME2' : 'RGB')).trim().toUpperCase()
  if (!PHOTOMETRIC.test(photometric)) throw malformed('Photometric Interpretation', 'not a code')
  if (bitsAllocated === 1 && samples > 1) throw malformed('Samples per Pixel', samples)
  if ((samples === 3) !== isColour(photometric) && isKnown(photometric)) throw malformed('Photometric Interpretation', photometric)
  const format = { rows, columns, samples, bitsAllocated, bitsStored, highBit, signed, planar, photometric }
  const vr = head['7FE00010']?.vr
  return vr === undefined ? format : { ...format, words: vr === 'OW' }
}

const GREY = new Set(['MONOCHROME1', 'MONOCHROME2', 'PALETTE COLOR'])

function isColour (photometric: string): boolean {
  return photometric === 'RGB' || photometric === 'HSV' || photometric.startsWith('YBR_')
}

function isKnown (photometric: string): boolean {
  return GREY.has(photometric) || isColour(photometric)
}

const NAMES: Readonly<Record<string, string>> = {
  '00280002': 'Samples per Pixel',
  '00280006': 'Planar Configuration',
  '00280010': 'Rows',
  '00280011': 'Columns',
  '00280100': 'Bits Allocated',
  '00280101': 'Bits Stored',
  '00280102': 'High Bit',
  '00280103': 'Pixel Representation'
}

function whole (head: DicomJson, tag: string, least: number, most: number, absent?: number): number {
  const text = firstText(head, tag)?.trim()
  if (text === undefined || text === '') {
    if (absent !== undefined) return absent
    throw malformed(NAMES[tag]!, 'absent')
  }
  const value = /^\d{1,10}$/.test(text) ? Number(text) : NaN
  if (!(value >= least && value <= most)) throw malformed(NAMES[tag]!, Number.isNaN(value) ? 'not a number' : value)
  return value
}

function malformed (attribute: string, value: string | number): RequestError {
  return new RequestError('DATA_MALFORMED', 'a picture cannot be like that', { facts: { attribute, value } })
}
