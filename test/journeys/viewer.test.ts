/**
 * What a viewer that others wrote draws of our frames is what we draw ourselves: one picture of each
 * SOP class and transfer syntax among the samples, from a real PACS through the box, once by
 * Cornerstone in Chromium from `/frames/1`, once by `/rendered`.
 */

import { readdir } from 'node:fs/promises'
import { test, type Test } from 'tap'
import type { Page } from 'playwright-core'
import { PNG } from 'pngjs'
import { firstText } from '#standards/dicom/dataset.ts'
import { boxAddress, startBox } from '#test/fixtures/box.ts'
import { startChromium } from '#test/fixtures/chromium.ts'
import { forgetAll, setDestination, skipWithoutDicomWebPlugin, startOrthanc } from '#test/fixtures/orthanc.ts'
import { skipWithout } from '#test/fixtures/peer.ts'
import { readJson } from '#test/fixtures/retrieved.ts'
import { inRounds, type Sample } from '#test/fixtures/sample-rounds.ts'
import { send } from '#test/fixtures/send.ts'
import { sample, skipWithoutShared } from '#test/fixtures/shared.ts'
import { serveViewer } from './viewer/bundle.ts'
import type { Drawing } from './viewer/page.ts'

const skip = skipWithoutShared || skipWithout('Orthanc', 'chromium') || skipWithoutDicomWebPlugin

/** Of 255 steps, on average over all pixels: rounding, and how each decoder undoes a cosine. */
const MEAN_DIFFERENCE_MAX = 1

test('Cornerstone draws of each SOP class and syntax what we render', { skip }, async t => {
  const address = await boxAddress()
  const orthanc = await startOrthanc(t, [address])
  const viewer = await serveViewer(t)
  const page = await (await startChromium(t)).newPage()
  page.on('console', m => console.error('PAGE', m.text().slice(0,300)))
  await page.goto(viewer)
  await page.waitForFunction("document.title === 'ready'")
  const drawn = new Set<string>()
  for (const round of (await inRounds((await readdir(sample('dicom'))).sort())).rounds) {
    const wanted = round.filter(one => !drawn.has(kind(one)))
    await t.test(`${wanted.length} instances`, async t => {
      await forgetAll(orthanc)
      const box = await startBox(t, orthanc, {})
      await setDestination(orthanc, address.aeTitle, box.dimsePort)
      for (const one of wanted) {
        if (drawn.has(kind(one)) || one.object.sopClassUid === '' || await send(one.object, orthanc) !== '0000') continue
        if (await compare(t, page, box.dicomweb, one)) drawn.add(kind(one))
      }
    })
  }
  t.same([...drawn].sort(), [], 'each kind among the samples')
})

function kind ({ object }: Sample): string {
  return `${object.sopClassUid} ${object.transferSyntaxUid}`
}

async function compare (t: Test, page: Page, dicomweb: string, { name, object }: Sample): Promise<boolean> {
  const instance = `${dicomweb}/studies/${object.studyUid}/series/${object.seriesUid}/instances/${object.sopInstanceUid}`
  const [metadata] = await readJson(`${instance}/metadata`)
  if (metadata['7FE00010'] === undefined) return false
  console.error(name, kind({name, object}))
  const [columns, rows] = ['00280011', '00280010'].map(tag => Number(firstText(metadata, tag)))
  try {
  const theirs = PNG.sync.read(Buffer.from((await Promise.race([page.evaluate(async ([frame, metadata, columns, rows]) => await (globalThis as unknown as Drawing).draw(frame, metadata, columns, rows),
    [`${instance}/frames/1`, metadata, columns, rows] as const), new Promise<string>((_, reject) => setTimeout(() => reject(new Error('silent')), 5000))])).split(',')[1], 'base64'))
  await import('node:fs').then(fs => fs.writeFileSync(`/tmp/pics/${name}.png`, PNG.sync.write(theirs)))
  } catch (e) { t.fail(name + ' ' + (e as Error).message); await page.reload(); await page.waitForFunction("document.title === 'ready'") }
  return true
}
