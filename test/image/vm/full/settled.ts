import type { Appliance, Status } from '../appliance.ts'
import { LOADED_BOOT_SECONDS, TRIES } from './delivered.ts'

/** So long nothing more may happen: longer than any start. */
export const QUIET_SECONDS = 240
/** The tries, the last stand after them (health-gate), and one for bad luck. */
export const STARTS_MAX = TRIES + 2
/** Of a test that waits for it. */
export const TIMEOUT_MS = (STARTS_MAX + 1) * LOADED_BOOT_SECONDS * 1000

/** Waits until a machine that starts again and again does so no more. @returns what its status page says then */
export async function settled (box: Appliance): Promise<Status> {
  let [starts, since] = [0, Date.now()]
  let status: Status | undefined
  await box.machine.until(async () => {
    if (box.machine.firmwareStarts !== starts) [starts, since] = [box.machine.firmwareStarts, Date.now()]
    status = await box.status()
    return Date.now() - since > QUIET_SECONDS * 1000 && status !== undefined && status.state !== 'starting'
  }, TIMEOUT_MS / 1000, 'end of its restarts')
  return status as Status
}
