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
}
