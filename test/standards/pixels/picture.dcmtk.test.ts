import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'tap'
import { canDecode } from '#standards/pixels/pixel-syntaxes.ts'
import { JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS, RLE_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'
import type { Attributes } from '#sim/dataset-writer.ts'
import { skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { dcmtkPicture, difference, imageFile, pictureOfFile, sourceOf } from '#test/fixtures/picture-files.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

const folder = mkdtempSync(join(tmpdir(), 'drimbox-pictures-'))
process.once('exit', () => { rmSync(folder, { recursive: true, force: true }) })
const png = join(folder, 'dcmtk.png')

/** What this program of DCMTK reads by itself; GDCM unpacks the rest for it. */
const READ_BY_DCMTK = /^1\.2\.840\.10008\.1\.2(\.1|\.2|\.1\.99)?$/
const COMPRESSED_READ = new Set<string>([JPEG_BASELINE, JPEG_EXTENDED, JPEG_LOSSLESS, RLE_LOSSLESS])

/** Samples of which the two make different pictures, or none, and why. */
const DIFFERENT: Readonly<Record<string, string>> = {
  'liver_1frame.dcm': 'DCMTK shows a set bit of a segmentation in half of the brightness',
  'liver_expb_1frame.dcm': 'the same'
}

test('every sample looks as DCMTK draws it, to one step of grey', { skip: skipWithoutShared || skipWithoutDcmtk }, async t => {
  let compared = 0
  // Those of the character sets hold one and the same picture.
  for (const name of readdirSync(sample('dicom')).filter(name => name.endsWith('.dcm') && (!name.startsWith('chr') || name === 'chrFren.dcm'))) {
    const path = sample(`dicom/${name}`)
    const file = readFileSync(path)
    const source = await sourceOf(file).catch(() => undefined)
    if (source === undefined || source.frames === 0 || !canDecode(source.stored.transferSyntaxUid) || name in DIFFERENT) continue
    for (const frame of new Set([1, source.frames])) {
      const ours = await pictureOfFile(file, frame).catch(() => undefined)
      if (ours === undefined) continue
      const { voi } = source.presentation(frame)
      const args = voi !== undefined ? ['entries' in voi ? '+Wl' : '+Wi', '1'] : source.format().bitsStored > 8 && ours.channels === 1 ? ['+Wm'] : []
      const theirs = dcmtkPicture(readable(path, source.stored.transferSyntaxUid), frame, args, png)
      if (theirs === undefined) continue
      t.same([ours.width, ours.height], [theirs.width, theirs.height], name)
      t.match(difference(ours, theirs), { beyondOne: 0 }, `${name} ${frame}`)
      compared++
    }
  }
  t.ok(compared >= 50, `${compared} pictures compared`)
})

const GDCM_CONVERTER = 'gdcmconv'

/** The file itself, or one that GDCM has unpacked. */
function readable (path: string, transferSyntaxUid: string): string {
  if (READ_BY_DCMTK.test(transferSyntaxUid) || COMPRESSED_READ.has(transferSyntaxUid)) return path
  const raw = join(folder, 'raw.dcm')
  rmSync(raw, { force: true })
  spawnSync(GDCM_CONVERTER, ['--raw', path, raw])
  return raw
}

const ROWS = 32
const COLUMNS = 64
const SIZE = ROWS * COLUMNS
const wide = Uint16Array.from({ length: SIZE }, (_, at) => at * 2)
const signed = Int16Array.from({ length: SIZE }, (_, at) => at * 2 - SIZE)
const bytes = Uint8Array.from({ length: SIZE }, (_, at) => at & 255)
const words = (values: readonly number[]): Buffer => Buffer.from(Uint16Array.from(values).buffer)
const curve = Array.from({ length: 256 }, (_, at) => Math.round(65535 * (at / 255) ** 2))
const voiLut = (first: number, vr: 'US' | 'SS' = 'US'): Attributes => ({
  LUTDescriptor: { vr, bytes: words([256, first & 0xffff, 16]) }, LUTData: { vr: 'OW', bytes: words(curve) }
})
const palette = (bits: 8 | 16): Attributes => Object.fromEntries(['Red', 'Green', 'Blue'].flatMap((colour, place) => [
  [`${colour}PaletteColorLookupTableDescriptor`, { vr: 'US', bytes: words([256, 0, bits]) }],
  [`${colour}PaletteColorLookupTableData`, { vr: 'OW', bytes: bits === 16 ? words(curve.map(entry => entry >> place)) : Buffer.from(curve.map(entry => entry >> (8 + place))) }]
]))
const size = { Rows: ROWS, Columns: COLUMNS }
const CASES: readonly (readonly [what: string, file: Buffer, args: readonly string[], most?: number])[] = [
  ['a window of the object', imageFile({ ...size, WindowCenter: '1500', WindowWidth: '700' }, wide), ['+Wi', '1']],
  ['the first of several windows', imageFile({ ...size, WindowCenter: '1500\\10', WindowWidth: '700\\5' }, wide), ['+Wi', '1']],
  ['signed values', imageFile({ ...size, WindowCenter: '-40', WindowWidth: '400' }, signed), ['+Wi', '1']],
  ['rescaled values', imageFile({ ...size, RescaleSlope: '0.5', RescaleIntercept: '-1024', WindowCenter: '40', WindowWidth: '400' }, wide), ['+Wi', '1']],
  ['twelve bits of sixteen', imageFile({ ...size, BitsStored: 12, WindowCenter: '2048', WindowWidth: '4096' }, wide), ['+Wi', '1']],
  ['a sigmoid', imageFile({ ...size, WindowCenter: '2000', WindowWidth: '900', VOILUTFunction: 'SIGMOID' }, wide), ['+Wi', '1', '+Wfs']],
  ['no window, all that is there', imageFile(size, wide), ['+Wm']],
  ['no window, eight bits as they are', imageFile(size, bytes), []],
  ['the inverse', imageFile({ ...size, PhotometricInterpretation: 'MONOCHROME1', WindowCenter: '1500', WindowWidth: '700' }, wide), ['+Wi', '1']],
  ['a VOI table', imageFile({ ...size, VOILUTSequence: [voiLut(600)] }, wide), ['+Wl', '1']],
  ['a VOI table of signed values', imageFile({ ...size, VOILUTSequence: [voiLut(-100, 'SS')] }, signed), ['+Wl', '1']],
  ['a modality table', imageFile({ ...size, ModalityLUTSequence: [{ ...voiLut(0), ModalityLUTType: 'US' }], WindowCenter: '30000', WindowWidth: '60000' }, bytes), ['+Wi', '1']],
  ['a palette of 16 bits', imageFile({ ...size, PhotometricInterpretation: 'PALETTE COLOR', ...palette(16) }, bytes), []],
  ['a palette of 8 bits', imageFile({ ...size, PhotometricInterpretation: 'PALETTE COLOR', ...palette(8) }, bytes), []]
]

test('what an object says of its grey and colours is drawn as DCMTK draws it', { skip: skipWithoutDcmtk }, async t => {
  const path = join(folder, 'made.dcm')
  for (const [what, file, args] of CASES) {
    writeFileSync(path, file)
    const ours = await pictureOfFile(file)
    const theirs = dcmtkPicture(path, 1, args, png)
    if (theirs === undefined) {
      t.fail(`DCMTK draws nothing: ${what}`)
      continue
    }
    t.match(difference(ours, theirs), { beyondOne: 0 }, what)
  }
})

test('a window that a caller asks for is drawn as DCMTK draws it', { skip: skipWithoutDcmtk }, async t => {
  const path = join(folder, 'asked.dcm')
  const file = imageFile({ ...size, RescaleSlope: '2', RescaleIntercept: '-500' }, wide)
  writeFileSync(path, file)
  for (const [center, width] of [[1000, 400], [-200.5, 33.3], [5000, 10000], [1200, 1], [0, 2]] as const) {
    for (const [shape, option] of [['LINEAR', '+Wfl'], ['SIGMOID', '+Wfs']] as const) {
      const ours = await pictureOfFile(file, 1, { window: { center, width, function: shape } })
      const theirs = dcmtkPicture(path, 1, ['+Ww', String(center), String(width), option], png)
      t.match(theirs && difference(ours, theirs), { beyondOne: 0 }, `${center} ${width} ${shape}`)
    }
  }
})
