/**
 * Real files of many makers through a PACS that no one here wrote: store → Orthanc → our C-MOVE →
 * pack → WADO-RS, compared with what Orthanc itself gives, byte by byte and tag by tag.
 *
 * Nothing is passed over in silence: a sample that Orthanc doesn't take, and a difference that isn't
 * ours, has its line in a table here.
 */

import { readdir } from 'node:fs/promises'
import { test } from 'tap'
import type { DicomJson, JsonElement } from '#standards/dicom/json.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { boxAddress, startBox } from '#test/fixtures/box.ts'
import { forgetAll, instancesIn, setDestination, skipWithoutDicomWebPlugin, startOrthanc, type Orthanc } from '#test/fixtures/orthanc.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { objectOf, partsOf, readJson, readObjects, type ReadObject } from '#test/fixtures/retrieved.ts'
import { inRounds } from '#test/fixtures/sample-rounds.ts'
import { send } from '#test/fixtures/send.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'

const skip = skipWithoutShared || skipWithout('Orthanc') || skipWithoutDicomWebPlugin

/** Samples that don't get into the PACS, and why. What a DCMTK of another year answers may vary in words. */
const REFUSED: Readonly<Record<string, { readonly why: string, readonly answers: readonly string[] }>> = {
  'no_meta.dcm': { why: 'neither a file nor a data set: a stray byte stands before its first element', answers: ['DATA_MALFORMED'] },
  'empty_charset_LEI.dcm': { why: 'no SOP class, no UIDs', answers: ['NO_SOP_CLASS'] },
  'meta_missing_tsyntax.dcm': { why: 'no SOP class, no UIDs', answers: ['NO_SOP_CLASS'] },
  'nested_priv_SQ.dcm': { why: 'no SOP class, no UIDs', answers: ['NO_SOP_CLASS'] },
  'UN_sequence.dcm': { why: 'no SOP instance UID in the data set', answers: ['C000'] },
  'chrSQEncoding.dcm': { why: 'no UIDs in the data set', answers: ['C000'] },
  'chrSQEncoding1.dcm': { why: 'no UIDs in the data set', answers: ['C000'] },
  'no_meta_group_length.dcm': { why: 'no UIDs in the data set', answers: ['C000'] },
  'priv_SQ.dcm': { why: 'no UIDs in the data set', answers: ['C000'] },
  'rtdose_rle.dcm': { why: 'its UIDs have the VR UN', answers: ['C000'] },
  'rtdose_rle_1frame.dcm': { why: 'its UIDs have the VR UN', answers: ['C000'] },
  'JPEGLSNearLossless_08.dcm': { why: 'no study or series UID', answers: ['A700', 'C000'] },
  'JPEGLSNearLossless_16.dcm': { why: 'no study or series UID', answers: ['A700', 'C000'] },
  'SC_rgb_jls_lossy_line.dcm': { why: 'no study or series UID', answers: ['A700', 'C000'] },
  'SC_rgb_jls_lossy_sample.dcm': { why: 'no study or series UID', answers: ['A700', 'C000'] },
  'SC_rgb_jpeg.dcm': { why: 'its first element has two spaces for a VR, and DCMTK loses its way', answers: ['PACS_TIMEOUT', 'PACS_ABORTED', 'C000'] },
  'MR_truncated.dcm': { why: 'ends in the middle of its pixel data', answers: ['PACS_TIMEOUT', 'PACS_ABORTED', 'C000'] },
  'rtplan_truncated.dcm': { why: 'ends in the middle of an element', answers: ['PACS_TIMEOUT', 'PACS_ABORTED', 'C000'] }
}

test('files of many makers leave the box as the PACS holds them, byte for byte and tag by tag', { skip }, async t => {
  const address = await boxAddress()
  const orthanc = await startOrthanc(t, [address])
  const { rounds, unreadable } = await inRounds((await readdir(sample('dicom'))).sort())
  const refused = new Map(unreadable)
  let compared = 0
  for (const round of rounds) {
    // Closed after each round, since Orthanc has four threads for all associations, and ours are kept open a while.
    await t.test(`${round.length} that are different instances`, async t => {
      await forgetAll(orthanc)
      const box = await startBox(t, orthanc, { dimsePort: 0 })
      await setDestination(orthanc, address.aeTitle, box.dimsePort)
      for (const one of round) {
        const answer = one.object.sopClassUid === '' ? 'NO_SOP_CLASS' : await send(one.object, orthanc)
        if (answer !== '0000') refused.set(one.name, answer)
      }
      const held = round.filter(({ name }) => !refused.has(name))
      const ids = await instancesIn(orthanc)
      t.same([...ids.keys()].sort(), uids(held.map(({ object }) => object)))
      for (const { name, object } of held) {
        const url = `/studies/${object.studyUid}/series/${object.seriesUid}/instances/${object.sopInstanceUid}`
        const [ours] = await readObjects(`${box.dicomweb}${url}`)
        const theirs = await fileOf(orthanc, ids.get(object.sopInstanceUid) as string)
        t.equal(ours.transferSyntaxUid, theirs.transferSyntaxUid, `transfer syntax of ${name}`)
        t.equal(byteDifference(ours, theirs), undefined, `bytes of ${name}`)
        const [[our], [their]] = [await readJson(`${box.dicomweb}${url}/metadata`), await readJson(`${orthanc.dicomweb}${url}/metadata`)]
        const encapsulated = transferSyntax(ours.transferSyntaxUid).encapsulated
        t.same(await Array.fromAsync(differences({ name, path: '', encapsulated }, our, their)), [], `metadata of ${name}`)
        compared++
      }
      for (const [studyUid, ofStudy] of Map.groupBy(held, ({ object }) => object.studyUid)) {
        const read = await readObjects(`${box.dicomweb}/studies/${studyUid}`)
        t.same(uids(read), uids(ofStudy.map(({ object }) => object)), 'and a study as a whole')
      }
    })
  }
  for (const [name, answer] of refused) {
    t.ok(REFUSED[name]?.answers.includes(answer), `${name}: ${REFUSED[name]?.why ?? 'refused without a known reason'} (${answer})`)
  }
  t.same([...refused.keys()].sort(), Object.keys(REFUSED).sort(), 'nothing else was refused')
  t.equal(compared + refused.size, (await readdir(sample('dicom'))).length, 'and every sample is accounted for')
})

function uids (objects: readonly { readonly sopInstanceUid: string }[]): string[] {
  return objects.map(({ sopInstanceUid }) => sopInstanceUid).sort()
}

/** The file as Orthanc keeps it. */
async function fileOf (orthanc: Orthanc, id: string): Promise<ReadObject> {
  return objectOf(Buffer.from(await (await fetch(`${orthanc.http}/instances/${id}/file`)).arrayBuffer()))
}

const TRAILING_PADDING = { little: 'fcfffcff', big: 'fffcfffc' }

/** What isn't the same, unless it is one of two things that Orthanc does itself. */
function byteDifference (ours: ReadObject, theirs: ReadObject): string | undefined {
  if (ours.dataset.equals(theirs.dataset)) return undefined
  const common = ours.dataset.length
  const rest = theirs.dataset.subarray(common)
  if (!theirs.dataset.subarray(0, common).equals(ours.dataset)) return 'other bytes'
  const { bigEndian, deflated } = transferSyntax(ours.transferSyntaxUid)
  // DCMTK, hence Orthanc, leaves Data Set Trailing Padding (FFFC,FFFC) out as it sends.
  if (rest.toString('hex', 0, 4) === TRAILING_PADDING[bigEndian ? 'big' : 'little']) return undefined
  // Orthanc gives a deflated object the room that it would take inflated; zeros fill it.
  if (deflated && rest.every(byte => byte === 0)) return undefined
  return `${rest.length} bytes more`
}

interface Place { readonly name: string, readonly path: string, readonly encapsulated: boolean }

/** Every tag on which the two descriptions differ without an explanation. */
async function * differences (place: Place, ours: DicomJson, theirs: DicomJson): AsyncGenerator<string> {
  for (const tag of [...new Set([...Object.keys(ours), ...Object.keys(theirs)])].sort()) {
    const [our, their] = [ours[tag], theirs[tag]] as [JsonElement | undefined, JsonElement | undefined]
    const items = [our, their].map(element => element?.vr === 'SQ' ? (element.Value ?? []) as DicomJson[] : undefined)
    if (items[0] !== undefined && items[0].length === items[1]?.length) {
      for (const [index, item] of items[0].entries()) {
        yield * differences({ ...place, path: `${place.path}${tag}/${index}/` }, item, items[1][index])
      }
    } else if (!await isExplained(place, tag, our, their)) {
      yield `${place.path}${tag} ${JSON.stringify(our)?.slice(0, 200)} | ${JSON.stringify(their)?.slice(0, 200)}`
    }
  }
}

/**
 * Where Orthanc's description falls short, the value that is right, read from the bytes by hand: it
 * copies Japanese code extensions as they stand (PS3.5 §H.3), takes the backslash of ISO_IR 13 for a
 * yen sign, and drops a number that isn't one.
 */
const RIGHT: Readonly<Record<string, readonly unknown[]>> = {
  'chrH32.dcm 00100010': [{ Alphabetic: 'ﾔﾏﾀﾞ^ﾀﾛｳ', Ideographic: '山田^太郎', Phonetic: 'やまだ^たろう' }],
  'chrJapMultiExplicitIR6.dcm 00100010': [{ Alphabetic: 'やまだ^たろう' }],
  'chrJapMultiExplicitIR6.dcm 00101001': [{ Alphabetic: 'やまだ^たろう' }, { Alphabetic: 'やまだ^たろう' }],
  'chrJapMultiExplicitIR6.dcm 001021B0': ['たろう'],
  'J2K_pixelrep_mismatch.dcm 00080008': ['ORIGINAL', 'PRIMARY', 'AXIAL', 'NORMAL'],
  'J2K_pixelrep_mismatch.dcm 00200020': ['L', 'PF'],
  'J2K_pixelrep_mismatch.dcm 00200032': [-110.2153, -98.1898, 72.1446],
  'J2K_pixelrep_mismatch.dcm 00200037': [1, 0, 0, 0, 0.9272, -0.3746],
  'J2K_pixelrep_mismatch.dcm 00280030': [0.431, 0.431],
  'J2K_pixelrep_mismatch.dcm 00281050': [40, 40, 40],
  'J2K_pixelrep_mismatch.dcm 00281051': [100, 100, 200],
  'badVR.dcm 00280008': ['1A']
}

async function isExplained ({ name, path, encapsulated }: Place, tag: string, ours: JsonElement | undefined, theirs: JsonElement | undefined): Promise<boolean> {
  if (same(ours, theirs)) return true
  const right = RIGHT[`${name} ${path}${tag}`]
  if (right !== undefined) return same(ours?.Value, right)
  // Orthanc writes UTF-8 and still tells the character set of the file (PS3.18 §F.2.1 wants ISO_IR 192).
  if (tag === '00080005') return same(ours?.Value, ['ISO_IR 192']) && theirs !== undefined
  // Left out as it was sent, so we never had it.
  if (tag === 'FFFCFFFC') return ours === undefined
  // Orthanc doesn't tell of pixel data that are encapsulated.
  if (tag === '7FE00010' && theirs === undefined) return encapsulated && ours?.vr === 'OB' && ours.BulkDataURI !== undefined
  if (ours === undefined || theirs === undefined || ours.vr !== theirs.vr) return false
  // Orthanc makes bulk data of every binary value; short ones stand in our JSON: the bytes are compared.
  if (theirs.BulkDataURI !== undefined && ours.InlineBinary !== undefined) return (await bulkData(theirs.BulkDataURI)).toString('base64') === ours.InlineBinary
  if (theirs.BulkDataURI !== undefined && ours.BulkDataURI !== undefined) return ours.BulkDataURI.endsWith(`/bulkdata/${path}${tag}`)
  // A text of many pages is bulk data in ours (PS3.18 §F.2.2 lets UT be); Orthanc writes it out, cut at each backslash.
  return ours.vr === 'UT' && ours.BulkDataURI !== undefined && JSON.stringify(theirs.Value).length > 1024
}

async function bulkData (uri: string): Promise<Buffer> {
  const answer = await fetch(uri)
  const [{ bytes }] = await partsOf(answer.body as AsyncIterable<Uint8Array>, answer.headers.get('content-type') ?? '')
  return bytes
}

/** Equal but for the order of keys, and for padding and empty component groups that Orthanc leaves standing. */
function same (ours: unknown, theirs: unknown): boolean {
  return JSON.stringify(plain(ours)) === JSON.stringify(plain(theirs))
}

function plain (value: unknown): unknown {
  if (typeof value === 'string') return value.replace(/ +$/, '')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).filter(([, item]) => item !== '').sort(([a], [b]) => a < b ? -1 : 1).map(([key, item]) => [key, plain(item)]))
}
