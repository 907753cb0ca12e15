/**
 * A generated object as bytes: its data set in a transfer syntax, or the whole Part 10 file.
 *
 * Source: DICOM PS3.10 §7.1.
 */

import { elementHead, encodeAttributes, encodePixels } from './dataset-writer.ts'
import { seededUid } from './seeded.ts'
import type { GeneratedInstance, GeneratedSeries, GeneratedStudy } from './studies.ts'
import { IMPLICIT_LE } from '#standards/dicom/transfer-syntax.ts'

const IMPLEMENTATION_CLASS_UID = seededUid('simulated hospital')

/**
 * The data set, byte for byte the same at each call.
 *
 * @param transferSyntaxUid the object's own, or implicit little endian for one that isn't compressed
 */
export async function objectBytes (study: GeneratedStudy, series: GeneratedSeries, instance: GeneratedInstance, transferSyntaxUid = instance.transferSyntaxUid): Promise<Buffer> {
  const explicitVr = transferSyntaxUid !== IMPLICIT_LE
  const head = encodeAttributes({ ...study.attributes, ...series.attributes, ...instance.attributes }, explicitVr)
  if (instance.pixels === undefined) return head
  return Buffer.concat([head, ...encodePixels(await instance.pixels(), explicitVr)])
}

/** Preamble, prefix and group 2. */
export function part10Head (sopClassUid: string, sopInstanceUid: string, transferSyntaxUid: string): Buffer {
  const meta = encodeAttributes({
    FileMetaInformationVersion: { vr: 'OB', bytes: Buffer.of(0, 1) },
    MediaStorageSOPClassUID: sopClassUid,
    MediaStorageSOPInstanceUID: sopInstanceUid,
    TransferSyntaxUID: transferSyntaxUid,
    ImplementationClassUID: IMPLEMENTATION_CLASS_UID
  }, true)
  const length = Buffer.alloc(4)
  length.writeUInt32LE(meta.length)
  return Buffer.concat([Buffer.alloc(128), Buffer.from('DICM'), elementHead(0x00020000, 'UL', 4, true), length, meta])
}
