/**
 * Speed and memory of the box beside DCMTK, Orthanc, nginx and dcmjs-dimse, in one run, into
 * docs/performance.md.
 *
 *     node scripts/bench/bench.ts [--rounds=5] [--rows=receiving,cold,…] [--minutes=45] [--quick] [--keep]
 *       [--page=docs/performance.md]
 *
 * Runs in a network namespace of its own where the machine gives one. Data is generated into var/bench
 * once. Three quarters of an hour with five rounds; the machine should have nothing else to do. A row
 * that fails is told with its reason and doesn't take the others with it; --keep measures it again, and leaves on the
 * page what the last run found of the others.
 */

import { rmSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { Data, LITTLE, WHOLE } from './data.ts'
import { againInOwnNetwork, isInOwnNetwork, raiseLoopback } from './network/own-network.ts'
import { installPeers } from './packages.ts'
import { stopAll, stopOnSignals, within } from './processes.ts'
import { sayReached, writeReport } from './report.ts'
import { sayError } from './rounds.ts'
import type { Bench, Row, RowResult } from './row.ts'
import { ROWS } from './rows.ts'
import { openSite } from './site.ts'

const ROOT = join(import.meta.dirname, '../..')
const USAGE = `node scripts/bench/bench.ts [--rounds=5] [--rows=${ROWS.map(({ name }) => name).join(',')}] [--minutes=45] [--quick] [--keep] [--page=docs/performance.md]`
const ROW_SECONDS_MAX = 600
/** When so much of the time is used, the rows that are left get fewer rounds. */
const TIME_SHORT = 0.65
const ROUNDS_WHEN_SHORT = 3

const { values } = parseArgs({
  options: {
    rounds: { type: 'string' },
    rows: { type: 'string', default: ROWS.map(({ name }) => name).join(',') },
    minutes: { type: 'string', default: '45' },
    quick: { type: 'boolean', default: false },
    keep: { type: 'boolean', default: false },
    page: { type: 'string' },
    help: { type: 'boolean', default: false }
  }
})

function tell (line: string): void {
  console.log(line)
}

/** @returns whether every row gave a result */
async function main (): Promise<boolean> {
  const wanted = values.rows.split(',')
  const unknown = wanted.filter(name => !ROWS.some(row => row.name === name))
  if (unknown.length > 0) throw new Error(`no such row: ${unknown.join(', ')}; there are ${ROWS.map(({ name }) => name).join(', ')}`)
  const rounds = Number(values.rounds ?? (values.quick ? 1 : 5))
  // A quick run proves the bench, and overwrites no figures.
  const page = resolve(values.page ?? join(ROOT, values.quick ? 'var/bench/quick.md' : 'docs/performance.md'))
  const kept = join(ROOT, 'var/bench/kept')
  await mkdir(join(ROOT, 'var/bench'), { recursive: true })
  const folder = await mkdtemp(join(ROOT, 'var/bench/run-'))
  process.on('exit', () => { rmSync(folder, { recursive: true, force: true }) })
  await mkdir(kept, { recursive: true })
  if (isInOwnNetwork()) await raiseLoopback()
  else tell('no network namespace on this machine: everything on the common loopback, and no cable')
  const data = new Data(join(ROOT, 'var/bench/data'), values.quick ? LITTLE : WHOLE, tell)
  const numbers = join(ROOT, `var/bench/rows${values.quick ? '-quick' : ''}.json`)
  const former = values.keep ? JSON.parse(await readFile(numbers, 'utf8')) as RowResult[] : []
  const results: RowResult[] = []
  for (const row of ROWS.filter(({ name }) => wanted.includes(name))) {
    tell(`\n${row.title}`)
    const began = performance.now()
    const isShort = began / 60_000 > Number(values.minutes) * TIME_SHORT && rounds > ROUNDS_WHEN_SHORT
    if (isShort) tell(`  ${ROUNDS_WHEN_SHORT} rounds, since time is short`)
    const own = join(folder, row.name)
    await mkdir(own, { recursive: true })
    const result = await measured(row, {
      folder: own,
      data,
      site: async cable => await openSite(kept, own, data, cable),
      rounds: isShort ? ROUNDS_WHEN_SHORT : rounds,
      loadSeconds: values.quick ? 1 : 3,
      tell
    })
    const asides = [...isShort ? [`${ROUNDS_WHEN_SHORT} rounds, since time was short.`] : [], ...values.keep ? ['Measured again by itself, after the others.'] : []]
    results.push({ ...result, notes: [...result.notes, ...asides] })
    await stopAll()
    await rm(own, { recursive: true, force: true })
    tell(`  ${((performance.now() - began) / 1000).toFixed(0)} s`)
    const all = ROWS.map(({ name }) => results.find(each => each.name === name) ?? former.find(each => each.name === name)).filter(each => each !== undefined)
    await writeReport(page, numbers, { rounds, quick: values.quick, rows: all })
  }
  tell('')
  for (const { measure, against, value, goal, reached } of results.flatMap(({ goals }) => goals)) {
    tell(`${sayReached(reached).replaceAll('*', '').padEnd(12)}  ${measure} / ${against}: ${value} (${goal})`)
  }
  tell(`\n${page}, after ${(performance.now() / 60_000).toFixed(0)} minutes`)
  return results.every(({ variants }) => variants.length > 0 && variants.every(({ failed }) => failed === undefined))
}

async function measured (row: Row, bench: Bench): Promise<RowResult> {
  const { name, title } = row
  try {
    const result = await within(row.secondsMax ?? ROW_SECONDS_MAX, title, row.measure(bench))
    return { name, title, ...result }
  } catch (error) {
    const reason = sayError(error)
    bench.tell(`  FAILED: ${reason}`)
    return {
      name,
      title,
      about: `**This row failed**: ${reason}`,
      variants: [],
      marked: [],
      goals: [{ measure: title, against: '', ours: '', theirs: '', value: reason, goal: '', reached: undefined }],
      notes: []
    }
  }
}

async function inside (): Promise<void> {
  stopOnSignals()
  // What a row that was given up leaves behind mustn't take the others with it.
  for (const event of ['unhandledRejection', 'uncaughtException'] as const) process.on(event, (error: unknown) => { console.error('  left behind:', sayError(error)) })
  try {
    if (!await main()) process.exitCode = 1
  } catch (error) {
    console.error(error)
    process.exitCode = 1
  } finally {
    await stopAll()
  }
  // Whatever a row that was given up still waits for.
  process.exit()
}

if (values.help) {
  tell(USAGE)
} else if (isInOwnNetwork()) {
  await inside()
} else {
  // Before the network is left behind: packages come over it.
  await installPeers(tell)
  const code = await againInOwnNetwork()
  if (code === undefined) await inside()
  else process.exitCode = code
}
