/**
 * What the verbs ask a PACS: proposals, and the identifiers of C-FIND and C-MOVE.
 *
 * Source: DICOM PS3.4 §C.3, §C.4.1, §C.6.2 (Study Root).
 */

import { EXPLICIT_LE, IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'
import { firstText } from '#standards/dicom/dataset.ts'
import type { DicomJson } from '#standards/dicom/json.ts'
import type { Association } from '#standards/dimse/association.ts'
import { find } from '#standards/dimse/find.ts'
import { QUERY_RETRIEVE } from '#standards/dimse/query-retrieve.ts'
import type { Proposal } from '#standards/dimse/proposal.ts'

/** Explicit first: values of private or retired elements keep their VR. */
export const QUERY_SYNTAXES: readonly string[] = [EXPLICIT_LE, IMPLICIT_LE]

export const FIND_PROPOSAL: Proposal = { abstractSyntax: QUERY_RETRIEVE.study.find, transferSyntaxes: QUERY_SYNTAXES }
export const MOVE_PROPOSAL: Proposal = { abstractSyntax: QUERY_RETRIEVE.study.move, transferSyntaxes: QUERY_SYNTAXES }
export const GET_PROPOSAL: Proposal = { abstractSyntax: QUERY_RETRIEVE.study.get, transferSyntaxes: QUERY_SYNTAXES }

export interface SeriesFound {
  readonly seriesUid: string
  readonly modality: string | undefined
  /** Undefined where the PACS doesn't count: the key is optional. */
  readonly instances: number | undefined
}

export interface InstanceFound {
  readonly seriesUid: string
  readonly sopInstanceUid: string
  readonly sopClassUid: string | undefined
}

export async function * findSeries (association: Association, study: string, signal: AbortSignal): AsyncGenerator<SeriesFound> {
  const identifier: DicomJson = {
    '00080052': { vr: 'CS', Value: ['SERIES'] },
    '00080060': { vr: 'CS' },
    '0020000D': { vr: 'UI', Value: [study] },
    '0020000E': { vr: 'UI' },
    '00201209': { vr: 'IS' }
  }
  for await (const match of find(association, identifier, { signal })) {
    const seriesUid = firstText(match, '0020000E')
    if (seriesUid !== undefined) yield { seriesUid, modality: firstText(match, '00080060'), instances: count(match, '00201209') }
  }
}

export async function * findInstances (association: Association, study: string, seriesUid: string, signal: AbortSignal): AsyncGenerator<InstanceFound> {
  const identifier: DicomJson = {
    '00080016': { vr: 'UI' },
    '00080018': { vr: 'UI' },
    '00080052': { vr: 'CS', Value: ['IMAGE'] },
    '0020000D': { vr: 'UI', Value: [study] },
    '0020000E': { vr: 'UI', Value: [seriesUid] }
  }
  for await (const match of find(association, identifier, { signal })) {
    const sopInstanceUid = firstText(match, '00080018')
    if (sopInstanceUid !== undefined) yield { seriesUid, sopInstanceUid, sopClassUid: firstText(match, '00080016') }
  }
}

/** Level and unique keys, for C-MOVE and C-GET. */
export function portion (study: string, series?: string, instance?: string): DicomJson {
  return {
    '00080052': { vr: 'CS', Value: [instance !== undefined ? 'IMAGE' : series !== undefined ? 'SERIES' : 'STUDY'] },
    '0020000D': { vr: 'UI', Value: [study] },
    ...series !== undefined && { '0020000E': { vr: 'UI', Value: [series] } },
    ...instance !== undefined && { '00080018': { vr: 'UI', Value: [instance] } }
  }
}

/** Some that don't count say 0. */
export function count (match: DicomJson, tag: string): number | undefined {
  const number = Number(firstText(match, tag) ?? NaN)
  return Number.isInteger(number) && number > 0 ? number : undefined
}
