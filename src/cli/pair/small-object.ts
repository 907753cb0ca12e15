/**
 * Finds one small object to bring back, as gently as C-FIND allows: recent studies first, few answers, then down
 * through the series to an instance.
 *
 * Source: DICOM PS3.4 §C.4.1, §C.2.2.2.5 (date range). Patients' names are not asked for: what the proof says may be
 * handed to anyone.
 */

import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import { withAssociation, type Association } from '#standards/dimse/association.ts'
import { PeerError, RequestError } from '#core/errors.ts'
import { find } from '#standards/dimse/find.ts'
import { FIND_PROPOSAL, count, findInstances, findSeries, type InstanceFound, type SeriesFound } from '../questions.ts'
import { refusal, type Reach } from './reach.ts'
import { found, type Outcome } from './step.ts'

export interface SmallObject extends InstanceFound {
  readonly studyUid: string
  readonly modality: string | undefined
}

/** Enough to choose from; after these the PACS is told to stop. */
const STUDIES_MAX = 100
const SERIES_MAX = 100
/** Studies looked into before we give up. */
const STUDIES_TRIED_MAX = 5
export const RECENT_DAYS = 30

/** Modalities whose objects are small, or at least not films and volumes. */
const RANKS: Readonly<Record<string, number>> = { SR: 0, KO: 0, PR: 0, DOC: 0, OT: 1, CR: 1, CT: 2, MR: 2, PT: 2, NM: 2, IO: 3, PX: 3, DX: 4, RF: 5, MG: 6, US: 7, XA: 8 }
const RANK_DEFAULT = 5

export interface StudyFound {
  readonly studyUid: string
  readonly modalities: readonly string[]
  readonly instances: number | undefined
}

/** @param avoided studies that prove nothing, since the box has them already */
export async function findSmallObject ({ peer, timers, signal }: Reach, today: Date, avoided: ReadonlySet<string>): Promise<Outcome & { readonly object?: SmallObject }> {
  try {
    return await withAssociation(peer, [FIND_PROPOSAL], { signal, timers }, async association => {
      const since = dicomDate(new Date(today.getTime() - RECENT_DAYS * 86_400_000))
      const recent = await studies(association, `${since}-`, signal)
      const all = recent.studies.length > 0 ? undefined : await studies(association, undefined, signal)
      const { studies: list } = all ?? recent
      const facts = {
        since,
        recentStudies: counted(recent),
        ...all !== undefined && { allStudies: counted(all) }
      }
      if (list.length === 0) return { mark: 'failed' as const, facts, findings: [found('find-empty')] }
      const ordered = list.toSorted((a, b) => Number(avoided.has(a.studyUid)) - Number(avoided.has(b.studyUid)) || weight(a) - weight(b))
      for (const study of ordered.slice(0, STUDIES_TRIED_MAX)) {
        const object = await smallestIn(association, study, signal)
        if (object === undefined) continue
        const { studyUid, seriesUid, sopInstanceUid, sopClassUid, modality } = object
        return { object, facts: { ...facts, modality, sopClassUid, studyUid, seriesUid, sopInstanceUid } }
      }
      return { mark: 'failed' as const, facts, findings: [found('find-no-instance')] }
    })
  } catch (error) {
    if (error instanceof RequestError) return { mark: 'failed', findings: [found('find-failed', { code: error.code })] }
    if (error instanceof PeerError && error.code === 'PACS_STATUS') {
      return { mark: 'failed', findings: [found('find-failed', { code: error.code, status: error.facts.status, comment: error.facts.errorComment })] }
    }
    return { mark: 'failed', findings: [refusal(error)] }
  }
}

interface StudyList { readonly studies: readonly StudyFound[], readonly isCut: boolean }

/** @param date a range of StudyDate; undefined for all */
export async function studies (association: Association, date: string | undefined, signal: AbortSignal): Promise<StudyList> {
  const identifier: DicomJson = {
    '00080020': date === undefined ? { vr: 'DA' } : { vr: 'DA', Value: [date] },
    '00080052': { vr: 'CS', Value: ['STUDY'] },
    '00080061': { vr: 'CS' },
    '0020000D': { vr: 'UI' },
    '00201208': { vr: 'IS' }
  }
  const list: StudyFound[] = []
  for await (const match of find(association, identifier, { signal })) {
    const studyUid = firstText(match, '0020000D')
    if (studyUid === undefined) continue
    if (list.length === STUDIES_MAX) return { studies: list, isCut: true }
    list.push({ studyUid, modalities: (match['00080061']?.Value ?? []).map(String), instances: count(match, '00201208') })
  }
  return { studies: list, isCut: false }
}

async function smallestIn (association: Association, { studyUid }: StudyFound, signal: AbortSignal): Promise<SmallObject | undefined> {
  const all: SeriesFound[] = []
  for await (const one of findSeries(association, studyUid, signal)) {
    all.push(one)
    if (all.length === SERIES_MAX) break
  }
  const series = all.sort((a, b) => rank(a.modality) - rank(b.modality) || (a.instances ?? Infinity) - (b.instances ?? Infinity))[0]
  if (series === undefined) return undefined
  // The first will do: asking for rows and columns confuses some PACS, and tells nothing of compressed bytes.
  const instances = findInstances(association, studyUid, series.seriesUid, signal)
  const first = await instances.next()
  await instances.return(undefined)
  return first.done === true ? undefined : { ...first.value, studyUid, modality: series.modality }
}

function counted ({ studies, isCut }: StudyList): string {
  return `${studies.length}${isCut ? '+' : ''}`
}

/** Small modalities first, then few instances. */
function weight ({ modalities, instances }: StudyFound): number {
  return Math.min(RANK_DEFAULT, ...modalities.map(rank)) * 1000 + Math.min(instances ?? 500, 999)
}

function rank (modality: string | undefined): number {
  return RANKS[modality ?? ''] ?? RANK_DEFAULT
}

export function dicomDate (date: Date): string {
  return date.toISOString().slice(0, 10).replaceAll('-', '')
}
