/** Request bodies become types at the door. */

import type { Static, TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { FleetError } from '../errors.ts'

/** @throws FleetError BODY_MALFORMED */
export function parseBody<T extends TSchema> (schema: T, body: unknown): Static<T> {
  const json = parseJson(body)
  if (Value.Check(schema, json)) return json as Static<T>
  const [slip] = Value.Errors(schema, json)
  throw new FleetError('BODY_MALFORMED', `${slip?.instancePath.slice(0, 100) || '/'} ${slip?.message ?? 'is wrong'}`)
}

/** @throws FleetError BODY_MALFORMED */
export function parseJson (body: unknown): unknown {
  if (!Buffer.isBuffer(body)) throw new FleetError('BODY_MALFORMED', 'a body is needed')
  try {
    return JSON.parse(body.toString('utf8'))
  } catch (error) {
    throw new FleetError('BODY_MALFORMED', 'the body is no JSON')
  }
}
