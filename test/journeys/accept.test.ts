/**
 * What a caller accepts, and what the PACS is asked for: row B4, at PACS that no one here wrote.
 */

import { test } from 'tap'
import { EXPLICIT_LE, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_LS_LOSSLESS, RLE_LOSSLESS, TRANSFER_SYNTAXES, IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { objectBytes } from '#sim/object-bytes.ts'
import { boxAddress, startBox } from '#test/fixtures/box.ts'
import { startDcmqrscp } from '#test/fixtures/dcmqrscp.ts'
import { skipWithoutDicomWebPlugin, startOrthanc } from '#test/fixtures/orthanc.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { readObjects } from '#test/fixtures/retrieved.ts'
import { sendStudies } from '#test/fixtures/send.ts'
import { instancesOf, studiesNamed } from '#test/fixtures/site.ts'

const range = (uid: string, q: number): string => `multipart/related; type="application/dicom"; transfer-syntax=${uid}; q=${q}`
/** DCMTK writes syntaxes by its own names. */
const DCMTK_NAMES: Readonly<Record<string, string>> = {
  LittleEndianExplicit: EXPLICIT_LE, LittleEndianImplicit: IMPLICIT_LE, 'JPEG-LSLossless': JPEG_LS_LOSSLESS, JPEGLSLossless: JPEG_LS_LOSSLESS, RLELossless: RLE_LOSSLESS, JPEG2000LosslessOnly: JPEG_2000_LOSSLESS
}

/**
 * The transfer syntaxes proposed for a class in each association that DCMTK's log tells of, in order. Lines of other
 * processes of dcmqrscp ("Move Response … =Success") may fall in between.
 */
function proposals (log: string, sopClass: string): string[][] {
  const found: string[][] = []
  for (const request of log.split(/BEGIN A-ASSOCIATE-RQ/).slice(1)) {
    const syntaxes = [...request.split(/END A-ASSOCIATE-RQ/)[0].matchAll(/Abstract Syntax: =(\w+)[\s\S]*?Proposed Transfer Syntax\(es\):([\s\S]*?)(?=D:\s+Context ID|D:\s+Requested|$)/g)]
      .filter(([, abstract]) => abstract === sopClass)
      .flatMap(([, , list]) => [...list.matchAll(/^D:\s+=([\w-]+)\s*$/gm)].map(([, name]) => DCMTK_NAMES[name] ?? name))
    if (syntaxes.length > 0) found.push(syntaxes)
  }
  return found
}

test('the presentation contexts that the PACS sees are the caller\'s Accept list, in its order', { skip: skipWithout('dcmqrscp') }, async t => {
  const pacs = await startDcmqrscp(t, [], 'uncompr', ['--debug'])
  const [mr] = studiesNamed('mr')
  await sendStudies([mr], pacs)
  const box = await startBox(t, pacs, { pacs: { method: 'get' } })
  const accept = [range(JPEG_LS_LOSSLESS, 0.7), range(JPEG_BASELINE, 0.8), range(EXPLICIT_LE, 0.9), range(RLE_LOSSLESS, 0.5)].join(', ')
  const objects = await readObjects(`${box.dicomweb}/studies/${mr.studyUid}`, { accept })
  t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), instancesOf(mr.series))
  t.ok(objects.every(({ transferSyntaxUid }) => transferSyntaxUid === EXPLICIT_LE))
  t.same(proposals(pacs.output(), 'MRImageStorage').at(-1), [EXPLICIT_LE, JPEG_LS_LOSSLESS, RLE_LOSSLESS], 'lossless ones as accepted; a lossy copy could later be taken for the original')
})

test('Orthanc, which can convert, sends what the caller wants, and what it holds to whoever accepts anything', { skip: skipWithout('Orthanc') || skipWithoutDicomWebPlugin }, async t => {
  const orthanc = await startOrthanc(t, [])
  const [ct] = studiesNamed('ct')
  await sendStudies([ct], orthanc)
  t.same(new Set(ct.series.flatMap(({ instances }) => instances.map(({ transferSyntaxUid }) => transferSyntaxUid))), new Set([JPEG_LS_LOSSLESS]))
  const wishing = await startBox(t, orthanc, { pacs: { method: 'get' } })
  const plain = await readObjects(`${wishing.dicomweb}/studies/${ct.studyUid}`, { accept: range(EXPLICIT_LE, 1) })
  t.same(plain.map(({ sopInstanceUid }) => sopInstanceUid).sort(), instancesOf(ct.series))
  t.ok(plain.every(({ transferSyntaxUid }) => transferSyntaxUid === EXPLICIT_LE))
  const held = await readObjects(`${wishing.dicomweb}/studies/${ct.studyUid}`)
  t.ok(held.every(({ transferSyntaxUid }) => transferSyntaxUid === EXPLICIT_LE), 'converted there, not here: that is what the pack holds')
  const any = await startBox(t, orthanc, { pacs: { method: 'get' } })
  t.ok((await readObjects(`${any.dicomweb}/studies/${ct.studyUid}`)).every(({ transferSyntaxUid }) => transferSyntaxUid === JPEG_LS_LOSSLESS))
})

test('a caller who accepts only lossy images leaves the pack as true as the archive', { skip: skipWithout('Orthanc') || skipWithoutDicomWebPlugin }, async t => {
  const address = await boxAddress()
  const orthanc = await startOrthanc(t, [address])
  const [mr] = studiesNamed('mr')
  await sendStudies([mr], orthanc)
  for (const method of ['get', 'move'] as const) {
    const box = await startBox(t, orthanc, { dimsePort: method === 'move' ? address.port : 0, pacs: { method } })
    const url = `${box.dicomweb}/studies/${mr.studyUid}`
    await fetch(url, { headers: { accept: range(JPEG_BASELINE, 1) } }).then(async answer => await answer.bytes()).catch(() => {})
    const objects = await readObjects(url)
    t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), instancesOf(mr.series))
    const bytes = new Map(await Promise.all(mr.series.flatMap(series => series.instances.map(async instance => [instance.sopInstanceUid, await objectBytes(mr, series, instance)] as const))))
    t.ok(objects.every(({ sopInstanceUid, dataset }) => bytes.get(sopInstanceUid)?.equals(dataset)), method)
  }
})

test('a PACS that offers compressed syntaxes which it cannot make is asked again for uncompressed ones', { skip: skipWithout('dcmqrscp') }, async t => {
  const address = await boxAddress()
  // Proposes JPEG-LS and the uncompressed syntaxes in one context, and compresses nothing.
  const pacs = await startDcmqrscp(t, [address], 'jls-lossless')
  const [mr] = studiesNamed('mr')
  await sendStudies([mr], pacs)
  const box = await startBox(t, pacs, { dimsePort: address.port })
  const objects = await readObjects(`${box.dicomweb}/studies/${mr.studyUid}`)
  t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), instancesOf(mr.series))
  t.ok(objects.every(({ transferSyntaxUid }) => !TRANSFER_SYNTAXES.get(transferSyntaxUid)?.encapsulated))
})
