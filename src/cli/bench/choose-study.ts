/**
 * Which study a PACS is measured with, where nobody names one: the smallest that still tells something, found as
 * gently as C-FIND allows.
 */

import type { Config } from '#box/config.ts'
import { CapacityError, RequestError } from '#core/errors.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { inventory } from '../inventory.ts'
import { RECENT_DAYS, dicomDate, studies, type StudyFound } from '../pair/small-object.ts'
import { FIND_PROPOSAL, type InstanceFound } from '../questions.ts'
import { peerOf, timersOf } from '../settings.ts'

/** Fewer images than this measure the association more than the images. */
const INSTANCES_MIN = 50
/** Studies looked into before we give up: some PACS don't count, or count what they don't have. */
const TRIED_MAX = 5

export interface ChosenStudy {
  readonly studyUid: string
  readonly instances: ReadonlyMap<string, InstanceFound>
}

/** @throws RequestError STUDY_UNKNOWN when nothing suits */
export async function chooseStudy (config: Config, instancesMax: number, today: Date, signal: AbortSignal): Promise<ChosenStudy> {
  const candidates = await withAssociation(await peerOf(config), [FIND_PROPOSAL], { signal, timers: timersOf(config) }, async association => {
    const since = dicomDate(new Date(today.getTime() - RECENT_DAYS * 86_400_000))
    const recent = ordered((await studies(association, `${since}-`, signal)).studies, instancesMax)
    // A study that is too small is still better than an old one that must come from slow storage; but not alone.
    return recent.some(isLargeEnough) ? recent : ordered([...recent, ...(await studies(association, undefined, signal)).studies], instancesMax)
  })
  for (const { studyUid } of candidates.slice(0, TRIED_MAX)) {
    try {
      const instances = await inventory(config, studyUid, undefined, { signal, instancesMax })
      if (instances.size > 0) return { studyUid, instances }
    } catch (error) {
      if (!(error instanceof CapacityError)) throw error
    }
  }
  throw new RequestError('STUDY_UNKNOWN', 'no study of a suitable size was found: name one', { facts: { instancesMin: INSTANCES_MIN, instancesMax } })
}

/** The smallest of those that are large enough first, then those not counted, then the largest of the small ones. */
function ordered (found: readonly StudyFound[], instancesMax: number): StudyFound[] {
  const rank = (study: StudyFound): number => isLargeEnough(study) ? study.instances! : study.instances === undefined ? 1e6 : 2e6 - study.instances
  return found.filter(({ instances = 0 }) => instances <= instancesMax).sort((a, b) => rank(a) - rank(b))
}

function isLargeEnough ({ instances = 0 }: StudyFound): boolean {
  return instances >= INSTANCES_MIN
}
