/**
 * What a device calls itself: a JSON object of texts, in one spelling, so that the same identity is the
 * same device whatever the order in which its keys are told.
 *
 * Source: Mender device API, authentication v1, `id_data`.
 */

import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { FleetError } from '../errors.ts'

const text = Type.String({ minLength: 1, maxLength: 256 })
const Identity = Type.Record(Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$' }), Type.Union([text, Type.Array(text, { minItems: 1, maxItems: 32 })]), { minProperties: 1, maxProperties: 32, additionalProperties: false })

/**
 * @param json as the device tells it
 * @returns canonical JSON
 * @throws FleetError IDENTITY_INVALID
 */
export function parseIdentity (json: string): string {
  let said: unknown
  try {
    said = JSON.parse(json)
  } catch (error) {
    throw new FleetError('IDENTITY_INVALID', 'id_data is no JSON')
  }
  if (!Value.Check(Identity, said)) throw new FleetError('IDENTITY_INVALID', 'id_data is no object of texts')
  return JSON.stringify(Object.fromEntries(Object.entries(said).sort(([a], [b]) => a < b ? -1 : 1)))
}
