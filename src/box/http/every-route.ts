/**
 * Every route that a box can have, without a box: for the OpenAPI document that is checked in, and for
 * the test that compares.
 */

import Fastify from 'fastify'
import type { ServedRoute } from '#standards/dicomweb/served-route.ts'
import { stowRoutes, type StowParts } from '../stow/routes.ts'
import { STOW_DESCRIBED } from '../stow/described.ts'
import { DESCRIBED } from '../wado/described.ts'
import { wadoRoutes, type WadoParts } from '../wado/routes.ts'
import { Resources } from './resources.ts'

/** Of both rooms that have DICOMweb routes. */
export const EVERY_DESCRIPTION = { ...DESCRIBED, ...STOW_DESCRIBED }

/** @returns also the names of all that are registered, described or not */
export async function everyRoute (): Promise<{ readonly routes: readonly ServedRoute[], readonly registered: readonly string[] }> {
  const app = Fastify()
  const resources = new Resources(app, EVERY_DESCRIPTION)
  // Nothing is asked, so nobody needs what answers.
  await stowRoutes(app, { settings: { enabled: true } } as unknown as StowParts)
  wadoRoutes(app, {} as unknown as WadoParts, resources)
  const { routes, registered } = resources
  await app.close()
  return { routes, registered }
}
