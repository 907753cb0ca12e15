/**
 * The report: what was measured on which machine, as a page to read and as numbers to compare.
 */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { dirname } from 'node:path'
import type { Data } from './data.ts'
import { spread } from './measure.ts'
import { run } from './processes.ts'
import type { Reading } from './rounds.ts'
import type { RowResult } from './row.ts'

export interface Report {
  readonly data: Data
  readonly rounds: number
  readonly rows: readonly RowResult[]
}

/** Writes the page and, beside the rest of the bench, every reading. */
export async function writeReport (page: string, numbers: string, report: Report): Promise<void> {
  await mkdir(dirname(page), { recursive: true })
  await writeFile(page, await renderReport(report))
  await writeFile(numbers, JSON.stringify(report.rows, undefined, 2))
}

async function renderReport ({ data, rounds, rows }: Report): Promise<string> {
  const machine = await describeMachine()
  const { ct, huge } = data
  const lines = [
    '# Performance',
    '',
    'Written by `make bench`, which measures this box and its opponents side by side, in one run, on one machine.',
    'What counts are the ratios: absolute times vary from machine to machine, and from day to day.',
    '',
    ...machine.map(line => `- ${line}`),
    `- Work: one study of ${ct.files.length} CT in JPEG-LS, ${megabytes(ct.bytes)} MB; one object of ${megabytes(huge.bytes)} MB.`,
    `- Medians of ${rounds} rounds; each round runs every variant and begins with another one. In brackets the smallest and the largest.`,
    '- CPU seconds are those of the server alone, in user and kernel mode, from `/proc/PID/stat`; peaks of resident memory are `VmHWM`, taken anew at each run.',
    '- Everything runs on loopback, where a round trip costs nothing: on a cable the turns of DIMSE weigh more.',
    '',
    '| measure | against | ours | theirs | ratio | goal | reached |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows.flatMap(({ goals }) => goals).map(({ measure, against, ours, theirs, value, goal, reached }) =>
      `| ${[measure, against, ours, theirs, value, goal, reached ? 'yes' : '**no**'].join(' | ')} |`),
    ''
  ]
  for (const row of rows) lines.push(...renderRow(row), '')
  return lines.join('\n')
}

function renderRow ({ title, about, variants, marked, notes }: RowResult): string[] {
  return [
    `## ${title}`,
    '',
    about,
    '',
    '| variant | seconds | CPU s | first byte ms | peak MB | bytes |',
    '| --- | --- | --- | --- | --- | --- |',
    ...variants.map(({ name, note, readings, checked }) => `| ${[
      note === undefined ? name : `${name}: ${note}`,
      column(readings, 'seconds', 1, 2),
      column(readings, 'cpuSeconds', 1, 2),
      column(readings, 'firstByteMs', 1, 0),
      column(readings, 'peakBytes', 1e-6, 0),
      checked ?? ''
    ].join(' | ')} |`),
    '',
    ...notes,
    ...marked.length > 0 ? [`Rounds in which others used more than a tenth of a core: ${marked.join(', ')}.`] : []
  ]
}

function column (readings: readonly Reading[], figure: keyof Reading, unit: number, digits: number): string {
  const values = readings.map(reading => reading[figure]).filter(value => value !== undefined)
  if (values.length === 0) return ''
  const { median, min, max } = spread(values)
  const say = (value: number): string => (value * unit).toFixed(figure === 'seconds' && value < 0.1 ? 3 : digits)
  return values.length === 1 ? `${say(median)} (once)` : `${say(median)} (${say(min)}–${say(max)})`
}

async function describeMachine (): Promise<string[]> {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? type()
  const packages = await run('dpkg-query', ['--show', '--showformat', '${Package} ${Version}, ', 'dcmtk', 'orthanc', 'orthanc-dicomweb']) // eslint-disable-line no-template-curly-in-string
    .then(({ output }) => output.replace(/, $/, ''), () => 'of unknown version')
  const revision = await run('git', ['log', '-1', '--format=%h']).then(({ output }) => output.trim(), () => 'unknown')
  return [
    `${new Date().toISOString().slice(0, 10)}, revision ${revision}.`,
    `Machine: ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, ${system}, Linux ${release()}.`,
    `Node ${process.version}; opponents: ${packages}, dcmjs-dimse of our \`package.json\`.`
  ]
}

function megabytes (bytes: number): string {
  return (bytes / 1e6).toFixed(0)
}
