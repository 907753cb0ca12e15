/**
 * How one frame wants to be shown: what its object says of rescaling, windows, tables, palettes and
 * the shape of its pixels, the functional groups of enhanced objects included.
 *
 * Source: DICOM PS3.4 §N.2 (pixel transformation sequence); PS3.3 §C.7.6.3 and .9 (pixels, palettes),
 * §C.7.6.16.2 (functional groups), §C.11.1, §C.11.2 and §C.11.6 (modality, VOI and presentation LUT),
 * §C.8.7.1.1.2 (pixel intensity relationship), §10.7 (pixel spacing), §C.7.5.1.1.2 (padding).
 * Plain data, so that it can be handed to a worker.
 */

import { firstText } from '../dicom/dataset.ts'
import type { Tag } from '../dicom/dictionary.ts'
import type { DicomJson } from '../dicom/json.ts'
import { ITEM_TABLE, readTable, type LookupTable } from './lookup-table.ts'
import { overlaysOf, type Overlay } from './overlays.ts'
import { isWindow, type Window, type WindowFunction } from './voi.ts'

export interface Rescale { readonly slope: number, readonly intercept: number }

export interface Palette { readonly red: LookupTable, readonly green: LookupTable, readonly blue: LookupTable }

export interface Presentation {
  /** Stored value to the unit that windows are given in. */
  readonly modality: Rescale | LookupTable
  readonly voi?: Window | LookupTable
  /** The largest value is black. */
  readonly inverse: boolean
  /** Stored values that fill up what no detector has seen, both ends included. */
  readonly padding?: readonly [low: number, high: number]
  readonly palette?: Palette
  /** The palette colours only values from its first on; those below are grey (PS3.3 §C.7.6.19). */
  readonly supplemental: boolean
  /** Height of a pixel divided by its width. */
  readonly aspect: number
  readonly overlays: readonly Overlay[]
  /** ICC profile of a colour image, as it is stored. */
  readonly icc?: Uint8Array
}

const PALETTE = (['1', '2', '3'] as const).map(colour => ({ descriptor: `0028110${colour}`, data: `0028120${colour}`, segmented: `0028122${colour}` }))

const SHARED_GROUPS = '52009229'
const FRAME_GROUPS = '52009230'
/** Pixel Measures, Frame VOI LUT, Pixel Value Transformation. */
const GROUPS_READ: readonly Tag[] = ['00289110', '00289132', '00289145']

/** Their Modality LUT leads back to X-ray intensity and isn't meant for showing (PS3.3 §C.8.7.1.1.2). */
const XRAY = new Set(['1.2.840.10008.5.1.4.1.1.12.1', '1.2.840.10008.5.1.4.1.1.12.2', '1.2.840.10008.5.1.4.1.1.12.3', '1.2.840.10008.5.1.4.1.1.12.1.1', '1.2.840.10008.5.1.4.1.1.12.2.1'])

/**
 * @param frame from 1
 * @throws RequestError DATA_MALFORMED
 */
export function presentationOf (head: DicomJson, frame: number): Presentation {
  const own = attributesOf(head, frame)
  const signed = number(own, '00280103') === 1
  const photometric = firstText(own, '00280004') ?? ''
  const modality = modalityOf(own, signed)
  const shape = firstText(own, '20500020')
  const padding = paddingOf(own, signed)
  const voi = voiOf(own, signed || !('slope' in modality) || modality.intercept < 0)
  const palette = paletteOf(own, signed)
  const icc = own['00282000']?.InlineBinary
  return {
    modality,
    ...voi !== undefined && { voi },
    // A presentation shape, where there is one, is told of the image as it stands (PS3.3 §C.8.11.3.1.2).
    inverse: shape === undefined ? photometric === 'MONOCHROME1' : shape === 'INVERSE',
    ...padding !== undefined && { padding },
    ...palette !== undefined && { palette },
    supplemental: palette !== undefined && photometric !== 'PALETTE COLOR',
    aspect: aspectOf(own),
    overlays: overlaysOf(own, frame),
    ...icc !== undefined && { icc: Uint8Array.from(Buffer.from(icc, 'base64')) }
  }
}

/** The attributes of an object, with those of one frame laid over them. */
function attributesOf (head: DicomJson, frame: number): DicomJson {
  const shared = item(head, SHARED_GROUPS, 0)
  const own = item(head, FRAME_GROUPS, frame - 1)
  if (shared === undefined && own === undefined) return head
  const all: DicomJson = { ...head }
  for (const groups of [shared, own]) {
    for (const tag of GROUPS_READ) Object.assign(all, groups && item(groups, tag, 0))
  }
  return all
}

function modalityOf (own: DicomJson, signed: boolean): Rescale | LookupTable {
  const relationship = firstText(own, '00281040')
  const identity = { slope: 1, intercept: 0 }
  if (XRAY.has(firstText(own, '00080016') ?? '') && (relationship === 'LOG' || relationship === 'DISP')) return identity
  const table = item(own, '00283000', 0)
  const found = table && readTable(table, ITEM_TABLE, signed)
  if (found !== undefined) return found
  const slope = number(own, '00281053')
  const intercept = number(own, '00281052')
  // A slope of zero would make every image black.
  return slope === undefined || slope === 0 ? { slope: 1, intercept: intercept ?? 0 } : { slope, intercept: intercept ?? 0 }
}

/** The first window; a table where there is none. */
function voiOf (own: DicomJson, signed: boolean): Window | LookupTable | undefined {
  const center = number(own, '00281050')
  const width = number(own, '00281051')
  const named = firstText(own, '00281056')
  const shape: WindowFunction = named === 'SIGMOID' || named === 'LINEAR_EXACT' ? named : 'LINEAR'
  if (center !== undefined && width !== undefined) {
    const window = { center, width, function: shape }
    if (isWindow(window)) return window
  }
  const table = item(own, '00283010', 0)
  return table && readTable(table, ITEM_TABLE, signed)
}

function paletteOf (own: DicomJson, signed: boolean): Palette | undefined {
  const photometric = firstText(own, '00280004')
  const presentation = firstText(own, '00089205')
  // Others carry a palette for other purposes.
  if (photometric !== 'PALETTE COLOR' && !(photometric === 'MONOCHROME2' && (presentation === 'COLOR' || presentation === 'MIXED'))) return undefined
  const [red, green, blue] = PALETTE.map(tags => readTable(own, tags, signed))
  return red && green && blue && { red, green, blue }
}

function paddingOf (own: DicomJson, signed: boolean): [number, number] | undefined {
  const value = number(own, '00280120')
  if (value === undefined) return undefined
  const other = number(own, '00280121') ?? value
  const read = (one: number): number => signed && one > 0x7fff ? one - 0x10000 : one
  return [Math.min(read(value), read(other)), Math.max(read(value), read(other))]
}

/** Pixel Aspect Ratio, else one of the spacings: all say vertical first. */
function aspectOf (own: DicomJson): number {
  for (const tag of ['00280034', '00280030', '00181164', '00182010', '30020011']) {
    const [vertical, horizontal] = (own[tag]?.Value ?? []).map(Number)
    const aspect = vertical / horizontal
    // Beyond this it is a mistake, not a pixel.
    if (aspect >= 1 / ASPECT_MAX && aspect <= ASPECT_MAX) return aspect
  }
  return 1
}

/** The thickest slices seen in a reformatted plane are some 30 times as high as wide. */
const ASPECT_MAX = 50

function item (json: DicomJson, tag: Tag, place: number): DicomJson | undefined {
  return json[tag]?.vr === 'SQ' ? json[tag].Value?.[place] as DicomJson | undefined : undefined
}

function number (json: DicomJson, tag: Tag): number | undefined {
  const text = firstText(json, tag)
  const value = text === undefined || text === '' ? NaN : Number(text)
  return Number.isFinite(value) ? value : undefined
}
