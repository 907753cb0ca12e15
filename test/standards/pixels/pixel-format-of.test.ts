import { test } from 'tap'
import type { DicomJson } from '#standards/dicom/json.ts'
import { pixelFormatOf } from '#standards/pixels/pixel-format-of.ts'

function head (changes: Record<string, unknown> = {}): DicomJson {
  const values: Record<string, unknown> = {
    '00280002': 1, '00280004': 'MONOCHROME2', '00280010': 512, '00280011': 256, '00280100': 16, '00280101': 12, '00280102': 11, '00280103': 1, ...changes
  }
  return Object.fromEntries(Object.entries(values).map(([tag, value]) =>
    [tag, { vr: typeof value === 'number' ? 'US' : 'CS', ...(value === undefined ? {} : { Value: [value] }) }])) as DicomJson
}

test('the pixel format is what the head says', async t => {
  t.same(pixelFormatOf(head()), {
    rows: 512, columns: 256, samples: 1, bitsAllocated: 16, bitsStored: 12, highBit: 11, signed: true, planar: false, photometric: 'MONOCHROME2'
  })
  t.match(pixelFormatOf(head({ '00280002': 3, '00280004': 'RGB', '00280006': 1, '00280100': 8, '00280101': 8, '00280102': 7, '00280103': 0 })), { samples: 3, planar: true, photometric: 'RGB' })
  t.match(pixelFormatOf(head({ '00280102': 15 })), { bitsStored: 12, highBit: 15 })
  t.equal(pixelFormatOf({ ...head(), '7FE00010': { vr: 'OW', BulkDataURI: 'x' } }).words, true)
  t.equal(pixelFormatOf({ ...head(), '7FE00010': { vr: 'OB' } }).words, false)
})

test('what is left out has its usual meaning', async t => {
  t.same(pixelFormatOf(head({ '00280002': undefined, '00280004': undefined, '00280101': undefined, '00280102': undefined, '00280103': undefined })), {
    rows: 512, columns: 256, samples: 1, bitsAllocated: 16, bitsStored: 16, highBit: 15, signed: false, planar: false, photometric: 'MONOCHROME2'
  })
  t.equal(pixelFormatOf(head({ '00280004': 'monochrome1 ' })).photometric, 'MONOCHROME1')
  t.equal(pixelFormatOf(head({ '00280006': 1 })).planar, false, 'planes of one sample')
})

test('a picture that cannot be is malformed, and the attribute is named', async t => {
  const wrong: readonly (readonly [string, Record<string, unknown>])[] = [
    ['Rows', { '00280010': undefined }],
    ['Rows', { '00280010': 0 }],
    ['Columns', { '00280011': 70000 }],
    ['Columns', { '00280011': 'DUPONT^MARIE' }],
    ['Samples per Pixel', { '00280002': 2 }],
    ['Samples per Pixel', { '00280002': 4 }],
    ['Bits Allocated', { '00280100': undefined }],
    ['Bits Allocated', { '00280100': 12 }],
    ['Bits Allocated', { '00280100': 64 }],
    ['Bits Stored', { '00280101': 17 }],
    ['Bits Stored', { '00280101': 0 }],
    ['High Bit', { '00280102': 16 }],
    ['High Bit', { '00280102': 10 }],
    ['Pixel Representation', { '00280103': 2 }],
    ['Planar Configuration', { '00280002': 3, '00280004': 'RGB', '00280006': 2 }],
    ['Photometric Interpretation', { '00280004': 'RGB' }],
    ['Photometric Interpretation', { '00280002': 3 }],
    ['Photometric Interpretation', { '00280004': 'É' }],
    ['Samples per Pixel', { '00280002': 3, '00280004': 'RGB', '00280100': 1, '00280101': 1, '00280102': 0 }]
  ]
  for (const [attribute, changes] of wrong) {
    t.throws(() => pixelFormatOf(head(changes)), { code: 'DATA_MALFORMED', facts: { attribute } }, `${attribute} ${JSON.stringify(changes)}`)
  }
  t.throws(() => pixelFormatOf(head({ '00280011': 'DUPONT^MARIE' })), { code: 'DATA_MALFORMED', facts: { value: 'not a number' } }, 'no text of the file in the facts')
})
