/**
 * Questions to the PACS: C-FIND through its slots, answers as they come.
 *
 * Source: DICOM PS3.4 §C.4.1.
 */

import type { Facts } from '#core/errors.ts'
import { characterSetFor } from '#standards/dicom/charset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import { find, type FindOptions } from '#standards/dimse/find.ts'
import type { Slots } from './slots.ts'

const CHARACTER_SET = '00080005'
/** Study, series and SOP Instance UID. */
const UNIQUE_KEYS = ['0020000D', '0020000E', '00080018']
/** Answers that may wait for a slow reader before the PACS has to wait too. */
const AHEAD_MAX = 500

/** Level and unique keys, as the identifiers of C-FIND and C-MOVE carry them. */
export function levelKeys (level: 'STUDY' | 'SERIES' | 'IMAGE', study: string, series?: string, instances?: readonly string[]): DicomJson {
  return {
    '00080052': { vr: 'CS', Value: [level] },
    '0020000D': { vr: 'UI', Value: [study] },
    ...series !== undefined && { '0020000E': { vr: 'UI', Value: [series] } },
    ...instances !== undefined && { '00080018': { vr: 'UI', Value: [...instances] } }
  }
}

export interface SeriesName {
  readonly seriesUid: string
  readonly modality: string | undefined
}

/** What the PACS says it has of one series. */
export interface SeriesCount extends SeriesName {
  /** Undefined where the PACS doesn't count: the key is optional (PS3.4 Table C.6-4). */
  readonly instances: number | undefined
  /** YYYYMMDD of the series, else of the study, where the PACS says. */
  readonly date: string | undefined
}

export interface InstanceName {
  readonly sopInstanceUid: string
  /** Undefined where the PACS doesn't say: the key is optional (PS3.4 Table C.6-5). */
  readonly sopClassUid: string | undefined
}

export class Query {
  readonly #slots: Slots
  readonly #characterSet: string
  readonly #onStranger: ((facts: Facts) => void) | undefined

  /**
   * @param characterSet in which a PACS writes that names none
   * @param onStranger told of an answer that nobody asked for
   */
  constructor (slots: Slots, characterSet: string, onStranger?: (facts: Facts) => void) {
    this.#slots = slots
    this.#characterSet = characterSet
    this.#onStranger = onStranger
  }

  /**
   * Answers one by one; leaving the loop early cancels the rest. One of another study, series or instance
   * than the identifier names is left out: a PACS that forgets a unique key (PS3.4 §C.2.2.1) must not have a
   * stranger's exam shown as the one that was asked for, nor its images counted.
   */
  async * answers (identifier: DicomJson, options: FindOptions & { readonly signal: AbortSignal }): AsyncGenerator<DicomJson> {
    const waiting: DicomJson[] = []
    let received = 0
    let ended = false
    let failure: unknown
    let wake: () => void = () => {}
    let more: () => void = () => {}
    const left = new AbortController()
    const signal = AbortSignal.any([options.signal, left.signal])
    const running = this.#slots.lend(signal, async association => {
      for await (const answer of find(association, this.#spelled(identifier), { ...options, signal })) {
        received++
        const stranger = strangeTo(identifier, answer)
        if (stranger !== undefined) {
          this.#onStranger?.(stranger)
          continue
        }
        waiting.push(answer)
        wake()
        if (waiting.length >= AHEAD_MAX) await new Promise<void>(resolve => { more = resolve })
      }
    }, { hasBegun: () => received > 0 }).catch(error => { failure = error }).finally(() => { ended = true; wake() })
    try {
      while (true) {
        for (const answer of waiting.splice(0)) yield answer
        more()
        // More may have come, and the end as well, while the caller was busy with the last.
        if (waiting.length > 0) continue
        if (ended) break
        await new Promise<void>(resolve => { wake = resolve })
      }
      if (failure !== undefined) throw failure
    } finally {
      left.abort()
      more()
      await running
    }
  }

  /** Names the character set, even of a question that needs none: old PACS answer in it without saying so. */
  #spelled (identifier: DicomJson): DicomJson {
    const set = characterSetFor(texts(identifier), [this.#characterSet])
    return { ...identifier, [CHARACTER_SET]: { vr: 'CS', Value: [...set] } }
  }

  /** Which series a study has: what every PACS can say at once, since nothing must be counted for it. */
  async seriesNames (study: string, signal: AbortSignal): Promise<SeriesName[]> {
    const identifier: DicomJson = { '0020000E': { vr: 'UI' }, ...levelKeys('SERIES', study), '00080060': { vr: 'CS' } }
    const found = new Map<string, SeriesName>()
    for await (const answer of this.answers(identifier, { signal })) {
      const seriesUid = firstText(answer, '0020000E')
      if (seriesUid !== undefined) found.set(seriesUid, { seriesUid, modality: firstText(answer, '00080060') })
    }
    return [...found.values()]
  }

  /** Every series of a study, or the one named, with its count where the PACS counts. */
  async series (study: string, series: string | undefined, signal: AbortSignal): Promise<SeriesCount[]> {
    const identifier: DicomJson = {
      '0020000E': { vr: 'UI' },
      ...levelKeys('SERIES', study, series),
      '00080020': { vr: 'DA' },
      '00080021': { vr: 'DA' },
      '00080060': { vr: 'CS' },
      '00201209': { vr: 'IS' }
    }
    const found = new Map<string, SeriesCount>()
    for await (const answer of this.answers(identifier, { signal })) {
      const seriesUid = firstText(answer, '0020000E')
      const count = Number(firstText(answer, '00201209') ?? NaN)
      if (seriesUid === undefined) continue
      const date = firstText(answer, '00080021') ?? firstText(answer, '00080020')
      found.set(seriesUid, {
        seriesUid,
        // Some that don't count say 0.
        instances: Number.isInteger(count) && count > 0 ? count : undefined,
        date,
        modality: firstText(answer, '00080060')
      })
    }
    return [...found.values()]
  }

  /** Every instance of a series. */
  async instances (study: string, series: string, signal: AbortSignal): Promise<InstanceName[]> {
    const identifier: DicomJson = { ...levelKeys('IMAGE', study, series), '00080018': { vr: 'UI' }, '00080016': { vr: 'UI' } }
    const found = new Map<string, InstanceName>()
    for await (const answer of this.answers(identifier, { signal })) {
      const sopInstanceUid = firstText(answer, '00080018')
      if (sopInstanceUid !== undefined) found.set(sopInstanceUid, { sopInstanceUid, sopClassUid: firstText(answer, '00080016') })
    }
    return [...found.values()]
  }
}

/** The unique key in which an answer isn't what was asked for; undefined where it is, or doesn't say. */
function strangeTo (identifier: DicomJson, answer: DicomJson): Facts | undefined {
  for (const tag of UNIQUE_KEYS) {
    const asked = identifier[tag]?.Value ?? []
    const given = firstText(answer, tag)
    if (asked.length > 0 && given !== undefined && given !== '' && !asked.includes(given)) return { tag, given }
  }
  return undefined
}

function * texts (identifier: DicomJson): Generator<string> {
  for (const { Value = [] } of Object.values(identifier)) {
    for (const value of Value) {
      if (typeof value === 'string') yield value
      else if (typeof value === 'object' && value !== null) yield * Object.values(value).filter(part => typeof part === 'string')
    }
  }
}
