/**
 * Measures the box and its opponents side by side and writes docs/performance.md.
 *
 *     node scripts/bench.ts [--rows=receiving,cold,warm,ins,memory] [--rounds=5]
 *
 * A run of fewer rows or rounds is written to var/bench alone, so that the page always tells of one
 * whole run.
 */

import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { prepareData } from './bench/data.ts'
import { installPeers } from './bench/packages.ts'
import { stopAll, stopOnSignals } from './bench/processes.ts'
import { writeReport } from './bench/report.ts'
import type { Bench, Row, RowResult } from './bench/row.ts'
import { cold } from './bench/rows/cold.ts'
import { memory } from './bench/rows/memory.ts'
import { receiving } from './bench/rows/receiving.ts'
import { ins, warm } from './bench/rows/warm.ts'
import { openSite, type Site } from './bench/site.ts'

const ROWS: readonly Row[] = [receiving, cold, warm, ins, memory]
/** Fewer make no median. */
const ROUNDS_MIN = 5

const HELP = `Usage: node scripts/bench.ts [--rows=NAME,…] [--rounds=N]

  --rows    which rows to measure (all):
${ROWS.map(({ name, title }) => `              ${name.padEnd(10)} ${title}`).join('\n')}
  --rounds  how often each variant runs (${ROUNDS_MIN})
  --help    this text

Writes docs/performance.md when all rows are measured in at least ${ROUNDS_MIN} rounds, else var/bench/performance.md.
Needs Linux and Debian's dcmtk, orthanc and orthanc-dicomweb, which it installs when it runs as root.
`

const { values } = parseArgs({
  options: { rows: { type: 'string' }, rounds: { type: 'string', default: String(ROUNDS_MIN) }, help: { type: 'boolean', default: false } }
})

if (values.help) {
  process.stdout.write(HELP)
} else {
  stopOnSignals()
  try {
    await bench(chosenRows(values.rows), roundsOf(values.rounds))
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  } finally {
    await stopAll()
  }
}

async function bench (rows: readonly Row[], rounds: number): Promise<void> {
  const root = join(import.meta.dirname, '..')
  const folder = join(root, 'var/bench')
  const tell = (line: string): void => { console.log(line) }
  await installPeers(tell)
  const data = await prepareData(join(folder, 'data'), tell)
  const run = join(folder, 'run')
  await rm(run, { recursive: true, force: true })
  let site: Promise<Site> | undefined
  const given: Bench = { folder: run, data, rounds, tell, site: async () => await (site ??= openSite(folder, run, data)) }
  const results: RowResult[] = []
  for (const row of rows) {
    tell(row.title)
    results.push(await row.measure(given))
  }
  const isWhole = rows.length === ROWS.length && rounds >= ROUNDS_MIN
  const page = join(isWhole ? join(root, 'docs') : folder, 'performance.md')
  await writeReport(page, join(folder, 'readings.json'), { data, rounds, rows: results })
  for (const { measure, against, value, goal, reached } of results.flatMap(({ goals }) => goals)) {
    tell(`${reached ? 'reached' : 'MISSED '}  ${measure} against ${against}: ${value}, goal ${goal}`)
  }
  tell(`written to ${page}`)
}

/** @throws Error naming a row that isn't one */
function chosenRows (text: string | undefined): readonly Row[] {
  if (text === undefined) return ROWS
  return text.split(',').map(name => {
    const row = ROWS.find(row => row.name === name)
    if (row === undefined) throw new Error(`no row is called ${name}`)
    return row
  })
}

function roundsOf (text: string): number {
  const rounds = Number(text)
  if (!Number.isInteger(rounds) || rounds < 1) throw new Error('rounds must be a positive number')
  return rounds
}
