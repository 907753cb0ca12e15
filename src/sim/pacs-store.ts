/**
 * What the simulated PACS holds: generated studies, and objects that were sent to it, as they came.
 *
 * Source of the retrieve keys: DICOM PS3.4 §C.4.2.1.4 (unique keys, and lists of them at the level
 * of the request).
 */

import dimse from 'dcmjs-dimse'
import type { Attributes } from './dataset-writer.ts'
import { objectBytes } from './object-bytes.ts'
import type { PacsControl } from './pacs-control.ts'
import type { GeneratedInstance, GeneratedSeries, GeneratedStudy } from './studies.ts'
import { EXPLICIT_LE, IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'

/** What imports may take in memory: enough for a test, little enough for a desk. */
const RECEIVED_BYTES_MAX = 256 * 1024 * 1024

/** PS3.4 Table B.2-1. */
const STORE_STATUS = { success: 0x0000, outOfResources: 0xa700, mismatch: 0xa900, cannotUnderstand: 0xc000 } as const

/** One object with where it belongs: a row of the PACS's index. */
export interface Held {
  readonly study: Attributes
  readonly series: Attributes
  readonly instance: Attributes
  readonly studyUid: string
  readonly seriesUid: string
  readonly sopInstanceUid: string
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  /** In which syntaxes it can be sent, its own first. */
  readonly syntaxes: readonly string[]
  bytes (transferSyntaxUid: string): Promise<Buffer>
}

/** The unique keys of a retrieve; an absent one means all. */
export interface UniqueKeys {
  readonly patientIds?: readonly string[]
  readonly studyUids?: readonly string[]
  readonly seriesUids?: readonly string[]
  readonly instanceUids?: readonly string[]
}

export class PacsStore {
  readonly #held = new Map<string, Held>()
  readonly #control: PacsControl
  /** What imports weigh, by SOP instance UID. */
  readonly #received = new Map<string, number>()

  constructor (studies: readonly GeneratedStudy[], control: PacsControl) {
    this.#control = control
    for (const study of studies) {
      for (const series of study.series) {
        for (const instance of series.instances) this.#held.set(instance.sopInstanceUid, heldFrom(study, series, instance))
      }
    }
  }

  /** Everything that isn't forgotten, in order. */
  all (): Held[] {
    return [...this.#held.values()].filter(({ studyUid, seriesUid, sopInstanceUid }) => !this.#control.isForgotten(studyUid, seriesUid, sopInstanceUid))
  }

  select ({ patientIds, studyUids, seriesUids, instanceUids }: UniqueKeys): Held[] {
    const wanted = (list: readonly string[] | undefined, uid: unknown): boolean => list === undefined || list.includes(String(uid))
    return this.all().filter(held => wanted(patientIds, held.study.PatientID) && wanted(studyUids, held.studyUid) &&
      wanted(seriesUids, held.seriesUid) && wanted(instanceUids, held.sopInstanceUid))
  }

  /** In which transfer syntaxes objects of this class are held. */
  syntaxesOf (sopClassUid: string): string[] {
    return [...new Set(this.all().filter(held => held.sopClassUid === sopClassUid).map(held => held.transferSyntaxUid))]
  }

  /** The data set of an object, in the syntax in which it is held: what a receiver must find, byte for byte. */
  datasetOf (sopInstanceUid: string): Promise<Buffer> | undefined {
    const held = this.#held.get(sopInstanceUid)
    return held?.bytes(held.transferSyntaxUid)
  }

  /**
   * Keeps an object that was sent here; one of the same UID is replaced.
   *
   * @returns a C-STORE status (PS3.4 Table B.2-1)
   */
  receive (bytes: Buffer, transferSyntaxUid: string, sopClassUid: string, sopInstanceUid: string): number {
    const others = [...this.#received].reduce((sum, [uid, length]) => sum + (uid === sopInstanceUid ? 0 : length), 0)
    if (others + bytes.length > RECEIVED_BYTES_MAX) return STORE_STATUS.outOfResources
    const attributes = indexedAttributes(bytes, transferSyntaxUid)
    const { StudyInstanceUID: studyUid, SeriesInstanceUID: seriesUid } = attributes
    if (typeof studyUid !== 'string' || typeof seriesUid !== 'string') return STORE_STATUS.cannotUnderstand
    if (attributes.SOPClassUID !== sopClassUid || attributes.SOPInstanceUID !== sopInstanceUid) return STORE_STATUS.mismatch
    this.#received.set(sopInstanceUid, bytes.length)
    this.#held.set(sopInstanceUid, {
      study: attributes,
      series: attributes,
      instance: attributes,
      studyUid,
      seriesUid,
      sopInstanceUid,
      sopClassUid,
      transferSyntaxUid,
      syntaxes: [transferSyntaxUid],
      bytes: async () => bytes
    })
    return STORE_STATUS.success
  }
}

function heldFrom (study: GeneratedStudy, series: GeneratedSeries, instance: GeneratedInstance): Held {
  const { transferSyntaxUid } = instance
  return {
    study: study.attributes,
    series: series.attributes,
    instance: instance.attributes,
    studyUid: study.studyUid,
    seriesUid: series.seriesUid,
    sopInstanceUid: instance.sopInstanceUid,
    sopClassUid: instance.sopClassUid,
    transferSyntaxUid,
    syntaxes: transferSyntaxUid === EXPLICIT_LE ? [EXPLICIT_LE, IMPLICIT_LE] : [transferSyntaxUid],
    bytes: async syntax => await objectBytes(study, series, instance, syntax)
  }
}

/** The texts and numbers of a received data set, by keyword: what C-FIND can look for. */
function indexedAttributes (bytes: Buffer, transferSyntaxUid: string): Attributes {
  const attributes: Record<string, string | readonly string[]> = {}
  for (const [keyword, value] of Object.entries(elementsOf(bytes, transferSyntaxUid))) {
    const text = plainText(value)
    if (text !== undefined) attributes[keyword] = text
  }
  return attributes
}

/** Empty where dcmjs can't read it: the caller then misses its UIDs. */
function elementsOf (bytes: Buffer, transferSyntaxUid: string): Record<string, unknown> {
  try {
    return new dimse.Dataset(bytes, transferSyntaxUid).getElements()
  } catch {
    return {}
  }
}

/** A value as dcmjs gives it (text, number, list, person name object), as text; undefined for all others. */
export function plainText (value: unknown): string | readonly string[] | undefined {
  if (typeof value === 'string') return value
  if (typeof value === 'number') return String(value)
  if (Array.isArray(value)) {
    const texts = value.map(plainText)
    if (!texts.every(text => typeof text === 'string')) return undefined
    return texts.length === 1 ? texts[0] : texts
  }
  if (typeof value === 'object' && value !== null && 'Alphabetic' in value && typeof value.Alphabetic === 'string') return value.Alphabetic
  return undefined
}
