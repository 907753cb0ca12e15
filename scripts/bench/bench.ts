/**
 * Speed and memory of the box beside DCMTK, Orthanc and dcmjs-dimse, in one run, into
 * docs/performance.md.
 *
 *     node scripts/bench/bench.ts [--rounds=5] [--rows=receiving,cold,warm,ins,memory] [--page=docs/performance.md]
 *
 * Data is generated into var/bench once. Half an hour with five rounds; the machine should have
 * nothing else to do.
 */

import { mkdir, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareData } from './data.ts'
import { installPeers } from './packages.ts'
import { stopAll, stopOnSignals } from './processes.ts'
import { writeReport } from './report.ts'
import type { Bench, Row, RowResult } from './row.ts'
import { cold } from './rows/cold.ts'
import { memory } from './rows/memory.ts'
import { receiving } from './rows/receiving.ts'
import { ins, warm } from './rows/warm.ts'
import { openSite, type Site } from './site.ts'

const ROWS: readonly Row[] = [receiving, cold, warm, ins, memory]
const ROOT = join(import.meta.dirname, '../..')

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '5' },
    rows: { type: 'string', default: ROWS.map(({ name }) => name).join(',') },
    page: { type: 'string', default: join(ROOT, 'docs/performance.md') },
    help: { type: 'boolean', default: false }
  }
})

function tell (line: string): void {
  console.log(line)
}

async function main (): Promise<void> {
  const wanted = values.rows.split(',')
  const unknown = wanted.filter(name => !ROWS.some(row => row.name === name))
  if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}`)
  const kept = join(ROOT, 'var/bench/kept')
  const folder = join(ROOT, 'var/bench/run')
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await mkdir(kept, { recursive: true })
  await installPeers(tell)
  const data = await prepareData(join(ROOT, 'var/bench/data'), tell)
  let site: Promise<Site> | undefined
  const bench: Bench = {
    folder,
    data,
    site: async () => await (site ??= openSite(kept, folder, data)),
    rounds: Number(values.rounds),
    tell
  }
  const rows: RowResult[] = []
  for (const row of ROWS.filter(({ name }) => wanted.includes(name))) {
    tell(`\n${row.title}`)
    rows.push(await row.measure(bench))
  }
  await writeReport(resolve(values.page), join(folder, 'rows.json'), { data, rounds: bench.rounds, rows })
  tell('')
  for (const { measure, against, value, goal, reached } of rows.flatMap(({ goals }) => goals)) {
    tell(`${reached ? 'reached    ' : 'NOT reached'}  ${measure} / ${against}: ${value} (${goal})`)
  }
  tell(`\n${values.page}`)
}

if (values.help) {
  tell('node scripts/bench/bench.ts [--rounds=5] [--rows=receiving,cold,warm,ins,memory] [--page=docs/performance.md]')
} else {
  stopOnSignals()
  try {
    await main()
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  } finally {
    await stopAll()
  }
}
