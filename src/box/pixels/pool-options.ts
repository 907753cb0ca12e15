/**
 * What a pool of pixel workers may take, and how it is told of losses.
 */

export interface PixelPoolOptions {
  /** Threads; 0 means one for each core. */
  readonly workersMax: number
  /** Of one frame: rows × columns. */
  readonly framePixelsMax: number
  /** Of all frames that are being worked on. */
  readonly pixelsMax: number
  /** Coded and decoded bytes on their way to a worker, in it, or not yet taken by the caller. */
  readonly bytesMax: number
  /** Callers at the same time, those that wait included. */
  readonly lanesMax: number
  readonly jobMs: number
  /** A worker without work ends after so long, in milliseconds: the last one only if it holds more than `restBytesMax`. */
  readonly idleMs: number
  /** What the last worker may hold while it rests, in bytes; 0 lets it end too. */
  readonly restBytesMax: number
  /** JavaScript heap of one worker, in MB. */
  readonly workerHeapMb: number
  /** What a worker may still hold after a job, in bytes. */
  readonly workerBytesMax: number
  /** Called when a worker was lost over a job. */
  readonly onLost?: (facts: { readonly instance: string, readonly job: string, readonly why: string }) => void
}

export const DEFAULTS: PixelPoolOptions = {
  workersMax: 0,
  // A whole-slide overview has some 60 million pixels, a digitised film 20.
  framePixelsMax: 128 << 20,
  pixelsMax: 256 << 20,
  // Two of the largest mammograms, coded and decoded; 300 slices of a CT.
  bytesMax: 192 << 20,
  lanesMax: 256,
  jobMs: 60_000,
  idleMs: 30_000,
  // A few codecs, of which each reserves 50 MB and touches a tenth of them.
  restBytesMax: 192 << 20,
  workerHeapMb: 64,
  workerBytesMax: 384 << 20
}
