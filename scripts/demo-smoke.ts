/**
 * Starts the demo, asks it over DICOMweb for one study, compares every data set byte for byte with
 * what the simulated PACS holds, stops it, and sees that its ports are free again.
 *
 *     node scripts/demo-smoke.ts        exit 0 when all of it is true
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { readPart10Head } from '#standards/dicom/part10.ts'
import { readMultipart } from '#standards/dicomweb/multipart.ts'
import type { Endpoints } from '#sim/hospital.ts'
import { objectBytes } from '#sim/object-bytes.ts'
import { generateStudies } from '#sim/studies.ts'

if (process.argv.includes('--help')) {
  console.log('node scripts/demo-smoke.ts: starts the demo, reads one study, checks its bytes, stops')
  process.exit(0)
}

/** Longer than the slowest machine takes to open the demo, in milliseconds. */
const OPEN_MS = 60_000
const FOLDER = 'var/demo-smoke'

const demo = spawn(process.execPath, [join(import.meta.dirname, '../src/sim.ts'), 'demo', `--folder=${FOLDER}`], { stdio: ['ignore', 'pipe', 'inherit'] })
const exited = once(demo, 'exit') as Promise<[number | null, string | null]>
const giveUp = setTimeout(() => { demo.kill('SIGTERM') }, OPEN_MS)
try {
  await opened()
  clearTimeout(giveUp)
  const endpoints = JSON.parse(await readFile(join(FOLDER, 'endpoints.json'), 'utf8')) as Endpoints
  await checkSearch(endpoints)
  const count = await checkStudy(endpoints)
  demo.kill('SIGTERM')
  const [code] = await exited
  assert.equal(code, 0, 'the demo ends in order')
  for (const port of [Number(new URL(endpoints.dicomweb).port), endpoints.dimse.port, endpoints.pacs.port]) {
    assert.ok(await isFree(port), `port ${port} is free again`)
  }
  console.log(`demo-smoke: one study found and read, ${count} instances byte for byte, everything stopped`)
} finally {
  clearTimeout(giveUp)
  if (demo.exitCode === null) demo.kill('SIGTERM')
}

async function opened (): Promise<void> {
  const lines = createInterface({ input: demo.stdout })
  for await (const line of lines) {
    if (!line.startsWith('[3/3]')) continue
    // What follows is for people; it must not fill the pipe.
    demo.stdout.resume()
    await new Promise(resolve => { setImmediate(resolve) })
    return
  }
  throw new Error('the demo did not open')
}

async function checkSearch ({ dicomweb, studies }: Endpoints): Promise<void> {
  const answer = await fetch(`${dicomweb}/studies?PatientName=${encodeURIComponent('LEFÈVRE')}*`)
  assert.equal(answer.status, 200)
  const found = await answer.json() as Record<string, { Value?: [{ Alphabetic?: string }] }>[]
  assert.ok(found.length > 0, 'QIDO finds the patient by her accented name')
  assert.ok(found.every(study => study['00100010'].Value?.[0].Alphabetic?.startsWith('LEFÈVRE')), 'and spells it as she does')
  const all = await (await fetch(`${dicomweb}/studies`)).json() as unknown[]
  assert.equal(all.length, studies.length)
}

async function checkStudy ({ dicomweb, studies }: Endpoints): Promise<number> {
  const generated = generateStudies().find(({ name }) => name === 'mr')
  assert.ok(generated !== undefined && studies.some(({ studyUid }) => studyUid === generated.studyUid))
  const expected = new Map(generated.series.flatMap(series => series.instances.map(instance => [instance.sopInstanceUid, { series, instance }] as const)))
  const answer = await fetch(`${dicomweb}/studies/${generated.studyUid}`, { headers: { accept: 'multipart/related; type="application/dicom"; transfer-syntax=*' } })
  assert.equal(answer.status, 200)
  const boundary = /boundary="?([^";]+)/.exec(answer.headers.get('content-type') ?? '')?.[1]
  assert.ok(boundary !== undefined && answer.body !== null)
  let count = 0
  for await (const { body } of readMultipart(answer.body, boundary)) {
    const file = Buffer.concat(await Array.fromAsync(body))
    const meta = readPart10Head(file)
    const known = expected.get(meta.sopInstanceUid)
    assert.ok(known !== undefined, 'an instance of this study')
    const dataset = await objectBytes(generated, known.series, known.instance)
    assert.ok(dataset.equals(file.subarray(meta.datasetOffset)), `bytes of ${meta.sopInstanceUid}`)
    expected.delete(meta.sopInstanceUid)
    count++
  }
  assert.equal(expected.size, 0, 'every instance came')
  return count
}

async function isFree (port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1')
  return await new Promise(resolve => {
    socket.once('connect', () => { socket.destroy(); resolve(false) })
    socket.once('error', () => { resolve(true) })
  })
}
