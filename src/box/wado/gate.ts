/**
 * Who may read what. On the centre's own network everyone who reaches us; on the face turned to
 * other boxes, the national rules.
 *
 * Source: docs/standards/dicomweb.md, "The outward face" (national profile, box to box). What needs
 * publication and trust is handed in.
 */

import type { IncomingHttpHeaders } from 'node:http'
import { RequestError } from '#core/errors.ts'
import { parseUid, type Uid } from '#core/uid.ts'
import type { Ins } from '#standards/dicom/ins.ts'
import type { Target } from '../pacs/object-set.ts'

/** What a caller was granted. */
export interface Grant {
  /** Appended to every object that leaves (national identity of the patient). */
  readonly ins?: Ins
}

export interface Gate {
  /** @throws RequestError TOKEN_REFUSED, HEADER_MISSING, MANIFEST_UNKNOWN; PeerError when it can't be found out */
  readonly admit: (headers: IncomingHttpHeaders, target: Target) => Promise<Grant>
  /** @throws RequestError NOT_OFFERED */
  readonly admitSearch: (headers: IncomingHttpHeaders) => Promise<void>
  /** @throws RequestError NOT_OFFERED */
  readonly admitStore: (headers: IncomingHttpHeaders) => Promise<void>
}

/** The centre's own network. */
export const openGate: Gate = { admit: async () => ({}), admitSearch: async () => {}, admitStore: async () => {} }

/** What other rooms know: who a token belongs to, and which manifests we published. */
export interface OutwardParts {
  /** @throws RequestError TOKEN_REFUSED when the token isn't active; PeerError when nobody can say */
  readonly assertActive: (token: string) => Promise<void>
  /**
   * The patient's identity under which we published this manifest.
   *
   * @throws RequestError MANIFEST_UNKNOWN when we didn't, when it isn't the current one of the study,
   *   or when it doesn't cover the series
   */
  readonly published: (manifest: Uid, target: Target) => Promise<Ins>
}

/** The face turned to other boxes: the PACS is never disturbed for something that we didn't publish. */
export function outwardGate ({ assertActive, published }: OutwardParts): Gate {
  return {
    async admit (headers, target) {
      const bearer = /^Bearer +([A-Za-z0-9._~+/-]+=*)$/i.exec(headers.authorization ?? '')
      if (bearer === null) throw new RequestError('TOKEN_REFUSED', 'a bearer token is needed')
      if (headers.accept === undefined) throw missing('Accept')
      const manifest = headers['kos-sopinstanceuid']
      if (typeof manifest !== 'string') throw missing('KOS-SOPInstanceUID')
      const uid = parseUid(manifest)
      await assertActive(bearer[1])
      return { ins: await published(uid, target) }
    },
    // Other boxes find exams in the national record, never by asking our PACS who its patients are.
    async admitSearch () {
      throw new RequestError('NOT_OFFERED', 'searching is not offered to other boxes')
    },
    // What comes from outside goes through the consultation of a person of this centre, never straight into the archive.
    async admitStore () {
      throw new RequestError('NOT_OFFERED', 'storing is not offered to other boxes')
    }
  }
}

function missing (header: string): RequestError {
  return new RequestError('HEADER_MISSING', `the header ${header} is missing`, { facts: { header } })
}
