import { test } from 'tap'
import { PixelPool } from '#box/pixels/pool.ts'
import { startAhead } from '#box/wado/coded-frames.ts'
import { EXPLICIT_LE, JPEG_BASELINE, JPEG_LS_LOSSLESS, RLE_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'
import { generateStudies, type GeneratedStudy } from '#sim/studies.ts'
import { ask, begin, codeOf, hasClosingDelimiter, objectsOf, partsOf, untrue } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'
import { acceptOf } from '#test/fixtures/transcoded.ts'

const [ct] = generateStudies({ ctImages: 4 })
const ctBytes = 512 * 512 * 2

/** Frames of 64×64 grey bytes, in series of so many instances; a frame may begin with some text. */
function grey (name: string, series: number[], frames: number, begins: (instance: number) => string = () => ''): GeneratedStudy {
  const study = smallStudy(name, {
    series,
    image: {
      transferSyntaxUid: EXPLICIT_LE,
      sopClassUid: '1.2.840.10008.5.1.4.1.1.7.2',
      attributes: { SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: 64, Columns: 64, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0, NumberOfFrames: String(frames) },
      pixels: { vr: 'OB', native: Buffer.concat(Array.from({ length: frames }, (_, place) => Buffer.concat([Buffer.from(begins(place)), Buffer.alloc(4096, place % 251)]).subarray(0, 4096))) }
    }
  })
  return study
}

test('a study in JPEG-LS leaves uncompressed for those who can read nothing else; as it is for those who can', async t => {
  const site = await openRooms(t, [ct])
  const url = `${site.url}/studies/${ct.studyUid}`
  const answer = await ask(url, { accept: acceptOf(EXPLICIT_LE) })
  t.equal(answer.status, 200)
  t.equal(answer.headers['content-length'], undefined, 'nobody knows yet how long it will be')
  const objects = await objectsOf(answer)
  t.same(objects.map(({ sopInstanceUid }) => sopInstanceUid).sort(), ct.series.flatMap(({ instances }) => instances.map(({ sopInstanceUid }) => sopInstanceUid)).sort())
  t.ok(objects.every(({ transferSyntaxUid }) => transferSyntaxUid === EXPLICIT_LE))
  t.ok(objects.filter(({ dataset }) => dataset.length > ctBytes).length >= 4)
  t.same(await untrue(site.sim, await objectsOf(await ask(url, { accept: acceptOf([JPEG_LS_LOSSLESS, 0.8], [EXPLICIT_LE, 0.7]) }))), [])
  const lossy = await ask(url, { accept: acceptOf(JPEG_BASELINE) })
  t.equal(lossy.status, 406, 'twelve bits are too many for JPEG of eight')
  t.equal(codeOf(lossy), 'ACCEPT_UNSUPPORTED')
  await until(() => isQuiet(site))
})

test('one instance leaves in a single part, one frame decoded as octets, several in order', async t => {
  const site = await openRooms(t, [ct])
  const [{ seriesUid, instances: [{ sopInstanceUid }] }] = ct.series
  const url = `${site.url}/studies/${ct.studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`
  const single = await ask(url, { accept: `application/dicom; transfer-syntax=${EXPLICIT_LE}` })
  t.equal(single.headers['content-type'], `application/dicom; transfer-syntax=${EXPLICIT_LE}`)
  const octets = await ask(`${url}/frames/1`, { accept: 'application/octet-stream' })
  t.equal(octets.headers['content-type'], `application/octet-stream; transfer-syntax=${EXPLICIT_LE}`)
  t.equal(octets.headers['content-length'], String(ctBytes))
  t.ok(single.body.includes(octets.body))
  const again = await ask(`${url}/frames/1`, { accept: 'application/octet-stream', 'if-none-match': octets.headers.etag as string })
  t.equal(again.status, 304, 'and is not decoded again for those who have it')
  t.equal((await ask(`${url}/frames/1`, { accept: 'application/octet-stream' }, { method: 'HEAD' })).body.length, 0)
  const parts = await partsOf(await ask(`${url}/frames/1,1`, { accept: `multipart/related; type="image/dicom-rle"; transfer-syntax=${RLE_LOSSLESS}` }))
  t.same(parts.map(({ type }) => type), [`image/dicom-rle; transfer-syntax=${RLE_LOSSLESS}`, `image/dicom-rle; transfer-syntax=${RLE_LOSSLESS}`])
  await until(() => isQuiet(site))
})

const MORTAL = new URL('../../fixtures/mortal-pixel-worker.ts', import.meta.url)

test('pixels that kill a worker cost their own answer and no other: the caller learns which instance', async t => {
  const exits = grey('exits', [1], 1, () => 'EXIT')
  const healthy = grey('healthy', [3], 1)
  const later = grey('later', [1], 30, frame => frame === 20 ? 'EXIT' : '')
  const site = await openRooms(t, [exits, healthy, later], { pixelPool: new PixelPool({}, MORTAL) })
  const accept = acceptOf(RLE_LOSSLESS)
  const [first, second, third] = await Promise.all([exits, healthy, healthy].map(async ({ studyUid }) => await ask(`${site.url}/studies/${studyUid}`, { accept })))
  t.equal(first.status, 406)
  t.match(JSON.parse(first.body.toString()), { code: 'PIXELS_UNREADABLE', facts: { instance: exits.series[0].instances[0].sopInstanceUid } })
  for (const answer of [second, third]) t.equal((await objectsOf(answer)).length, 3)
  t.equal((await ask(`${site.url}/studies/${exits.studyUid}`, { accept: acceptOf(RLE_LOSSLESS, [EXPLICIT_LE, 0.1]) })).status, 200, 'as stored it can still be had')

  const cut = await ask(`${site.url}/studies/${later.studyUid}`, { accept })
  t.equal(cut.status, 200)
  t.notOk(cut.whole, 'once it has begun, it is cut')
  t.notOk(hasClosingDelimiter(cut))
  const { sopInstanceUid } = later.series[0].instances[0]
  t.ok(site.logged.some(line => line.includes('an answer was cut') && line.includes(sopInstanceUid)), 'and the log names it')
  await until(() => isQuiet(site))
})

test('a caller who leaves in the middle leaves nothing behind', async t => {
  const site = await openRooms(t, [ct])
  for (let round = 0; round < 5; round++) {
    const answer = await begin(`${site.url}/studies/${ct.studyUid}`, { accept: acceptOf(EXPLICIT_LE) })
    await new Promise(resolve => { answer.once('data', resolve) })
    answer.destroy()
  }
  await until(() => isQuiet(site))
  t.match(site.pixels.state, { lanes: 0, waiting: 0, bytes: 0, pixels: 0, lost: 0 })
  t.equal((await ask(`${site.url}/studies/${ct.studyUid}`, { accept: acceptOf(EXPLICIT_LE) })).status, 200)
})

test('sixteen callers at once all get everything', async t => {
  const study = grey('sixteen', [4], 3)
  const site = await openRooms(t, [study])
  const answers = await Promise.all(Array.from({ length: 16 }, async () => await ask(`${site.url}/studies/${study.studyUid}`, { accept: acceptOf(JPEG_LS_LOSSLESS) })))
  for (const answer of answers) t.equal((await objectsOf(answer)).length, 4)
  await until(() => isQuiet(site))
})

test('an object of six hundred frames goes through in the memory of a few', async t => {
  const study = grey('six hundred', [1], 600)
  const site = await openRooms(t, [study])
  let most = 0
  const watch = setInterval(() => { most = Math.max(most, site.pixels.state.bytes) }, 1)
  const answer = await ask(`${site.url}/studies/${study.studyUid}`, { accept: acceptOf(JPEG_LS_LOSSLESS) })
  clearInterval(watch)
  const [{ dataset }] = await objectsOf(answer)
  const fragments = dataset.toString('latin1').split('\xFE\xFF\x00\xE0').length - 1
  t.equal(fragments, 601, 'an empty table and one fragment for each')
  t.ok(most > 0 && most < 24 * 2 * 4096, `${most} bytes at most`)
  await until(() => isQuiet(site))
})

test('what is begun ahead comes in order, never more than so many at once, and fails in its place', async t => {
  let open = 0
  let most = 0
  const start = async (n: number): Promise<number> => {
    most = Math.max(most, ++open)
    await new Promise(resolve => { setTimeout(resolve, n % 3) })
    if (n === 8) throw new Error('eight')
    return n
  }
  const got: number[] = []
  await t.rejects(async () => {
    for await (const n of startAhead(Array.from({ length: 12 }, (_, place) => place), 3, start)) {
      got.push(n)
      open--
    }
  }, { message: 'eight' })
  t.same(got, [0, 1, 2, 3, 4, 5, 6, 7])
  t.ok(most <= 4)
})
