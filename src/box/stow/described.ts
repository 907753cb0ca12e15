/**
 * What the routes that store are, in the words of the standard.
 *
 * Source: DICOM PS3.18 §10.5, Tables 10.5.1-1 and 10.5.3-1.
 */

import type { RouteDescription } from '#standards/dicomweb/served-route.ts'

const storing = { section: 'PS3.18 §10.5', payload: ['multipart/related; type="application/dicom"', 'application/dicom'], answers: ['application/dicom+json', 'application/json', 'application/dicom+xml'], successes: [202], failures: [400, 409, 415, 501, 502, 503, 504] }

/** By method and path; offered where storing is switched on. */
export const STOW_DESCRIBED: Readonly<Record<string, RouteDescription>> = {
  'POST /studies': { id: 'StoreInstances', summary: 'Stores objects, of any study, in the PACS.', ...storing },
  'POST /studies/:study': { id: 'StoreStudyInstances', summary: 'Stores objects of one study in the PACS.', ...storing }
}
