/**
 * Writes docs/standards/openapi.json: every route that a box can have.
 *
 *     node scripts/openapi.ts
 */

import { writeFile } from 'node:fs/promises'
import { everyRoute } from '#box/http/every-route.ts'
import { openApiText } from '#box/wado/capabilities.ts'

const { routes } = await everyRoute()
await writeFile(new URL('../docs/standards/openapi.json', import.meta.url), openApiText(routes, '/dicom-web'))
