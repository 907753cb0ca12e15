import type { Appliance, Status } from '../appliance.ts'

/** So long nothing more may happen: longer than any start. */
export const QUIET_SECONDS = 240

/** Waits until a machine that starts again and again does so no more. @returns what its status page says then */
export async function settled (box: Appliance, seconds: number): Promise<Status> {
  let [starts, since] = [0, Date.now()]
  let status: Status | undefined
  await box.machine.until(async () => {
    if (box.machine.firmwareStarts !== starts) [starts, since] = [box.machine.firmwareStarts, Date.now()]
    status = await box.status()
    return Date.now() - since > QUIET_SECONDS * 1000 && status !== undefined && status.state !== 'starting'
  }, seconds, 'end of its restarts')
  return status as Status
}
