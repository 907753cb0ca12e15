/**
 * What became of each instance of a store request, as the standard tells it.
 *
 * Source: DICOM PS3.18 §10.5.3 (response), Table 10.5.3-1 (status codes), Annex I (Store Instances
 * Response Module), Tables I.2-1 and I.2-2 (reasons); PS3.4 Table B.2-1 (statuses of C-STORE).
 */

import type { DicomJson } from '#standards/dicom/json.ts'

/** Failure Reason (0008,1197), Table I.2-2; what a PACS answers is passed on as it is. */
export const FAILURE = {
  processing: 0x0110,
  notAuthorized: 0x0124,
  sopClassUnsupported: 0x0122,
  outOfResources: 0xA700,
  mismatch: 0xA900,
  cannotUnderstand: 0xC000,
  transferSyntaxUnsupported: 0xC122
} as const

/** One instance, or one part that isn't an instance. */
export interface StoreOutcome {
  /** Absent where nothing tells which instance it is: an Other Failure. */
  readonly instance?: {
    readonly studyUid: string
    readonly seriesUid: string
    readonly sopInstanceUid: string
    readonly sopClassUid: string
  }
  /** As the PACS answered (0000H, or a warning), or a reason of {@link FAILURE}. */
  readonly status: number
  /** It isn't what DICOM or multipart should be; not a matter of what anybody is willing to store. */
  readonly badSyntax?: boolean
}

/** Whether a C-STORE of this status left the instance in the PACS (PS3.7 Annex C: success, warning). */
export function isStored (status: number): boolean {
  return status === 0x0000 || isWarning(status)
}

function isWarning (status: number): boolean {
  return (status >= 0xB000 && status <= 0xBFFF) || status === 0x0001 || status === 0x0107 || status === 0x0116
}

/**
 * Table 10.5.3-1. All stored is 200; some, or with a warning, 202; none for bad syntax 400, none for
 * any other reason 409.
 */
export function storeStatusCode (outcomes: readonly StoreOutcome[]): 200 | 202 | 400 | 409 {
  const stored = outcomes.filter(({ status }) => isStored(status)).length
  if (stored === 0) return outcomes.every(({ badSyntax }) => badSyntax) ? 400 : 409
  return outcomes.every(({ status }) => status === 0x0000) ? 200 : 202
}

/**
 * The Store Instances Response Module.
 *
 * @param base absolute URL of this DICOMweb service, without a slash at its end
 */
export function storeResponse (outcomes: readonly StoreOutcome[], base: string): DicomJson {
  const stored: DicomJson[] = []
  const failed: DicomJson[] = []
  const other: DicomJson[] = []
  const studies = new Set<string>()
  for (const { instance, status } of outcomes) {
    if (instance === undefined) {
      other.push({ '00081197': { vr: 'US', Value: [status] } })
      continue
    }
    const { studyUid, seriesUid, sopInstanceUid, sopClassUid } = instance
    const reference: DicomJson = {
      '00081150': uid(sopClassUid),
      '00081155': uid(sopInstanceUid)
    }
    if (!isStored(status)) {
      failed.push({ ...reference, '00081197': { vr: 'US', Value: [status] } })
      continue
    }
    studies.add(studyUid)
    stored.push({
      ...reference,
      '00081190': { vr: 'UR', Value: [`${base}/studies/${studyUid}/series/${seriesUid}/instances/${sopInstanceUid}`] },
      ...status !== 0x0000 && { '00081196': { vr: 'US', Value: [status] } }
    })
  }
  const [study, ...more] = studies
  return {
    // Type 2: empty where there is none, or more than one.
    '00081190': study === undefined || more.length > 0 ? { vr: 'UR' } : { vr: 'UR', Value: [`${base}/studies/${study}`] },
    ...failed.length > 0 && { '00081198': { vr: 'SQ' as const, Value: failed } },
    ...stored.length > 0 && { '00081199': { vr: 'SQ' as const, Value: stored } },
    ...other.length > 0 && { '0008119A': { vr: 'SQ' as const, Value: other } }
  }
}

function uid (text: string): DicomJson[string] {
  return text === '' ? { vr: 'UI' } : { vr: 'UI', Value: [text] }
}
