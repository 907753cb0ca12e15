/**
 * Pieces into a file, all of them or an error: short ones where we are, as long as the disk keeps up.
 */

import { write, writev, writevSync } from 'node:fs'
import { promisify } from 'node:util'
import { Pace } from './pace.ts'

/** Longer than this isn't a short write: a mammogram's 50 MB take a while even in memory. */
const SHORT_BYTES_MAX = 1 << 20
/** `writev` takes at most this many pieces at once (IOV_MAX of Linux). */
const PIECES_MAX = 1024

const writeRest = promisify(write)
const pace = new Pace()

/** @throws NodeJS.ErrnoException ENOSPC and the like */
export async function writePieces (file: number, pieces: readonly Buffer[], position: number): Promise<void> {
  for (let first = 0; first < pieces.length; first += PIECES_MAX) {
    const some = first === 0 && pieces.length <= PIECES_MAX ? pieces : pieces.slice(first, first + PIECES_MAX)
    let bytes = 0
    for (const piece of some) bytes += piece.length
    const written = bytes <= SHORT_BYTES_MAX && pace.keepsUp
      ? pace.timed(() => writevSync(file, some, position))
      : await writeInPool(file, some, position)
    if (written < bytes) await finish(file, Buffer.concat(some as Buffer[]).subarray(written), position + written)
    position += bytes
  }
}

/**
 * Writes short pieces before it returns, where the disk keeps up.
 *
 * @returns false when that can't be, or went wrong: then {@link writePieces} does it, from the beginning
 */
export function writePiecesNow (file: number, pieces: readonly Buffer[], bytes: number, position: number): boolean {
  if (pieces.length > PIECES_MAX || bytes > SHORT_BYTES_MAX || !pace.keepsUp) return false
  try {
    return pace.timed(() => writevSync(file, pieces, position)) === bytes
  } catch {
    return false
  }
}

function writeInPool (file: number, pieces: readonly Buffer[], position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    writev(file, pieces, position, (error, written) => { error === null ? resolve(written) : reject(error) })
  })
}

/** What a write cut short left over: the next one says why. */
async function finish (file: number, rest: Buffer, position: number): Promise<void> {
  for (let done = 0; done < rest.length;) {
    const { bytesWritten } = await writeRest(file, rest, done, rest.length - done, position + done)
    done += bytesWritten
  }
}
