import { mkdtemp, readdir, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type Test } from 'tap'
import { generateStudies } from '#sim/studies.ts'
import { writeHugeObject, writeStudyFiles } from '#sim/study-files.ts'
import { run, skipWithout } from '#test/fixtures/peer.ts'

const skip = skipWithout('dcmdump')

async function folder (t: Test): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'study-files-'))
  t.teardown(async () => { await rm(path, { recursive: true }) })
  return path
}

test('a generated study is written as files that others read without a warning', { skip }, async t => {
  const path = await folder(t)
  const [ct] = generateStudies({ ctImages: 8 })
  const files = await writeStudyFiles(ct, path)
  t.equal(files.length, 8)
  t.same(await readdir(path), files.map(file => file.slice(path.length + 1)))
  const dump = await run('dcmdump', ['-q', '+P', '0009,1001', '+P', 'StudyInstanceUID', ...files])
  t.equal(dump.code, 0)
  t.equal(dump.stderr.toString(), '')
  t.match(dump.stdout.toString('latin1'), /Réglage n° 4[^]*2\.25\./, 'private elements are kept')
})

test('the same seed makes the same hospital, another seed another one', async t => {
  const today = new Date(2026, 1, 3)
  const uids = (seed: number): string[] => generateStudies({ seed, today, ctImages: 4 }).flatMap(({ series }) => series.flatMap(({ instances }) => instances.map(one => one.sopInstanceUid)))
  t.same(uids(1), uids(1))
  t.equal(new Set([...uids(1), ...uids(2)]).size, 2 * uids(1).length)
})

test('the national performance set has its size: 1300 images in four series', async t => {
  const [ct] = generateStudies()
  t.equal(ct.series.length, 4)
  t.equal(ct.series.reduce((sum, { instances }) => sum + instances.length, 0), 1300)
})

test('a huge object is written frame by frame, and its length is what it says', { skip }, async t => {
  const path = join(await folder(t), 'huge.dcm')
  const { bytes, frames } = await writeHugeObject(path, 20_000_000)
  t.equal(frames, 39)
  t.equal((await stat(path)).size, bytes)
  const dump = await run('dcmdump', ['-q', '+P', 'NumberOfFrames', path])
  t.match(dump.stdout.toString(), '[39]')
  t.equal(dump.stderr.toString(), '')
})

test('an object longer than an element can be is refused before anything is written', async t => {
  await t.rejects(writeHugeObject('/nowhere/huge.dcm', 0x100000000), RangeError)
})
