/**
 * Every instance of a study or series by its name, as C-FIND tells: what is expected when it is asked for.
 *
 * Source: DICOM PS3.4 §C.4.1.
 */

import type { Config } from '#box/config.ts'
import { CapacityError } from '#core/errors.ts'
import { parseUid } from '#core/uid.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { FIND_PROPOSAL, findInstances, findSeries, type InstanceFound } from './questions.ts'
import { peerOf, timersOf } from './settings.ts'

/** More than any study has; a PACS that never ends its list is left. */
const INSTANCES_MAX = 200_000

export interface InventoryOptions {
  readonly signal: AbortSignal
  /** Told how many there are by now. */
  readonly onFound?: (count: number) => void
  readonly instancesMax?: number
}

/** @throws CapacityError BUSY when there are more than may be */
export async function inventory (config: Config, study: string, series: string | undefined, { signal, onFound, instancesMax = INSTANCES_MAX }: InventoryOptions): Promise<Map<string, InstanceFound>> {
  return await withAssociation(await peerOf(config), [FIND_PROPOSAL], { signal, timers: timersOf(config) }, async association => {
    const found = new Map<string, InstanceFound>()
    const seriesFound = series === undefined ? await Array.fromAsync(findSeries(association, study, signal)) : [{ seriesUid: series }]
    for (const { seriesUid } of seriesFound) {
      for await (const instance of findInstances(association, study, seriesUid, signal)) {
        if (found.size === instancesMax) throw new CapacityError('BUSY', 'the PACS lists more than may be', { facts: { study, instancesMax } })
        found.set(parseUid(instance.sopInstanceUid), instance)
        onFound?.(found.size)
      }
    }
    return found
  })
}
