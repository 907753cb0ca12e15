/**
 * What goes wrong, as HTTP tells it: one table from code to status, one body for people and scripts.
 *
 * Source: RFC 9457 (problem details), RFC 9110 §10.2.3 (Retry-After) and §11.6.1 (WWW-Authenticate),
 * DICOM PS3.18 §8.5 (status codes).
 * Owns statuses and titles. Leaves codes and messages to core/errors, sending to box/http.
 */

import { DrimboxError, type Code, type Facts, type SignerCode } from '#core/errors.ts'
import { prefersEnglish } from './language.ts'

/** What the gateway can answer: the signer's codes are its own socket's. */
type ServedCode = Exclude<Code, SignerCode>

/** Stops compiling when a code has no status. */
export const STATUS = {
  UID_INVALID: 400,
  QUERY_INVALID: 400,
  ACCEPT_INVALID: 400,
  ACCEPT_UNSUPPORTED: 406,
  MEDIA_UNSUPPORTED: 415,
  HEADER_MISSING: 400,
  TOKEN_REFUSED: 401,
  MANIFEST_UNKNOWN: 404,
  STUDY_UNKNOWN: 404,
  SERIES_UNKNOWN: 404,
  INSTANCE_UNKNOWN: 404,
  FRAME_UNKNOWN: 404,
  BULKDATA_UNKNOWN: 404,
  ROUTE_UNKNOWN: 404,
  METHOD_REFUSED: 405,
  PRECONDITION_FAILED: 412,
  RANGE_UNSATISFIABLE: 416,
  NOT_OFFERED: 501,
  PIXELS_UNREADABLE: 406, // PS3.18 §8.7.8: the representation that was asked for can't be made
  PIXELS_TOO_LARGE: 406,
  RENDER_UNSUPPORTED: 406,
  DATA_MALFORMED: 400,
  PACS_UNREACHABLE: 503,
  PACS_REJECTED: 502,
  PACS_ABORTED: 502,
  PACS_TIMEOUT: 504,
  PACS_STATUS: 502,
  PACS_CONTEXT: 502,
  PACS_INCOMPLETE: 502,
  PACS_RESTING: 503,
  PROTOCOL_VIOLATION: 502,
  CANCELLED: 499, // in no registry; what front proxies write when the caller left first
  STORE_FULL: 507,
  STORE_FAILED: 500,
  BUSY: 503,
  CLOSING: 503,
  SETTING_INVALID: 500
} as const satisfies Record<ServedCode, number>

/** French first, English second, as everywhere that a person reads. */
const TITLES = {
  UID_INVALID: ['Identifiant DICOM invalide', 'Not a DICOM UID'],
  QUERY_INVALID: ['Critère de recherche invalide', 'Invalid query key or value'],
  ACCEPT_INVALID: ['En-tête Accept illisible', 'Unreadable Accept header'],
  ACCEPT_UNSUPPORTED: ['Aucun format accepté ne peut être fourni', 'No acceptable format can be given'],
  MEDIA_UNSUPPORTED: ['Type de contenu non pris en charge', 'Unsupported media type'],
  HEADER_MISSING: ['En-tête obligatoire absent', 'Required header missing'],
  TOKEN_REFUSED: ['Jeton absent ou refusé', 'Token missing or refused'],
  MANIFEST_UNKNOWN: ['Manifeste inconnu', 'Unknown manifest'],
  STUDY_UNKNOWN: ['Examen inconnu', 'Unknown study'],
  SERIES_UNKNOWN: ['Série inconnue', 'Unknown series'],
  INSTANCE_UNKNOWN: ['Image inconnue', 'Unknown instance'],
  FRAME_UNKNOWN: ['Vue inconnue', 'Unknown frame'],
  BULKDATA_UNKNOWN: ['Donnée volumineuse inconnue', 'Unknown bulk data'],
  ROUTE_UNKNOWN: ['Ressource inconnue', 'Unknown resource'],
  METHOD_REFUSED: ['Méthode non permise sur cette ressource', 'Method not allowed for this resource'],
  PRECONDITION_FAILED: ['Condition préalable non remplie', 'Precondition failed'],
  RANGE_UNSATISFIABLE: ['Plage d\'octets hors limites', 'Byte range beyond the end'],
  NOT_OFFERED: ['Service non proposé par cette version', 'Not offered by this release'],
  PIXELS_UNREADABLE: ['Pixels illisibles', 'Unreadable pixel data'],
  PIXELS_TOO_LARGE: ['Image trop grande pour être convertie', 'Image too large to be converted'],
  RENDER_UNSUPPORTED: ['Objet sans représentation visuelle', 'No picture can be made of this object'],
  DATA_MALFORMED: ['Données mal formées', 'Malformed data'],
  PACS_UNREACHABLE: ['PACS injoignable', 'PACS unreachable'],
  PACS_REJECTED: ['Association refusée par le PACS', 'Association rejected by the PACS'],
  PACS_ABORTED: ['Association interrompue par le PACS', 'Association aborted by the PACS'],
  PACS_TIMEOUT: ['Le PACS ne répond pas', 'The PACS does not answer'],
  PACS_STATUS: ['Le PACS signale un échec', 'The PACS reports a failure'],
  PACS_CONTEXT: ['Le PACS ne propose pas ce service', 'The PACS does not accept this service'],
  PACS_INCOMPLETE: ['Le PACS a transmis un lot incomplet', 'The PACS sent less than it has'],
  PACS_RESTING: ['PACS momentanément au repos', 'The PACS is being left in peace'],
  PROTOCOL_VIOLATION: ['Le PACS enfreint le protocole', 'The PACS broke the protocol'],
  CANCELLED: ['Demande abandonnée', 'Request given up'],
  STORE_FULL: ['Espace de stockage saturé', 'Storage full'],
  STORE_FAILED: ['Erreur du stockage local', 'Local storage failed'],
  CLOSING: ['Redémarrage imminent', 'About to restart'],
  BUSY: ['Trop de demandes simultanées', 'Too many requests at once'],
  SETTING_INVALID: ['Paramétrage invalide', 'Invalid setting'],
  INTERNAL: ['Erreur interne', 'Internal error']
} as const satisfies Record<ServedCode | 'INTERNAL', readonly [fr: string, en: string]>

/** RFC 9457 §3, with `code` and `facts` as extension members. */
interface ProblemBody {
  /** Stable and resolvable by nobody on purpose: a name, `urn:drimbox:problem:PACS_TIMEOUT`. */
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ServedCode | 'INTERNAL'
  readonly detail?: string
  readonly facts?: Facts
}

export interface Problem {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: ProblemBody
}

/**
 * @param acceptLanguage the caller's Accept-Language: the title is in English for whoever prefers
 *   it to French, in French for everyone else
 */
export function problem (error: unknown, acceptLanguage?: string): Problem {
  // Whatever isn't ours may carry paths, SQL or a patient's name in its message: none of it leaves.
  const known = error instanceof DrimboxError && isServed(error.code) ? error : undefined
  const code = known === undefined ? 'INTERNAL' : known.code as ServedCode
  const status = code === 'INTERNAL' ? 500 : STATUS[code]
  const english = prefersEnglish(acceptLanguage)
  const headers: Record<string, string> = {
    'content-type': 'application/problem+json',
    'content-language': english ? 'en' : 'fr',
    // An exam that is unknown now may be published in a minute.
    'cache-control': 'no-store'
  }
  const { allow, bytes } = known?.facts ?? {}
  if (status === 405 && typeof allow === 'string') headers.allow = allow
  if (status === 416 && typeof bytes === 'number') headers['content-range'] = `bytes */${bytes}`
  if (status === 401) headers['www-authenticate'] = 'Bearer'
  const seconds = known?.facts.retryAfterSeconds
  if (status === 503 && typeof seconds === 'number' && seconds >= 0) headers['retry-after'] = String(Math.ceil(seconds))
  return {
    status,
    headers,
    body: {
      type: `urn:drimbox:problem:${code}`,
      title: TITLES[code][english ? 1 : 0],
      status,
      code,
      ...known && { detail: known.message },
      ...known && Object.keys(known.facts).length > 0 && { facts: known.facts }
    }
  }
}

function isServed (code: Code): code is ServedCode {
  return Object.hasOwn(STATUS, code)
}
