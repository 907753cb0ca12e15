import { test } from 'tap'
import { PNG } from 'pngjs'
import { RequestError } from '#core/errors.ts'
import { openGate } from '#box/wado/gate.ts'
import { EXPLICIT_LE, JPEG_BASELINE } from '#standards/dicom/transfer-syntax.ts'
import { decodeFrame } from '#standards/pixels/decode.ts'
import { generateStudies, type GeneratedStudy } from '#sim/studies.ts'
import { ask, begin, codeOf, hasClosingDelimiter, partsOf, type Answer } from '#test/fixtures/answer.ts'
import { isQuiet, openRooms, until } from '#test/fixtures/rooms.ts'
import { smallStudy } from '#test/fixtures/small-studies.ts'

const SECONDARY = '1.2.840.10008.5.1.4.1.1.7'
const grey = { SamplesPerPixel: 1, PhotometricInterpretation: 'MONOCHROME2', Rows: 16, Columns: 32, BitsAllocated: 8, BitsStored: 8, HighBit: 7, PixelRepresentation: 0 }
const ramp = Buffer.from(Array.from({ length: 512 }, (_, at) => at % 32 * 8))

const still = (name: string, attributes: object = {}, pixels = ramp): GeneratedStudy => smallStudy(name, {
  series: [2],
  image: { transferSyntaxUid: EXPLICIT_LE, sopClassUid: SECONDARY, attributes: { ...grey, ...attributes }, pixels: { vr: 'OB', native: pixels } }
})
const cine = (name: string, frames: number): GeneratedStudy => smallStudy(name, {
  series: [1],
  image: {
    transferSyntaxUid: EXPLICIT_LE,
    sopClassUid: '1.2.840.10008.5.1.4.1.1.3.1',
    attributes: { ...grey, NumberOfFrames: String(frames), FrameTime: '40' },
    pixels: { vr: 'OB', native: Buffer.concat(Array.from({ length: frames }, (_, place) => Buffer.alloc(512, 20 * place))) }
  }
})
const plan = smallStudy('a plan', { series: [1], image: { transferSyntaxUid: EXPLICIT_LE, sopClassUid: '1.2.840.10008.5.1.4.1.1.481.5', attributes: { RTPlanLabel: 'PLAN' } } })

const studyUrl = (url: string, { studyUid }: GeneratedStudy): string => `${url}/studies/${studyUid}`
const instanceUrl = (url: string, study: GeneratedStudy, place = 0): string => `${studyUrl(url, study)}/series/${study.series[0].seriesUid}/instances/${study.series[0].instances[place].sopInstanceUid}`

/** Grey of a picture, whatever its file: JPEG is decoded as DICOM would be. */
async function greyOf ({ body, headers }: Pick<Answer, 'body' | 'headers'>): Promise<{ width: number, height: number, grey: number[] }> {
  if (headers['content-type'] === 'image/png') {
    const { width, height, data } = PNG.sync.read(body)
    return { width, height, grey: Array.from({ length: width * height }, (_, at) => data[4 * at]) }
  }
  const [width, height] = sizeOfJpeg(body)
  const { pixels } = await decodeFrame(body, JPEG_BASELINE, { rows: height, columns: width, samples: 1, bitsAllocated: 8, bitsStored: 8, highBit: 7, signed: false, planar: false, photometric: 'MONOCHROME2' })
  return { width, height, grey: [...pixels] }
}

function sizeOfJpeg (bytes: Buffer): [number, number] {
  const at = bytes.indexOf(Buffer.of(0xff, 0xc0))
  return [bytes.readUInt16BE(at + 7), bytes.readUInt16BE(at + 5)]
}

/** Screen size, and the delay of each frame in milliseconds, read as GIF89a lays them out. */
function gifOf (bytes: Buffer): { width: number, height: number, delays: number[], ended: boolean } {
  const delays: number[] = []
  let at = 13 + 3 * 2 ** ((bytes[10] & 7) + 1)
  const blocks = (): void => {
    while (bytes[at] !== 0) at += 1 + bytes[at]
    at++
  }
  while (bytes[at] === 0x21 || bytes[at] === 0x2c) {
    if (bytes[at] === 0x2c) {
      const packed = bytes[at + 9]
      at += 11 + ((packed & 0x80) === 0 ? 0 : 3 * 2 ** ((packed & 7) + 1))
    } else {
      if (bytes[at + 1] === 0xf9) delays.push(10 * bytes.readUInt16LE(at + 4))
      at += 2
    }
    blocks()
  }
  return { width: bytes.readUInt16LE(6), height: bytes.readUInt16LE(8), delays, ended: bytes[at] === 0x3b && at === bytes.length - 1 }
}

test('an image is a JPEG unless the caller likes PNG or GIF better', async t => {
  const study = still('one image')
  const { url } = await openRooms(t, [study])
  const at = `${instanceUrl(url, study)}/rendered`
  const jpeg = await ask(at)
  t.equal(jpeg.status, 200)
  t.equal(jpeg.headers['content-type'], 'image/jpeg')
  t.equal(jpeg.headers['content-length'], String(jpeg.body.length))
  t.equal(jpeg.body.indexOf(Buffer.of(0xff, 0xc2)), -1, 'baseline, not progressive')
  const png = await ask(at, { accept: 'image/png' })
  t.same(await greyOf(png), { width: 32, height: 16, grey: [...ramp] }, 'eight bits without a window are shown as they are')
  const { width, height, grey: approximate } = await greyOf(jpeg)
  t.same([width, height], [32, 16])
  t.ok(approximate.every((value, place) => Math.abs(value - ramp[place]) < 8))
  t.same(gifOf((await ask(`${at}?accept=image/gif`)).body), { width: 32, height: 16, delays: [0], ended: true })
  t.equal((await ask(at, { accept: 'image/webp,image/*;q=0.8' })).headers['content-type'], 'image/jpeg')
  t.equal(codeOf(await ask(at, { accept: 'image/webp' })), 'ACCEPT_UNSUPPORTED')
  t.equal(codeOf(await ask(at, { accept: 'text/html' })), 'ACCEPT_UNSUPPORTED')
  const [part] = await partsOf(await ask(at, { accept: 'multipart/related; type="image/png"' }))
  t.equal(part.type, 'image/png')
  t.same(part.bytes, png.body)
})

test('a window, a part and a size that were asked for are what comes', async t => {
  const study = still('to be windowed')
  const { url } = await openRooms(t, [study])
  const at = (query: string): string => `${instanceUrl(url, study)}/rendered?${query}`
  const windowed = await greyOf(await ask(at('window=100,1,linear'), { accept: 'image/png' }))
  t.same(new Set(windowed.grey), new Set([0, 255]), 'a width of one is a threshold')
  const part = await greyOf(await ask(at('viewport=8,8,8,0,8,8'), { accept: 'image/png' }))
  t.same([part.width, part.height, ...part.grey.slice(0, 8)], [8, 8, 64, 72, 80, 88, 96, 104, 112, 120])
  const flipped = await greyOf(await ask(at('viewport=8,8,8,0,-8,-8'), { accept: 'image/png' }))
  t.same(flipped.grey.slice(0, 8), [120, 112, 104, 96, 88, 80, 72, 64])
  const small = await greyOf(await ask(at('viewport=16,16'), { accept: 'image/png' }))
  t.same([small.width, small.height, small.grey[0], small.grey[15]], [16, 8, 4, 244], 'it fits, with its shape kept')
  t.ok((await ask(at('quality=5'))).body.length < (await ask(at('quality=100'))).body.length)
  t.equal((await ask(at('foo=bar&charset=utf-8'))).status, 200, 'unknown parameters are passed over')
  for (const query of ['window=1', 'window=1,0,linear', 'window=a,1,linear', 'window=1,1,cubic', 'viewport=0,1', 'viewport=9', 'viewport=1,1,a', 'viewport=10,10,900,900', 'viewport=99999,9', 'quality=0', 'quality=101', 'quality=x', 'iccprofile=cmyk', 'annotation=name', 'overlays=maybe']) {
    const answer = await ask(at(query))
    t.equal(answer.status, 400, query)
    t.match(JSON.parse(answer.body.toString()), { code: 'QUERY_INVALID', facts: { parameter: query.split('=')[0] } })
  }
  for (const query of ['annotation=patient', 'annotation=patient,technique', 'iccprofile=adobergb', 'iccprofile=displayp3']) {
    const answer = await ask(at(query))
    t.equal(answer.status, 501, query)
    t.match(JSON.parse(answer.body.toString()), { code: 'NOT_OFFERED', facts: { parameter: query.split('=')[0] } })
  }
})

test('many frames play as a GIF in their own time; as a still picture they are the frame that stands for them', async t => {
  const study = cine('a cine', 6)
  const { url } = await openRooms(t, [study])
  const film = await ask(`${instanceUrl(url, study)}/rendered`)
  t.equal(film.headers['content-type'], 'image/gif')
  t.same(gifOf(film.body), { width: 32, height: 16, delays: Array.from({ length: 6 }, () => 40), ended: true })
  const picture = await ask(`${instanceUrl(url, study)}/rendered`, { accept: 'image/png' })
  t.equal((await greyOf(picture)).grey[0], 0)
  t.match(picture.headers.warning, 'frame 1 of 6')
  t.equal((await greyOf(await ask(`${instanceUrl(url, study)}/frames/4/rendered`, { accept: 'image/png' }))).grey[0], 60)
  const several = await ask(`${instanceUrl(url, study)}/frames/3,1,3/rendered`, { accept: 'multipart/related; type="image/png"' })
  const parts = await partsOf(several)
  t.same(await Promise.all(parts.map(async ({ bytes, type }) => (await greyOf({ body: bytes, headers: { 'content-type': type } })).grey[0])), [40, 0, 40])
  t.equal(codeOf(await ask(`${instanceUrl(url, study)}/frames/3,1/rendered`, { accept: 'image/png' })), 'ACCEPT_UNSUPPORTED')
  t.equal(codeOf(await ask(`${instanceUrl(url, study)}/frames/7/rendered`)), 'FRAME_UNKNOWN')
  t.equal(codeOf(await ask(`${instanceUrl(url, study)}/frames/0/rendered`)), 'FRAME_UNKNOWN')
})

test('a study comes as one part for each of its instances, each telling which it is', async t => {
  const [ct, report] = ['ct', 'sr'].map(name => generateStudies({ ctImages: 6 }).find(study => study.name === name) as GeneratedStudy)
  const site = await openRooms(t, [ct, report])
  for (let turn = 0; turn < 2; turn++) {
    const answer = await ask(`${studyUrl(site.url, ct)}/rendered`)
    t.equal(answer.status, 200)
    t.match(answer.headers['content-type'], /^multipart\/related; ?type="image\/jpeg"/)
    t.ok(hasClosingDelimiter(answer))
    const parts = await partsOf(answer)
    t.equal(parts.length, ct.series.reduce((sum, { instances }) => sum + instances.length, 0))
    t.ok(parts.every(({ type, bytes }) => type === 'image/jpeg' && sizeOfJpeg(bytes)[0] === 512))
    t.match(answer.body.toString('latin1'), `Content-Location: ${studyUrl(site.url, ct)}/series/${ct.series[0].seriesUid}/instances/`)
    await until(() => isQuiet(site))
  }
  t.equal(codeOf(await ask(`${studyUrl(site.url, ct)}/rendered`, { accept: 'image/jpeg' })), 'ACCEPT_UNSUPPORTED')
  const texts = await partsOf(await ask(`${studyUrl(site.url, report)}/rendered`, { accept: 'multipart/related; type="text/plain"' }))
  t.match(texts[0].bytes.toString(), 'Stabilité.')
})

test('an object without a picture is refused by its name, and left out where others can be shown', async t => {
  const mixed: GeneratedStudy = { ...plan, series: [...still('beside a plan').series.map(series => ({ ...series, attributes: { ...series.attributes } })), ...plan.series] }
  const site = await openRooms(t, [mixed])
  const series = `${studyUrl(site.url, mixed)}/series/${plan.series[0].seriesUid}`
  const one = await ask(`${series}/instances/${plan.series[0].instances[0].sopInstanceUid}/rendered`)
  t.equal(one.status, 406)
  t.match(JSON.parse(one.body.toString()), { code: 'RENDER_UNSUPPORTED', facts: { instance: plan.series[0].instances[0].sopInstanceUid } })
  for (const path of ['/rendered', '/thumbnail']) t.equal(codeOf(await ask(series + path)), 'RENDER_UNSUPPORTED')
  await ask(studyUrl(site.url, mixed))
  await until(() => isQuiet(site))
  const all = await ask(`${studyUrl(site.url, mixed)}/rendered`)
  t.equal(all.status, 206)
  t.match(all.headers.warning, '1 of 3')
  t.equal((await partsOf(all)).length, 2)
})

test('a broken image is told with its name, alone by status, among others by a part', async t => {
  const broken = smallStudy('broken', { series: [3], image: { transferSyntaxUid: JPEG_BASELINE, sopClassUid: SECONDARY, attributes: grey, pixels: { frames: [Buffer.from('ffd8ffe0000000', 'hex')], offsetTable: false } } })
  const good = still('and whole')
  const study: GeneratedStudy = { ...good, series: [...good.series, { ...broken.series[0], attributes: { ...broken.series[0].attributes } }] }
  const site = await openRooms(t, [study])
  const bad = broken.series[0].instances[1].sopInstanceUid
  const alone = await ask(`${studyUrl(site.url, study)}/series/${broken.series[0].seriesUid}/instances/${bad}/rendered`)
  t.equal(alone.status, 406)
  t.match(JSON.parse(alone.body.toString()), { code: 'PIXELS_UNREADABLE', facts: { instance: bad } })
  await ask(studyUrl(site.url, study))
  await until(() => isQuiet(site))
  const parts = await partsOf(await ask(`${studyUrl(site.url, study)}/rendered`))
  t.same(parts.map(({ type }) => type).sort(), [...Array.from({ length: 3 }, () => 'application/problem+json'), 'image/jpeg', 'image/jpeg'])
  const told = parts.filter(({ type }) => type === 'application/problem+json').map(({ bytes }) => JSON.parse(bytes.toString()))
  t.same(told.map(({ code, facts }) => [code, facts.instance]), broken.series[0].instances.map(({ sopInstanceUid }) => ['PIXELS_UNREADABLE', sopInstanceUid]))
  await until(() => isQuiet(site))
})

test('a thumbnail is one small JPEG, whatever it stands for', async t => {
  const [ct] = generateStudies({ ctImages: 9 })
  const site = await openRooms(t, [ct])
  const series = `${studyUrl(site.url, ct)}/series/${ct.series[0].seriesUid}`
  await ask(studyUrl(site.url, ct))
  await until(() => isQuiet(site))
  for (const path of [studyUrl(site.url, ct), series, instanceUrl(site.url, ct), `${instanceUrl(site.url, ct)}/frames/1`]) {
    const answer = await ask(`${path}/thumbnail`)
    t.equal(answer.headers['content-type'], 'image/jpeg', path)
    t.same(sizeOfJpeg(answer.body), [256, 256])
    t.ok(answer.body.length < 64 << 10)
  }
  t.same(sizeOfJpeg((await ask(`${series}/thumbnail?viewport=100,80`)).body), [80, 80])
  for (const query of ['viewport=4000,4000', 'viewport=10,10,1,1,2,2', 'viewport=x']) t.equal(codeOf(await ask(`${series}/thumbnail?${query}`)), 'QUERY_INVALID')
  t.equal(codeOf(await ask(`${series}/thumbnail`, { accept: 'text/html' })), 'ACCEPT_UNSUPPORTED')
})

test('while a study is still on its way, its thumbnail is there already', async t => {
  const [ct] = generateStudies({ ctImages: 9 })
  const site = await openRooms(t, [ct])
  t.equal((await ask(`${studyUrl(site.url, ct)}/thumbnail`)).status, 200)
})

test('who has a picture already isn\'t sent it again, and nobody renders it', async t => {
  const study = still('seen before')
  const site = await openRooms(t, [study])
  const at = `${instanceUrl(site.url, study)}/rendered`
  const first = await ask(at)
  const etag = first.headers.etag as string
  t.match(etag, /^"[^"]+"$/, 'strong')
  const made = { ...site.renditions.counts }
  const again = await ask(at, { 'if-none-match': etag })
  t.equal(again.status, 304)
  t.equal(again.body.length, 0)
  t.same(site.renditions.counts, made)
  t.not((await ask(`${at}?window=9,9,linear`)).headers.etag, etag)
  t.not((await ask(at, { accept: 'image/png' })).headers.etag, etag)
  t.equal((await ask(at)).headers.etag, etag)
})

test('a picture is made once, kept, and gone with its series', async t => {
  const study = still('kept')
  const site = await openRooms(t, [study])
  const at = `${instanceUrl(site.url, study)}/rendered`
  const answers = await Promise.all(Array.from({ length: 8 }, async () => await ask(at)))
  t.ok(answers.every(({ body }) => body.equals(answers[0].body)))
  t.equal(site.renditions.counts.made, 1, 'eight at once share the making')
  await ask(at)
  t.equal(site.renditions.counts.made, 1)
  await until(() => isQuiet(site))
  await site.pacs.supply.purge(study.studyUid)
  await ask(at)
  t.equal(site.renditions.counts.made, 2, 'nothing survives the purge')
})

test('the gate is asked before anything else', async t => {
  const study = still('published to nobody')
  const site = await openRooms(t, [study], { gate: { ...openGate, admit: async () => { throw new RequestError('MANIFEST_UNKNOWN', 'no such manifest here') } } })
  for (const path of ['', `/series/${study.series[0].seriesUid}`, `/series/${study.series[0].seriesUid}/instances/${study.series[0].instances[0].sopInstanceUid}`]) {
    for (const resource of ['rendered', 'thumbnail']) t.equal(codeOf(await ask(`${studyUrl(site.url, study)}${path}/${resource}?window=nonsense`)), 'MANIFEST_UNKNOWN')
  }
  t.equal(site.sim.control.seen.associations, 0)
})

test('a reader who leaves ends the rendering of a study', async t => {
  const [ct] = generateStudies({ ctImages: 60 })
  const site = await openRooms(t, [ct])
  await ask(studyUrl(site.url, ct))
  await until(() => isQuiet(site))
  const answer = await begin(`${studyUrl(site.url, ct)}/rendered`)
  answer.destroy()
  await until(() => isQuiet(site))
  t.ok(site.renditions.counts.made < 60, `${site.renditions.counts.made} of 60`)
})
