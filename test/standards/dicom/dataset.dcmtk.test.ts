/**
 * Our DICOM JSON beside DCMTK's, attribute by attribute, over every sample of ../shared/samples/dicom.
 * What differs is listed here with its reason; anything else that differs is a failure.
 *
 * DCMTK is given each object without its pixel data, which it refuses to write in JSON when they are
 * compressed.
 */

import { test } from 'tap'
import { readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { firstText, decodeDataset } from '#standards/dicom/dataset.ts'
import { HeadReader } from '#standards/dicom/head.ts'
import type { DicomJson, JsonElement, PersonName } from '#standards/dicom/json.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { dcmtk, skipWithoutDcmtk } from '#test/fixtures/dcmtk.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

/** Same by nature; only the writing of it differs. Each rule says when two values mean the same. */
const DIFFERENCES: Readonly<Record<string, (ours: JsonElement, theirs: JsonElement) => boolean>> = {
  'DCMTK rounds FL to 9 digits and the last bit of FD, we give the number exactly': (ours, theirs) =>
    (ours.vr === 'FL' || ours.vr === 'FD') && ours.vr === theirs.vr && ours.Value?.length === theirs.Value?.length &&
    ours.Value!.every((value, index) => ours.vr === 'FL'
      ? Math.fround(value as number) === Math.fround(theirs.Value![index] as number)
      : Math.abs(value as number - (theirs.Value![index] as number)) <= Math.abs(value as number) * Number.EPSILON),
  'DCMTK drops empty components at the end of a name (OB^^^^), we keep what was written': (ours, theirs) =>
    ours.vr === 'PN' && (ours.Value?.[0] as PersonName | undefined)?.Alphabetic?.replace(/\^+$/, '') ===
      ((theirs.Value?.[0] as PersonName | undefined)?.Alphabetic ?? ''),
  'what an archive stored as UN stays UN for DCMTK, we read it as what it is (PS3.5 §6.2.2)': (ours, theirs) =>
    theirs.vr === 'UN' && ours.vr !== 'UN' && (theirs.InlineBinary === undefined) === (ours.Value === undefined),
  'DCMTK pads a value of odd length, we keep what was written': (ours, theirs) =>
    ours.vr === 'UN' && Buffer.from(theirs.InlineBinary ?? '', 'base64').equals(
      Buffer.concat([Buffer.from(ours.InlineBinary ?? '', 'base64'), Buffer.alloc(1)])),
  'DCMTK writes ISO_IR 192 where (0008,0005) is present and empty, we leave it empty': (ours, theirs) =>
    ours.vr === 'CS' && ours.Value === undefined && theirs.Value?.[0] === 'ISO_IR 192'
}

/** Files of which DCMTK makes nothing, and what we make of them. */
const WITHOUT_DCMTK: Readonly<Record<string, { why: string, ours: 'refused' | Readonly<Record<string, string>> }>> = {
  'SC_rgb_jpeg.dcm': { why: 'implicit form under the name of an explicit one', ours: { '00080008': 'DERIVED', '00282114': 'ISO_10918_1' } },
  'no_meta.dcm': { why: 'a stray blank precedes the first element', ours: 'refused' },
  'rtplan_truncated.dcm': { why: 'cut in the middle of a sequence', ours: 'refused' },
  'chrH31.dcm': { why: 'its iconv lacks ISO 2022 IR 87', ours: { '00100010': 'Yamada^Tarou=山田^太郎=やまだ^たろう' } },
  'chrH32.dcm': { why: 'its iconv lacks ISO 2022 IR 87', ours: { '00100010': 'ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう' } },
  'chrJapMulti.dcm': { why: 'its iconv lacks ISO 2022 IR 87', ours: { '00100010': 'やまだ^たろう==' } },
  'chrJapMultiExplicitIR6.dcm': { why: 'its iconv lacks ISO 2022 IR 87', ours: { '00100010': 'やまだ^たろう==' } },
  'chrSQEncoding.dcm': { why: 'it ignores the character set of an item', ours: {} },
  'chrSQEncoding1.dcm': { why: 'its iconv lacks ISO 2022 IR 87', ours: {} },
  'J2K_pixelrep_mismatch.dcm': { why: 'its iconv lacks ISO 2022 IR 87', ours: { '00080005': 'ISO_IR 192' } }
}

interface Sample { readonly json: DicomJson, readonly head: Buffer }

function read (name: string): Sample {
  const file = readFileSync(sample(`dicom/${name}`))
  const meta = readPart10Head(file)
  const dataset = file.subarray(meta.datasetOffset)
  const reader = new HeadReader(meta.transferSyntaxUid)
  reader.push(dataset)
  const head = dataset.subarray(0, reader.pixelOffset)
  return {
    json: decodeDataset(head, meta.transferSyntaxUid, { stopAtPixelData: true }),
    head: Buffer.concat([file.subarray(0, meta.datasetOffset), head])
  }
}

function compare (ours: DicomJson, theirs: DicomJson, path: string, seen: Set<string>): string[] {
  return [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].flatMap(tag => {
    const [a, b] = [ours[tag], theirs[tag]]
    const where = `${path}${tag}`
    if (a === undefined || b === undefined) return [`${where}: ours ${JSON.stringify(a)}, theirs ${JSON.stringify(b)}`]
    if (a.vr === 'SQ' && b.vr === 'SQ' && a.Value?.length === b.Value?.length) {
      return (a.Value ?? []).flatMap((item, index) =>
        compare(item as DicomJson, b.Value![index] as DicomJson, `${where}/${index}/`, seen))
    }
    if (JSON.stringify(a) === JSON.stringify(b)) return []
    const known = Object.entries(DIFFERENCES).find(([, isSame]) => isSame(a, b))
    if (known === undefined) return [`${where}: ours ${JSON.stringify(a)}, theirs ${JSON.stringify(b)}`]
    seen.add(known[0])
    return []
  })
}

test('our metadata of real objects are those of DCMTK, save for differences that have a name', {
  skip: skipWithoutShared || skipWithoutDcmtk
}, async t => {
  const names = readdirSync(sample('dicom')).filter(name => name.endsWith('.dcm'))
  const path = `${t.testdir({})}/head.dcm`
  const seen = new Set<string>()
  for (const name of names.filter(name => WITHOUT_DCMTK[name] === undefined)) {
    const { json, head } = read(name)
    writeFileSync(path, head)
    const text = dcmtk('dcm2json', path)
    t.ok(text !== '', `${name} is read by DCMTK`)
    if (text === '') continue
    // Those of the deflated sample cannot be cut off.
    const { '7FE00010': pixels, ...theirs } = JSON.parse(text)
    t.strictSame(compare(json, theirs, '', seen), [], name)
  }
  t.strictSame([...seen].sort(), Object.keys(DIFFERENCES).sort(), 'each named difference still exists')
})

test('what DCMTK cannot read is read or refused as we mean it', { skip: skipWithoutShared }, async t => {
  for (const [name, { ours }] of Object.entries(WITHOUT_DCMTK)) {
    if (ours === 'refused') {
      t.throws(() => read(name), { code: 'DATA_MALFORMED' }, name)
      continue
    }
    const { json } = read(name)
    for (const [tag, expected] of Object.entries(ours)) {
      const value = json[tag]!.Value![0]
      const { Alphabetic = '', Ideographic = '', Phonetic = '' } = value as PersonName
      t.equal(typeof value === 'string' ? value : [Alphabetic, Ideographic, Phonetic].join('='), expected, name)
    }
  }
  for (const name of ['chrSQEncoding.dcm', 'chrSQEncoding1.dcm']) {
    const [item] = read(name).json['00321064']!.Value as DicomJson[]
    t.equal(firstText(item!, '00100010'), 'ﾔﾏﾀﾞ^ﾀﾛｳ', name)
  }
})
