/**
 * `/metadata`: DICOM JSON of heads, made once for each series, kept beside its pack, compressed.
 *
 * What several series hold is joined into one gzip answer without compressing anything again.
 * Source: DICOM PS3.18 §10.4.1.1.2 and Annex F.
 */

import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { crc32 } from 'node:zlib'
import { CapacityError, PeerError, RequestError } from '#core/errors.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { jsonText, type DicomJson } from '#standards/dicom/json.ts'
import { compressFragment, type Fragment } from '#standards/dicomweb/gzip-fragments.ts'
import type { Pack } from '../cache/pack.ts'
import type { Stored } from '../cache/stored.ts'

/** An encapsulated document has no pixel data, so all of it is read as head; one larger than this isn't described. */
const HEAD_BYTES_MAX = 64 << 20
/** Tag, VR and length of the pixel data element, perhaps behind a group length (retired, still written): read along, so that metadata can name it. */
const PIXEL_HEAD_BYTES = 24
/** Heads between two turns of the event loop, so that making metadata never keeps a PACS waiting. */
export const HEADS_PER_TURN = 16
const FILE = 'metadata.bin'

type Read = (stored: Stored, offset: number, target: Uint8Array) => Promise<number>

/** Where the bulk data of an instance can be had, as metadata tells it: a path on this same host. */
export type BulkDataUri = (stored: Stored, path: string) => string

/** DICOM JSON of one instance, as text. @throws RequestError DATA_MALFORMED */
export async function instanceMetadata (stored: Stored, read: Read, bulkDataUri: BulkDataUri): Promise<string> {
  return jsonText(await instanceHead(stored, read, bulkDataUri))
}

/** All of one instance but its bulk data. @throws RequestError DATA_MALFORMED */
export async function instanceHead (stored: Stored, read: Read, bulkDataUri: BulkDataUri): Promise<DicomJson> {
  const end = stored.pixelOffset === 0 ? stored.length : Math.min(stored.pixelOffset + PIXEL_HEAD_BYTES, stored.length)
  const bytes = Buffer.allocUnsafe(Math.min(end - stored.datasetOffset, HEAD_BYTES_MAX))
  await read(stored, stored.datasetOffset, bytes)
  return decodeDataset(bytes, stored.transferSyntaxUid, { stopAtPixelData: true, bulkDataUri: path => bulkDataUri(stored, path) })
}

/** The metadata of one series: objects joined by commas, without the brackets around. */
export class SeriesMetadata {
  readonly #bulkDataUri: BulkDataUri
  readonly #making = new Map<string, Promise<Fragment>>()
  #closing = false

  constructor (bulkDataUri: BulkDataUri) {
    this.#bulkDataUri = bulkDataUri
  }

  /** What was made before if it still holds, else made now and kept. */
  async of (pack: Pack): Promise<Fragment> {
    const key = `${pack.studyUid}/${pack.seriesUid}/${pack.instances.size}`
    let making = this.#making.get(key)
    if (making === undefined) {
      making = this.#keptOrMade(pack).finally(() => { this.#making.delete(key) })
      this.#making.set(key, making)
    }
    return await making
  }

  /** Stops what is being made; nothing is written afterwards. */
  async close (): Promise<void> {
    this.#closing = true
    await Promise.allSettled(this.#making.values())
  }

  async #keptOrMade (pack: Pack): Promise<Fragment> {
    using _held = pack.use()
    const kept = await readKept(pack)
    if (kept !== undefined) return kept
    const instances = pack.instances.size
    const fragment = await this.#make(pack)
    // Losing it only costs making it again.
    await keep(pack, fragment, instances).catch(() => {})
    return fragment
  }

  async #make (pack: Pack): Promise<Fragment> {
    const texts: string[] = []
    let made = 0
    // What is purged or grows meanwhile changes nothing here.
    for (const stored of [...pack.instances.values()]) {
      if (this.#closing) throw new PeerError('CANCELLED', 'the box is closing')
      try {
        texts.push(await instanceMetadata(stored, async (one, offset, target) => await pack.read(one.segment, one.offset + offset, target), this.#bulkDataUri))
      } catch (error) {
        if (error instanceof CapacityError) throw error
        throw new RequestError('DATA_MALFORMED', 'the head of an instance cannot be read', { cause: error, facts: { series: pack.seriesUid, instance: stored.sopInstanceUid } })
      }
      if (++made % HEADS_PER_TURN === 0) await turn()
    }
    return await compressFragment(Buffer.from(texts.join(',')))
  }
}

/**
 * One line of facts, then the compressed bytes. Not forced to the disk: a power cut may leave a name with
 * anything in it, so their own checksum is kept beside them.
 */
async function keep (pack: Pack, { deflated, crc, bytes }: Fragment, instances: number): Promise<void> {
  const path = join(pack.folder, FILE)
  const facts = JSON.stringify({ version: 2, instances, crc, bytes, deflatedBytes: deflated.length, deflatedCrc: crc32(deflated) })
  await writeFile(`${path}.new`, Buffer.concat([Buffer.from(facts + '\n'), deflated]))
  await rename(`${path}.new`, path)
}

async function readKept (pack: Pack): Promise<Fragment | undefined> {
  try {
    const file = await readFile(join(pack.folder, FILE))
    const line = file.indexOf(0x0A)
    const facts = JSON.parse(file.toString('latin1', 0, line)) as { version: number, instances: number, crc: number, bytes: number, deflatedBytes: number, deflatedCrc: number }
    const deflated = file.subarray(line + 1)
    if (facts.version !== 2 || facts.instances !== pack.instances.size) return undefined
    if (deflated.length !== facts.deflatedBytes || crc32(deflated) !== facts.deflatedCrc) return undefined
    return { deflated, crc: facts.crc, bytes: facts.bytes }
  } catch {
    return undefined
  }
}
