/**
 * `drimbox bench pacs [STUDY]`: measures the site's own PACS with one study, tells beforehand what it will do, and
 * gives the national measures by name (DB.SO.102 of the national test set, and the seven of its performance page).
 *
 * Gentle enough for a PACS at work: one study, bounded in images, in time and in associations; nothing is kept, and
 * nothing that names a patient is asked for or shown.
 */

import type { Config } from '#box/config.ts'
import { RequestError } from '#core/errors.ts'
import { parseUid } from '#core/uid.ts'
import { askBox } from './admin.ts'
import { chooseStudy, type ChosenStudy } from './bench/choose-study.ts'
import { measureBox, type BoxMeasure } from './bench/measure-box.ts'
import { measurePacs, seriesIn, type PacsMeasure } from './bench/measure-pacs.ts'
import { inventory } from './inventory.ts'
import { UsageError, assertCount, choice, readOptions, wholeNumber } from './options.ts'
import { PACS_OPTIONS, settingsOf } from './settings.ts'
import { table } from './table.ts'
import { EXIT, type Terminal, type Verb } from './terminal.ts'

const SUBJECTS = ['pacs'] as const
const INSTANCES_MAX = 2000
const SECONDS_MAX = 120

export const benchVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, { ...PACS_OPTIONS, method: 'text', associations: 'text', instances: 'text', seconds: 'text', box: 'text', 'dry-run': 'flag', json: 'flag' }, words)
  assertCount(given, 1, 2, words)
  const [subject, named] = given.positionals
  if (!SUBJECTS.some(one => one === subject)) throw new UsageError(words.usage.oneOf('bench', SUBJECTS))
  const asked = named === undefined ? undefined : parseUid(named)
  const method = choice(given, 'method', ['move', 'get'] as const, words)
  const most = wholeNumber(given, 'associations', 1, 16, words)
  const instancesMax = wholeNumber(given, 'instances', 1, 100_000, words) ?? INSTANCES_MAX
  const secondsMax = wholeNumber(given, 'seconds', 1, 3600, words) ?? SECONDS_MAX
  const config = await settingsOf(given, words)
  const isForPeople = !given.flag('json')

  const study = asked === undefined
    ? await chooseStudy(config, instancesMax, new Date(), signal)
    : await theStudy(config, asked, instancesMax, terminal)
  terminal.progress(undefined)
  const plan = {
    pacs: `${config.pacs.calledTitle}@${config.pacs.host}:${config.pacs.port}`,
    study: study.studyUid,
    isChosen: asked === undefined,
    series: seriesIn(study),
    instances: study.instances.size,
    method: method ?? config.pacs.method,
    // Never more than the settings say that this PACS bears.
    associations: counts(Math.min(most ?? config.pacs.associationsMax, config.pacs.associationsMax, seriesIn(study))),
    secondsMax
  }
  if (isForPeople) terminal.out(words.bench.plan(plan))
  if (given.flag('dry-run')) {
    if (!isForPeople) terminal.out(JSON.stringify({ plan }, undefined, 2))
    return EXIT.ok
  }

  const pacs: PacsMeasure[] = []
  for (const associations of plan.associations) {
    const measure = await measurePacs(config, study, {
      method: plan.method,
      associations,
      secondsMax,
      signal,
      onArrived: count => { terminal.progress(words.bench.progress(associations, count, study.instances.size)) }
    })
    terminal.progress(undefined)
    pacs.push(measure)
    // What went wrong once is not asked of the PACS again.
    if (measure.instances < measure.expected) break
  }
  const base = given.text('box') ?? await runningBox(config, terminal)
  const box = base === undefined ? undefined : await measureBox(config, base, study, words.language, signal)
  if (isForPeople) {
    terminal.out(`\n${table(words.bench.headings, pacs.map(words.bench.row))}\n\n${table(words.bench.nationalHeadings, words.bench.national(pacs[0]!, box))}`)
    for (const line of words.bench.remarks(pacs)) terminal.err(line)
  } else {
    terminal.out(JSON.stringify({ plan, pacs: pacs.map(rounded), national: national(pacs[0]!, box) }, undefined, 2))
  }
  return pacs.every(({ instances, expected }) => instances === expected) ? EXIT.ok : EXIT.failed
}

async function theStudy (config: Config, studyUid: string, instancesMax: number, { signal, words, progress }: Terminal): Promise<ChosenStudy> {
  const instances = await inventory(config, studyUid, undefined, { signal, instancesMax, onFound: count => { progress(words.get.counting(count)) } })
  if (instances.size === 0) throw new RequestError('STUDY_UNKNOWN', 'the PACS has nothing of it', { facts: { study: studyUid } })
  return { studyUid, instances }
}

/** 1, 2, 4 … and the most that may be. */
function counts (most: number): number[] {
  const list: number[] = []
  for (let count = 1; count < most; count *= 2) list.push(count)
  return [...list, most]
}

/** Where the box of these settings answers, if it runs and listens on TCP. */
async function runningBox ({ adminSocket, http }: Config, { words, signal }: Terminal): Promise<string | undefined> {
  if (adminSocket === undefined || http.socket !== undefined) return undefined
  const runs = await askBox(adminSocket, 'GET', '/status', { language: words.language, signal }).then(() => true, () => false)
  return runs ? `http://${http.host}:${http.port}${http.prefix}` : undefined
}

/** For a program: the same names in every language. Undefined isn't measured; null is to come, with the box that consumes. */
function national (pacs: PacsMeasure, box: BoxMeasure | undefined): object {
  return {
    pacsFirstImageMilliseconds: round(pacs.firstImageMilliseconds),
    pacsBytes: pacs.bytes,
    pacsMegabitsPerSecond: round(pacs.megabitsPerSecond),
    sourceDisplayLatencyMilliseconds: round(box?.displayLatencyMilliseconds),
    sourceDisplayMegabitsPerSecond: round(box?.displayMegabitsPerSecond),
    wadoRsLatencyMilliseconds: round(box?.wadoLatencyMilliseconds),
    wadoRsMegabitsPerSecond: round(box?.wadoMegabitsPerSecond),
    wadoRsIsCold: box?.isCold,
    consumerDisplayLatencyMilliseconds: null,
    consumerDisplayMegabitsPerSecond: null,
    consumerExportMegabitsPerSecond: null
  }
}

function rounded ({ firstImageMilliseconds, milliseconds, megabitsPerSecond, instancesPerSecond, ...rest }: PacsMeasure): object {
  return { ...rest, firstImageMilliseconds: round(firstImageMilliseconds), milliseconds: round(milliseconds), megabitsPerSecond: round(megabitsPerSecond), instancesPerSecond: round(instancesPerSecond) }
}

function round (value: number | undefined): number | undefined {
  return value === undefined ? undefined : Math.round(value * 10) / 10
}
