/**
 * What a data set must say differently of pixels that have been coded anew.
 *
 * Source: DICOM PS3.3 §C.7.6.3 (Image Pixel), §C.7.6.1.1.2 (Image Type), §C.7.6.1.1.5 (lossy image
 * compression), §C.12.4.1.1 (derivation), PS3.5 §8.2.
 * The SOP Instance UID stays (docs/decisions/0020-transcoded-objects-keep-their-uid.md).
 */

import type { PixelFormat } from '#standards/pixels/pixel-format.ts'
import { ITEM, formOf, vrCode } from './elements.ts'
import type { Picked } from './pick.ts'
import { delimiterHead, encodeHead, type Edit, type Edits } from './recode.ts'
import { JPEG_BASELINE, JPEG_EXTENDED, JPEG_LS_LOSSY, transferSyntax } from './transfer-syntax.ts'

const IMAGE_TYPE = 0x00080008
const DERIVATION_DESCRIPTION = 0x00082111
const DERIVATION_CODE_SEQUENCE = 0x00089215
const ICON_IMAGE_SEQUENCE = 0x00880200
const LOSSY_IMAGE_COMPRESSION = 0x00282110
const LOSSY_IMAGE_COMPRESSION_RATIO = 0x00282112
const LOSSY_IMAGE_COMPRESSION_METHOD = 0x00282114

const SAMPLES_PER_PIXEL = 0x00280002
const PHOTOMETRIC_INTERPRETATION = 0x00280004
const PLANAR_CONFIGURATION = 0x00280006
const BITS_ALLOCATED = 0x00280100
const BITS_STORED = 0x00280101
const HIGH_BIT = 0x00280102
const PIXEL_REPRESENTATION = 0x00280103

/** Rows, columns and number of frames besides: all that transcoding has to know of a head. */
export const PIXEL_ATTRIBUTES: ReadonlySet<number> = new Set([
  IMAGE_TYPE, DERIVATION_DESCRIPTION, DERIVATION_CODE_SEQUENCE, SAMPLES_PER_PIXEL, PHOTOMETRIC_INTERPRETATION,
  PLANAR_CONFIGURATION, 0x00280008, 0x00280010, 0x00280011, BITS_ALLOCATED, BITS_STORED, HIGH_BIT, PIXEL_REPRESENTATION,
  LOSSY_IMAGE_COMPRESSION, LOSSY_IMAGE_COMPRESSION_RATIO, LOSSY_IMAGE_COMPRESSION_METHOD, ICON_IMAGE_SEQUENCE
])

/** Defined terms of (0028,2114), PS3.3 §C.7.6.1.1.5.1, of the codes that are written here with loss. */
const METHODS: ReadonlyMap<string, string> = new Map([
  [JPEG_BASELINE, 'ISO_10918_1'], [JPEG_EXTENDED, 'ISO_10918_1'], [JPEG_LS_LOSSY, 'ISO_14495_1']
])

/** Whatever an encoder does: objects in these have lost something. */
const ALWAYS_LOSSY = new Set([JPEG_BASELINE, JPEG_EXTENDED])

/** Is something lost by coding pixels as this, here? The other lossy syntaxes are written without loss. */
export function losesPixels (transferSyntaxUid: string): boolean {
  return METHODS.has(transferSyntaxUid)
}

export interface Recoded {
  readonly from: string
  readonly to: string
  /** Of the coded frames, as the data set must declare it. */
  readonly format: PixelFormat
  /** How many times smaller than its native form a frame has become, about. */
  readonly ratio: number
}

/** @param picked at least {@link PIXEL_ATTRIBUTES}, as far as the data set has them, in little or big endian */
export function pixelEdits (picked: ReadonlyMap<number, Picked>, { from, to, format, ratio }: Recoded): Edits {
  const edits = new Map<number, Edit | undefined>()
  const isBig = transferSyntax(from).bigEndian
  const number = (tag: number, value: number): void => {
    const said = picked.get(tag)?.value
    if (said?.length !== 2 || (isBig ? said.readUInt16BE() : said.readUInt16LE()) !== value) edits.set(tag, { vr: 'US', value: Buffer.of(value & 0xff, value >> 8) })
  }
  number(SAMPLES_PER_PIXEL, format.samples)
  if (textOf(picked, PHOTOMETRIC_INTERPRETATION) !== format.photometric) edits.set(PHOTOMETRIC_INTERPRETATION, text('CS', format.photometric))
  if (format.samples > 1) number(PLANAR_CONFIGURATION, format.planar ? 1 : 0)
  number(BITS_ALLOCATED, format.bitsAllocated)
  number(BITS_STORED, format.bitsStored)
  number(HIGH_BIT, format.highBit)
  number(PIXEL_REPRESENTATION, format.signed ? 1 : 0)
  // A native syntax has no place for an icon in fragments (PS3.5 §A.4), and nobody needs it.
  if (!transferSyntax(to).encapsulated && picked.get(ICON_IMAGE_SEQUENCE)?.element.includes(FRAGMENTS) === true) edits.set(ICON_IMAGE_SEQUENCE, undefined)
  if (losesPixels(to)) tellLoss(edits, picked, to, ratio)
  else if (ALWAYS_LOSSY.has(from) && textOf(picked, LOSSY_IMAGE_COMPRESSION) !== '01') edits.set(LOSSY_IMAGE_COMPRESSION, text('CS', '01'))
  return edits
}

/** (7FE0,0010) OB, of undefined length. */
const FRAGMENTS = Buffer.of(0xe0, 0x7f, 0x10, 0, 0x4f, 0x42, 0, 0, 0xff, 0xff, 0xff, 0xff)

/** PS3.5 §6.2: a ST has 1024 characters, a decimal string 16. */
const DESCRIPTION_CHARS_MAX = 1024

function tellLoss (edits: Map<number, Edit | undefined>, picked: ReadonlyMap<number, Picked>, to: string, ratio: number): void {
  const method = METHODS.get(to) as string
  const ratioText = ratio.toFixed(2)
  const ratios = valuesOf(picked, LOSSY_IMAGE_COMPRESSION_RATIO)
  const methods = valuesOf(picked, LOSSY_IMAGE_COMPRESSION_METHOD)
  // One value for each step, in both: where a former step told one of them only, the other stays empty.
  const steps = Math.max(ratios.length, methods.length)
  const padded = (values: string[], last: string): string => [...values, ...Array.from({ length: steps - values.length }, () => ''), last].join('\\')
  edits.set(LOSSY_IMAGE_COMPRESSION, text('CS', '01'))
  edits.set(LOSSY_IMAGE_COMPRESSION_RATIO, text('DS', padded(ratios, ratioText)))
  edits.set(LOSSY_IMAGE_COMPRESSION_METHOD, text('CS', padded(methods, method)))

  const type = valuesOf(picked, IMAGE_TYPE)
  edits.set(IMAGE_TYPE, text('CS', ['DERIVED', ...type.length > 1 ? type.slice(1) : ['PRIMARY']].join('\\')))
  const before = picked.get(DERIVATION_DESCRIPTION)?.value ?? Buffer.alloc(0)
  // Before what is there: ASCII is ASCII at the start of a value in every character set.
  const description = Buffer.concat([Buffer.from(`${transferSyntax(to).name}, lossy, ratio ${ratioText}${before.length > 0 ? '; before: ' : ''}`, 'latin1'), before])
  if (description.length <= DESCRIPTION_CHARS_MAX) edits.set(DERIVATION_DESCRIPTION, { vr: 'ST', value: even(description) })
  if (!picked.has(DERIVATION_CODE_SEQUENCE)) edits.set(DERIVATION_CODE_SEQUENCE, { vr: 'SQ', value: lossyCode(to) })
}

/** (113040, DCM, "Lossy Compression"), PS3.16 CID 7203. */
function lossyCode (to: string): Buffer {
  const form = formOf(to)
  const code = Buffer.concat(([[0x00080100, 'SH', '113040'], [0x00080102, 'SH', 'DCM'], [0x00080104, 'LO', 'Lossy Compression']] as const).flatMap(([tag, vr, value]) => {
    const bytes = text(vr, value).value
    return [encodeHead(tag, vrCode(vr), bytes.length, form), bytes]
  }))
  return Buffer.concat([delimiterHead(ITEM, code.length), code])
}

function textOf (picked: ReadonlyMap<number, Picked>, tag: number): string | undefined {
  return picked.get(tag)?.value.toString('latin1').replace(/[ \0]+$/, '')
}

function valuesOf (picked: ReadonlyMap<number, Picked>, tag: number): string[] {
  const said = textOf(picked, tag) ?? ''
  return said === '' ? [] : said.split('\\').map(value => value.trim())
}

function text (vr: string, value: string): Edit {
  return { vr, value: even(Buffer.from(value, 'latin1')) }
}

function even (value: Buffer): Buffer {
  return value.length % 2 === 0 ? value : Buffer.concat([value, Buffer.from(' ')])
}
