/**
 * What a viewer that others wrote draws of our frames is what we draw ourselves: one picture of each
 * SOP class and transfer syntax among the samples, from a real PACS through the box, once by
 * Cornerstone in Chromium from `/frames/1`, once by `/rendered`.
 *
 * Nothing is passed over in silence: what Cornerstone can't draw, or draws otherwise, has its line here.
 */

import { readdir } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Browser, Page } from 'playwright-core'
import { PNG } from 'pngjs'
import { test } from 'tap'
import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson, JsonElement } from '#standards/dicom/json.ts'
import { boxAddress, startBox } from '#test/fixtures/box.ts'
import { startChromium } from '#test/fixtures/chromium.ts'
import { forgetAll, setDestination, skipWithoutDicomWebPlugin, startOrthanc } from '#test/fixtures/orthanc.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { readJson } from '#test/fixtures/retrieved.ts'
import { inRounds, type Sample } from '#test/fixtures/sample-rounds.ts'
import { send } from '#test/fixtures/send.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'
import { serveViewer } from './viewer/bundle.ts'
import type { Drawing } from './viewer/drawing.ts'

const skip = skipWithoutShared || skipWithout('Orthanc', 'chromium') || skipWithoutDicomWebPlugin

const PIXEL_DATA = '7FE00010'
/** Of 255 steps, on average over all samples of all pixels: rounding, and how each decoder undoes a cosine. */
const MEAN_DIFFERENCE_MAX = 1
/** Cornerstone swallows some of its own failures, and then never answers. */
const DRAWN_WITHIN_MS = 10_000

/** What Cornerstone doesn't draw, or not as the standard wants it. */
const OTHERWISE: Readonly<Record<string, string>> = {
  'J2K_pixelrep_mismatch.dcm': 'it takes the sign from the codestream, which lacks it, instead of from Pixel Representation',
  'JPEG2000-embedded-sequence-delimiter.dcm': 'nobody can: the size of the codestream was overwritten',
  'SC_jpeg_no_color_transform.dcm': 'it undoes a colour transform that the JPEG says it has not',
  'badVR.dcm': 'its Number of Frames is no number, so no frame has one: 400 for both',
  'liver_1frame.dcm': 'it takes eight pixels of one bit for one of eight',
  'liver_expb_1frame.dcm': 'it takes eight pixels of one bit for one of eight',
  'rtdose_expb.dcm': 'its writer swapped pixels of 32 bits whole, against PS3.5 §8.1.1: of values so large it never ends making a table'
}

test('Cornerstone draws of each SOP class and syntax what we render', { skip, timeout: 240_000 }, async t => {
  const address = await boxAddress()
  const orthanc = await startOrthanc(t, [address])
  const viewer = await serveViewer(t)
  const browser = await startChromium(t)
  let page = await open(browser, viewer)
  const drawn = new Map<string, string>()
  for (const round of (await inRounds((await readdir(sample('dicom'))).sort())).rounds) {
    const wanted = round.filter(one => one.object.sopClassUid !== '' && !drawn.has(kind(one)))
    await t.test(`${wanted.length} that may be of another kind`, async t => {
      await forgetAll(orthanc)
      const box = await startBox(t, orthanc, { http: { cors: { origins: [new URL(viewer).origin], credentials: false, maxAgeSeconds: 600 } } })
      await setDestination(orthanc, address.aeTitle, box.dimsePort)
      for (const one of wanted) {
        if (drawn.has(kind(one)) || await send(one.object, orthanc) !== '0000') continue
        const instance = `${box.dicomweb}/studies/${one.object.studyUid}/series/${one.object.seriesUid}/instances/${one.object.sopInstanceUid}`
        const [metadata] = await readJson(`${instance}/metadata`)
        if (metadata[PIXEL_DATA] === undefined) continue
        drawn.set(kind(one), one.name)
        const difference = await compare(page, instance, metadata)
        // Whatever it is at will not end: another page goes on.
        if (typeof difference === 'string') {
          void page.close()
          page = await open(browser, viewer)
        }
        const known = OTHERWISE[one.name]
        if (known === undefined) t.ok(Number(difference) <= MEAN_DIFFERENCE_MAX, `${one.name}: ${difference}`)
        else t.ok(typeof difference === 'string' || difference > MEAN_DIFFERENCE_MAX, `${one.name} is still drawn otherwise: ${known} (${difference})`)
      }
    })
  }
  t.ok(drawn.size >= KINDS_MIN, `${drawn.size} kinds`)
  t.same(Object.keys(OTHERWISE).filter(name => ![...drawn.values()].includes(name)), [], 'no line without its picture')
})

/** SOP classes in transfer syntaxes with pixel data, among the samples that a PACS takes. */
const KINDS_MIN = 28

function kind ({ object }: Sample): string {
  return `${object.sopClassUid} ${object.transferSyntaxUid}`
}

async function open (browser: Browser, viewer: string): Promise<Page> {
  const page = await browser.newPage()
  await page.goto(viewer)
  await page.waitForFunction("document.title === 'ready'")
  return page
}

/**
 * What a viewer around Cornerstone does before it: values that metadata give by reference are fetched,
 * a modality is named, and where the object has no window, both sides are told the same one.
 *
 * @returns also the query for `/rendered`
 */
async function prepared (metadata: DicomJson, instance: string): Promise<{ metadata: DicomJson, query: string }> {
  const more: DicomJson = { [MODALITY]: { vr: 'CS', Value: ['OT'] } }
  for (const tag of PALETTES) if (metadata[tag] !== undefined) more[tag] = { vr: 'US', Value: await words(metadata[tag], instance) }
  const all = { ...more, ...metadata, ...Object.fromEntries(PALETTES.flatMap(tag => tag in more ? [[tag, more[tag]]] : [])) }
  const number = (tag: string): number | undefined => {
    const text = firstText(metadata, tag)
    return text === undefined ? undefined : Number(text)
  }
  if (number(WINDOW_WIDTH) !== undefined || !firstText(metadata, '00280004')?.startsWith('MONOCHROME')) return { metadata: all, query: '' }
  const [slope, intercept, range] = [number('00281053') ?? 1, number('00281052') ?? 0, 2 ** (number('00280101') as number)]
  const center = (number('00280103') === 1 ? 0 : range / 2) * slope + intercept
  const width = range * slope
  return {
    metadata: { ...all, [WINDOW_CENTER]: { vr: 'DS', Value: [center] }, [WINDOW_WIDTH]: { vr: 'DS', Value: [width] } },
    query: `?window=${center},${width},linear`
  }
}

const MODALITY = '00080060'
const WINDOW_CENTER = '00281050'
const WINDOW_WIDTH = '00281051'
/** Palette Color Lookup Table Data, red, green, blue. */
const PALETTES = ['00281201', '00281202', '00281203']

async function words ({ InlineBinary, BulkDataURI }: JsonElement, instance: string): Promise<number[]> {
  const bytes = InlineBinary !== undefined
    ? Buffer.from(InlineBinary, 'base64')
    : Buffer.from(await (await fetch(new URL(BulkDataURI as string, instance), { headers: { accept: 'application/octet-stream' } })).arrayBuffer())
  return Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16LE(2 * index))
}

/** @returns the mean difference of a sample, from 0 to 255; or why there is none */
async function compare (page: Page, instance: string, described: DicomJson): Promise<number | string> {
  const { metadata, query } = await prepared(described, instance)
  const [columns, rows] = ['00280011', '00280010'].map(tag => Number(firstText(metadata, tag)))
  const ours = await fetch(`${instance}/frames/1/rendered${query}`, { headers: { accept: 'image/png' } })
  if (!ours.ok) return `rendered: ${ours.status} ${await ours.text()}`
  const expected = PNG.sync.read(Buffer.from(await ours.arrayBuffer()))
  const drawing = page.evaluate(async ([frame, metadata, columns, rows]) => await (globalThis as unknown as Drawing).draw(frame, metadata, columns, rows),
    [`${instance}/frames/1`, metadata, columns, rows] as const).catch((error: Error) => error.message)
  const url = await Promise.race([drawing, delay(DRAWN_WITHIN_MS, 'silence', { ref: false })])
  if (!url.startsWith('data:')) return `drawn: ${url}`
  const drawn = PNG.sync.read(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64'))
  if (drawn.width !== expected.width || drawn.height !== expected.height) return `${expected.width} × ${expected.height} rendered`
  let sum = 0
  for (let at = 0; at < drawn.data.length; at++) if (at % 4 !== 3) sum += Math.abs(drawn.data[at] - expected.data[at])
  return sum / (drawn.data.length / 4 * 3)
}
