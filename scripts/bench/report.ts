/**
 * The report: what was measured on which machine, as a page to read, pictures beside it, and numbers
 * to compare. Written again after each row, so that nothing measured is lost.
 */

import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { availableParallelism, cpus, release, totalmem, type } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { drawChart } from './graph.ts'
import { spread } from './measure.ts'
import { nationalMeasures } from './national.ts'
import { run } from './processes.ts'
import { FIGURES, sayFigure, type Figure, type Reading, type VariantResult } from './rounds.ts'
import type { Goal, RowResult } from './row.ts'

export interface Report {
  readonly rounds: number
  /** Says how much smaller than the goals' own the work was, if so. */
  readonly quick: boolean
  readonly rows: readonly RowResult[]
}

/** @param page the pictures lie in a folder of its name, beside it */
export async function writeReport (page: string, numbers: string, report: Report): Promise<void> {
  const pictures = page.replace(/\.md$/, '')
  await mkdir(pictures, { recursive: true })
  const names = new Set<string>()
  const drawn = new Map<RowResult, string[]>()
  for (const row of report.rows) {
    const paths: string[] = []
    for (const [index, chart] of (row.charts ?? []).entries()) {
      const svg = drawChart(row, chart)
      if (svg === undefined) continue
      const name = `${row.name}${index === 0 ? '' : `-${index + 1}`}.svg`
      await writeFile(join(pictures, name), `${svg}\n`)
      names.add(name)
      paths.push(`${basename(pictures)}/${name}`)
    }
    drawn.set(row, paths)
  }
  for (const name of await readdir(pictures)) if (!names.has(name)) await rm(join(pictures, name), { recursive: true })
  await mkdir(dirname(page), { recursive: true })
  await writeFile(page, await renderReport(report, drawn))
  await writeFile(numbers, JSON.stringify(report.rows, undefined, 2))
}

async function renderReport ({ rounds, quick, rows }: Report, drawn: ReadonlyMap<RowResult, readonly string[]>): Promise<string> {
  const machine = await describeMachine()
  const goals = rows.flatMap(row => row.goals)
  const lines = [
    '# Performance',
    '',
    'Written by `make bench`, which measures this box and its opponents side by side, in one run, on one machine.',
    'What counts are the ratios: absolute times vary from machine to machine, and from day to day. Goals are those',
    'that were set beforehand; a run doesn\'t change them.',
    '',
    ...quick ? ['**A quick run on little data, which shows that everything works and says nothing of speed.**', ''] : [],
    ...machine.map(line => `- ${line}`),
    `- Medians of ${rounds} round${rounds === 1 ? '' : 's'}; each round runs every variant and begins with another one. In brackets the smallest and the largest.`,
    '- CPU seconds are those of the server alone, in user and kernel mode, from `/proc/PID/stat`; peaks of resident memory are `VmHWM`, taken anew at each run.',
    '- The whole runs in a network namespace of its own: loopback, where a round trip costs nothing, unless a row says that a cable lies between (a veth pair with MTU 1500, the PACS in a second namespace).',
    '- Loads of 16 connections are made by `wrk` with one thread and a Lua script that picks at random; everything else is read by a reader of the bench\'s own that only counts.',
    '',
    `**${goals.filter(({ reached }) => reached === true).length} of ${goals.length} goals reached**, ${goals.filter(({ reached }) => reached === false).length} not, ${goals.filter(({ reached }) => reached === undefined).length} not measured.`,
    '',
    '| measure | against | ours | theirs | ratio | goal | reached |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...goals.map(({ measure, against, ours, theirs, value, goal, reached }) => `| ${[measure, against, ours, theirs, value, goal, sayReached(reached)].join(' | ')} |`),
    '',
    ...nationalMeasures(rows),
    ''
  ]
  for (const row of rows) lines.push(...renderRow(row, drawn.get(row)!), '')
  return lines.join('\n').replace(/\n{3,}/g, '\n\n').trimEnd() + '\n'
}

export function sayReached (reached: Goal['reached']): string {
  return reached === undefined ? 'not measured' : reached ? 'yes' : '**NOT reached**'
}

function renderRow ({ title, about, variants, marked, notes }: RowResult, pictures: readonly string[]): string[] {
  const figures = (Object.keys(FIGURES) as Figure[]).filter(figure => variants.some(({ readings }) => readings.some(reading => reading[figure] !== undefined)))
  const isChecked = variants.some(({ checked }) => checked !== undefined)
  const heads = ['variant', ...figures.map(figure => FIGURES[figure].head), ...isChecked ? ['bytes'] : []]
  return [
    `## ${title}`,
    '',
    about,
    '',
    ...pictures.map(path => `![${title}: the figures are those of the table below](${path})`),
    '',
    ...variants.length === 0
      ? []
      : [
          `| ${heads.join(' | ')} |`,
          `|${' --- |'.repeat(heads.length)}`,
          ...variants.map(variant => `| ${[nameOf(variant), ...figures.map(figure => column(variant.readings, figure)), ...isChecked ? [variant.checked ?? ''] : []].join(' | ')} |`),
          ''
        ],
    ...notes.flatMap(note => [note, '']),
    ...marked.length > 0 ? [`Rounds in which others used more than a tenth of a core: ${marked.join(', ')}.`] : []
  ]
}

function nameOf ({ name, note, skipped, failed }: VariantResult): string {
  return [
    note === undefined ? name : `${name}: ${note}`,
    ...skipped === undefined ? [] : [`**skipped**: ${skipped}`],
    ...failed === undefined ? [] : [`**failed**: ${failed}`]
  ].join('; ')
}

function column (readings: readonly Reading[], figure: Figure): string {
  const values = readings.map(reading => reading[figure]).filter(value => value !== undefined)
  if (values.length === 0) return ''
  const { median, min, max } = spread(values)
  const say = (value: number): string => sayFigure(figure, value)
  return values.length === 1 ? `${say(median)} (once)` : `${say(median)} (${say(min)}–${say(max)})`
}

async function describeMachine (): Promise<string[]> {
  const system = /^PRETTY_NAME="?([^"\n]*)/m.exec(await readFile('/etc/os-release', 'utf8').catch(() => ''))?.[1] ?? type()
  const packages = await run('dpkg-query', ['--show', '--showformat', '${Package} ${Version}, ', 'dcmtk', 'orthanc', 'orthanc-dicomweb', 'nginx', 'wrk']) // eslint-disable-line no-template-curly-in-string
    .then(({ output }) => output.replace(/, $/, ''), () => 'of unknown version')
  const revision = await run('git', ['log', '-1', '--format=%h']).then(({ output }) => output.trim(), () => 'unknown')
  const congestion = await readFile('/proc/sys/net/ipv4/tcp_congestion_control', 'utf8').then(text => text.trim(), () => 'unknown')
  return [
    `${new Date().toISOString().slice(0, 10)}, revision ${revision}.`,
    `Machine: ${availableParallelism()} × ${cpus()[0]?.model ?? 'unknown'}, ${(totalmem() / 2 ** 30).toFixed(0)} GB, ${system}, Linux ${release()}, TCP congestion control ${congestion}.`,
    `Node ${process.version}; opponents: ${packages}, dcmjs-dimse of our \`package.json\`.`
  ]
}
