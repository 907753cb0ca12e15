/**
 * One instance as it lies in a pack, and the bytes of the newest ones while they are still at hand.
 */

export interface Stored {
  readonly studyUid: string
  readonly seriesUid: string
  readonly sopInstanceUid: string
  readonly sopClassUid: string
  readonly transferSyntaxUid: string
  /** Number of the pack file that holds it, within its series. */
  readonly segment: number
  /** Of the Part 10 file, from the start of the segment, in bytes. */
  readonly offset: number
  /** Of the Part 10 file, in bytes. */
  readonly length: number
  /** Of the data set, from the start of the Part 10 file. */
  readonly datasetOffset: number
  /** Of the pixel data element, from the start of the Part 10 file; 0 when there is none. */
  readonly pixelOffset: number
  /** CRC-32 of the Part 10 file: with its length, what tells two states of an instance apart. */
  readonly crc: number
  /** Milliseconds since 1970. */
  readonly receivedAt: number
  /** The Part 10 file as it came, while {@link RecentBytes} still holds it. */
  memory?: readonly Buffer[]
}

/**
 * A reader who keeps up with the PACS is given each instance from memory, without the way through
 * the file: what came last is kept here, up to a bound, oldest forgotten first.
 */
export class RecentBytes {
  readonly #bytesMax: number
  readonly #queue: Stored[] = []
  #first = 0
  #bytes = 0

  constructor (bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  keep (stored: Stored, memory: readonly Buffer[]): void {
    if (stored.length > this.#bytesMax) return
    stored.memory = memory
    this.#queue.push(stored)
    this.#bytes += stored.length
    while (this.#bytes > this.#bytesMax) this.#forgetOldest()
  }

  clear (): void {
    while (this.#first < this.#queue.length) this.#forgetOldest()
  }

  #forgetOldest (): void {
    const oldest = this.#queue[this.#first++]
    oldest.memory = undefined
    this.#bytes -= oldest.length
    if (this.#first > 1024) {
      this.#queue.splice(0, this.#first)
      this.#first = 0
    }
  }
}

/** Copies bytes of a file that lies in pieces, from `from` on, until `target` is full. */
export function copyFrom (parts: readonly Buffer[], from: number, target: Buffer): void {
  let at = -from
  for (const part of parts) {
    if (at + part.length > 0) part.copy(target, Math.max(0, at), Math.max(0, -at))
    at += part.length
    if (at >= target.length) return
  }
}
