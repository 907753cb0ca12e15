/**
 * Where the frames of objects lie and what they can be made into, remembered: a viewer asks for frame
 * after frame, and several viewers for the same.
 */

import type { Range } from '#standards/dicom/frames.ts'
import type { Stored } from '../cache/stored.ts'
import { makeable } from './makeable.ts'
import type { StoredImage } from './stored-image.ts'

/** What the frames of an object can be made into, one at a time. The same object for all that are alike. */
export interface Makeable {
  readonly syntaxes: readonly string[]
}

export interface FrameTable {
  /** Number of Frames, as the head says. */
  readonly count: number
  readonly makeable: Makeable
  /** Of each frame, in bytes of the stored data set. */
  readonly ranges: readonly (readonly Range[])[]
}

/** Of all tables together: some 100 bytes each. */
const RANGES_MAX = 50_000
/** One object with more of them is looked up each time: a whole-slide picture would push all others out. */
const RANGES_MAX_EACH = 5000

/** What an object was found to be when it came: one that comes again is another. Used last, last. */
const tables = new Map<Stored, FrameTable>()
let rangesHeld = 0

export function frameTable (stored: Stored): FrameTable | undefined {
  const table = tables.get(stored)
  if (table !== undefined) {
    tables.delete(stored)
    tables.set(stored, table)
  }
  return table
}

/** Remembers an image whose frames are known, all of them. */
export function rememberFrames (stored: Stored, image: StoredImage): void {
  const { count, ranges: rangesOf, failure } = image
  if (rangesOf === undefined || failure !== undefined || count > RANGES_MAX_EACH || tables.has(stored)) return
  const ranges: (readonly Range[])[] = []
  let held = 0
  for (let frame = 1; frame <= count; frame++) {
    const own = rangesOf(frame)
    if ((held += own.length) > RANGES_MAX_EACH) return
    ranges.push(own)
  }
  tables.set(stored, { count, makeable: makeableOf(stored, image), ranges })
  rangesHeld += held
  for (const [oldest, table] of tables) {
    if (rangesHeld <= RANGES_MAX) break
    tables.delete(oldest)
    rangesHeld -= sizeOf(table)
  }
}

export function makeableOf ({ transferSyntaxUid }: Stored, { frames }: StoredImage): Makeable {
  // One frame at a time: how many there are limits nothing here.
  const syntaxes = frames === undefined ? [] : makeable(transferSyntaxUid, frames.format, 1)
  const name = syntaxes.join()
  let made = kinds.get(name)
  if (made === undefined) kinds.set(name, made = { syntaxes })
  return made
}

/** As many as there are ways to be encodable. */
const kinds = new Map<string, Makeable>()

function sizeOf ({ ranges }: FrameTable): number {
  return ranges.reduce((sum, own) => sum + own.length, 0)
}
