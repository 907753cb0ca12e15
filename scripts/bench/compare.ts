/**
 * Are these the data sets that were sent? Byte for byte, by their digests.
 */

import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { HeadReader } from '#standards/dicom/head.ts'
import { readPart10Head } from '#standards/dicom/part10.ts'
import type { Sample } from './data.ts'

/** All of the object, or what no rewriting of its head may touch. */
type What = 'data set' | 'pixel data'

/** What a receiver made of a sample. */
export class Comparison {
  readonly #sample: Sample
  readonly #sent = new Map<string, string>()
  readonly #seen = new Set<string>()
  #same = 0
  #other = 0

  readonly #what: What

  private constructor (sample: Sample, what: What) {
    this.#sample = sample
    this.#what = what
  }

  static async with (sample: Sample, what: What = 'data set'): Promise<Comparison> {
    const comparison = new Comparison(sample, what)
    for (const { path, sopInstanceUid } of sample.files) comparison.#sent.set(sopInstanceUid, comparison.#digest(await readFile(path)))
    return comparison
  }

  /** One whole Part 10 file. */
  add (file: Buffer): void {
    this.#count(readPart10Head(file).sopInstanceUid, this.#digest(file))
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
      ? `all ${this.#same}: ${this.#what} byte for byte as sent`
      : `${this.#same}: ${this.#what} byte for byte as sent; ${this.#other} written anew`
  }

  #digest (file: Buffer): string {
    const { datasetOffset, transferSyntaxUid } = readPart10Head(file)
    let dataset = file.subarray(datasetOffset)
    if (this.#what === 'pixel data') {
      const reader = new HeadReader(transferSyntaxUid)
      reader.push(dataset)
      dataset = dataset.subarray(reader.pixelOffset)
    }
    return createHash('sha256').update(dataset).digest('hex')
  }

  #count (sopInstanceUid: string, digest: string): void {
    const sent = this.#sent.get(sopInstanceUid)
    if (sent === undefined || this.#seen.has(sopInstanceUid)) throw new Error(`object ${sopInstanceUid} wasn't sent, or came twice`)
    this.#seen.add(sopInstanceUid)
    if (sent === digest) this.#same++
    else this.#other++
  }
}
