/**
 * The bench itself, on little data: it starts, measures, draws and ends. What it says of speed is nobody's business here.
 */

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { test } from 'tap'
import { skipWithout, temporaryFolder } from '#test/fixtures/peer.ts'
import { skipWithoutDicomWebPlugin } from '#test/fixtures/orthanc.ts'

const BENCH = join(import.meta.dirname, '../../scripts/bench/bench.ts')
const ROWS = ['warm', 'pacs']
/** Most of it is peers that start. */
const PATIENCE_MS = 180_000

const skip = skipWithout('Orthanc', 'dcmqrscp', 'nginx', 'ip', 'storescp', 'dcmdjpls') || skipWithoutDicomWebPlugin

test('the bench measures two rows on little data, writes its page and draws its pictures', { skip, timeout: PATIENCE_MS }, async t => {
  const folder = temporaryFolder(t)
  const bench = spawn(process.execPath, [BENCH, '--quick', '--rounds=1', `--rows=${ROWS.join(',')}`, `--page=${join(folder, 'page.md')}`], { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  for (const stream of [bench.stdout, bench.stderr]) stream.setEncoding('utf8').on('data', (text: string) => { said += text })
  const [code] = await once(bench, 'exit')
  t.equal(code, 0, said)
  const page = await readFile(join(folder, 'page.md'), 'utf8')
  t.match(page, '## Warm WADO-RS of the whole study')
  t.match(page, /\| nginx: [^|]+ \| \d/)
  t.match(page, /\| warm WADO-RS, time \| Orthanc \| [\d.]+ s \| [\d.]+ s \| [\d.]+ \| ≤ 0\.30 \| (yes|\*\*NOT reached\*\*) \|/)
  t.match(page, /\| PACS baseline \(DB\.SO\.102\), throughput \| \d+ Mbit\/s/)
  t.match(page, /all 80: data set byte for byte as sent/)
  t.same((await readdir(join(folder, 'page'))).sort(), ROWS.map(name => `${name}.svg`).sort())
  const svg = await readFile(join(folder, 'page/warm.svg'), 'utf8')
  t.match(svg, /^<svg role="img" aria-label="Warm WADO-RS of the whole study: box [\d.]+; Orthanc/)
  t.match(svg, 'prefers-color-scheme:dark')
})

test('a row that there isn\'t is named, and nothing is measured', { skip }, async t => {
  const bench = spawn(process.execPath, [BENCH, '--quick', '--rows=nothing', `--page=${join(temporaryFolder(t), 'page.md')}`], { stdio: ['ignore', 'ignore', 'pipe'] })
  let said = ''
  bench.stderr.setEncoding('utf8').on('data', (text: string) => { said += text })
  const [code] = await once(bench, 'exit')
  t.equal(code, 1)
  t.match(said, 'no such row: nothing')
})
