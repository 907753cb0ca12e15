/**
 * The entropy-coded segments of JPEG, bit by bit.
 *
 * Source: ITU-T T.81 §B.1.1.5 (a zero byte follows each FF of the data), §F.1.2.3 and §F.2.2.5.
 */

import type { HuffmanDecoder } from './jpeg-huffman.ts'
import { unreadable } from './frame-size.ts'

export class BitReader {
  readonly #bytes: Uint8Array
  /** Of the next byte that isn't in the accumulator; stops at a marker. */
  #at: number
  #bits = 0
  #count = 0
  /** Of the bits in the accumulator, this many were never in the data. */
  #invented = 0

  constructor (bytes: Uint8Array, at: number) {
    this.#bytes = bytes
    this.#at = at
  }

  /** Offset of the marker that ended the data, once all of them are read. */
  get at (): number {
    return this.#at
  }

  /** Brings at least 25 bits; beyond the data, zeros. */
  #fill (): void {
    const bytes = this.#bytes
    while (this.#count <= 24) {
      let byte = 0
      const at = this.#at
      if (at >= bytes.length) {
        this.#invented += 8
      } else {
        byte = bytes[at]!
        if (byte !== 0xff) this.#at = at + 1
        else if (bytes[at + 1] === 0) this.#at = at + 2
        else {
          byte = 0
          this.#invented += 8
        }
      }
      this.#bits = this.#bits << 8 | byte
      this.#count += 8
    }
  }

  /** The next Huffman symbol. */
  symbol (table: HuffmanDecoder): number {
    if (this.#count < 16) this.#fill()
    const entry = table.fast[this.#bits >>> this.#count - 9 & 0x1ff]!
    if (entry !== 0) {
      this.#count -= entry >> 8
      return entry & 0xff
    }
    return this.#longSymbol(table)
  }

  #longSymbol ({ maxCode, offset, symbols }: HuffmanDecoder): number {
    for (let length = 10; length <= 16; length++) {
      const code = this.#bits >>> this.#count - length & (1 << length) - 1
      if (code <= maxCode[length]!) {
        this.#count -= length
        return symbols[offset[length]! + code]!
      }
    }
    throw unreadable('a code that is in no Huffman table', { offset: this.#at })
  }

  /** `size` bits as a signed difference (T.81 §F.2.2.1, EXTEND). @param size 1 to 16 */
  difference (size: number): number {
    if (this.#count < size) this.#fill()
    this.#count -= size
    const value = this.#bits >>> this.#count & (1 << size) - 1
    return value < 1 << size - 1 ? value - (1 << size) + 1 : value
  }

  /** Whether more was read than there was. Asked once in a row, so that reading stays fast. */
  get isCut (): boolean {
    return this.#count < this.#invented
  }

  /** Forgets the rest of a byte and steps over the restart marker that must follow. */
  restart (): void {
    this.#bits = this.#count = this.#invented = 0
    const bytes = this.#bytes
    while (bytes[this.#at] === 0xff && bytes[this.#at + 1] === 0xff) this.#at++
    const marker = bytes[this.#at + 1] ?? 0
    if (bytes[this.#at] !== 0xff || marker < 0xd0 || marker > 0xd7) throw unreadable('a JPEG restart marker is missing', { offset: this.#at })
    this.#at += 2
  }
}

export class BitWriter {
  #bytes: Buffer
  #length = 0
  #bits = 0
  #count = 0

  constructor (bytesExpected: number) {
    this.#bytes = Buffer.allocUnsafeSlow(Math.max(1024, bytesExpected))
  }

  /** Makes room, so that {@link put} needn't ask each time. @param bits that will be put at most */
  reserve (bits: number): void {
    const needed = this.#length + (bits >> 2) + 16 // an FF takes two bytes
    if (needed <= this.#bytes.length) return
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, Math.ceil(this.#bytes.length * 1.5)))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }

  /** @param count 0 to 16 */
  put (value: number, count: number): void {
    this.#bits = this.#bits << count | value
    this.#count += count
    while (this.#count >= 8) {
      this.#count -= 8
      const byte = this.#bits >>> this.#count & 0xff
      this.#bytes[this.#length++] = byte
      if (byte === 0xff) this.#bytes[this.#length++] = 0
    }
  }

  /** The data, filled up with ones to whole bytes (T.81 §F.1.2.3). */
  finish (): Buffer {
    this.reserve(16)
    if (this.#count > 0) this.put((1 << 8 - this.#count) - 1, 8 - this.#count)
    return this.#bytes.subarray(0, this.#length)
  }
}
