/**
 * Are these the data sets that were sent? Byte for byte, by their digests.
 */

import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { pipeline } from 'node:stream/promises'
import { readPart10Head } from '#standards/dicom/part10.ts'
import type { ObjectFile, Sample } from './data.ts'

/** What a receiver made of a sample. */
export class Comparison {
  readonly #sample: Sample
  readonly #sent = new Map<string, string>()
  readonly #seen = new Set<string>()
  #same = 0
  #other = 0

  private constructor (sample: Sample) {
    this.#sample = sample
  }

  static async with (sample: Sample): Promise<Comparison> {
    const comparison = new Comparison(sample)
    for (const file of sample.files) comparison.#sent.set(file.sopInstanceUid, await digestOf(file))
    return comparison
  }

  /** One whole Part 10 file. */
  add (file: Buffer): void {
    const { sopInstanceUid, datasetOffset } = readPart10Head(file)
    this.#count(sopInstanceUid, createHash('sha256').update(file.subarray(datasetOffset)).digest('hex'))
  }

  /** The same, wherever it lies. */
  async addFile (path: string): Promise<void> {
    this.add(await readFile(path))
  }

  /** @throws Error when an object is missing; a server that loses some isn't measured */
  say (): string {
    const { files } = this.#sample
    if (this.#seen.size !== files.length) throw new Error(`${this.#seen.size} of ${files.length} objects arrived`)
    return this.#other === 0
      ? `all ${this.#same} data sets byte for byte as sent`
      : `${this.#same} data sets byte for byte as sent, ${this.#other} written anew`
  }

  #count (sopInstanceUid: string, digest: string): void {
    const sent = this.#sent.get(sopInstanceUid)
    if (sent === undefined || this.#seen.has(sopInstanceUid)) throw new Error(`object ${sopInstanceUid} wasn't sent, or came twice`)
    this.#seen.add(sopInstanceUid)
    if (sent === digest) this.#same++
    else this.#other++
  }
}

async function digestOf ({ path, datasetOffset }: ObjectFile): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path, { start: datasetOffset }), hash)
  return hash.digest('hex')
}
