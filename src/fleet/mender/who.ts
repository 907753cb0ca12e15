/** Which device asks: by its token, as long as its key is accepted, and not too often. */

import type { FastifyRequest } from 'fastify'
import { FleetError } from '../errors.ts'
import type { Budget } from '../http/budget.ts'
import type { Tokens } from '../keys/token.ts'
import type { DeviceTable } from '../store/devices.ts'

declare module 'fastify' {
  interface FastifyRequest {
    /** Set by {@link admit}, before any body is read. */
    deviceId?: string
  }
}

export interface AdmitParts {
  readonly devices: Pick<DeviceTable, 'isAccepted'>
  readonly tokens: Pick<Tokens, 'check'>
  readonly budget: Pick<Budget, 'spend'>
}

/** For `onRequest`. @throws FleetError TOKEN_REFUSED, TOO_MANY */
export function admit ({ devices, tokens, budget }: AdmitParts): (request: FastifyRequest) => Promise<void> {
  return async request => {
    const { deviceId, fingerprint } = tokens.check(request.headers.authorization)
    if (!devices.isAccepted(deviceId, fingerprint)) throw new FleetError('TOKEN_REFUSED', 'the device is not accepted any more')
    budget.spend(deviceId)
    request.deviceId = deviceId
  }
}

export function deviceOf (request: FastifyRequest): string {
  if (request.deviceId === undefined) throw new Error('a route without admission')
  return request.deviceId
}
