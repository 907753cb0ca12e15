/**
 * Facts that the boot and update scripts leave: one small JSON file for each subject, written whole.
 *
 * They are shown to anybody, so they are read as strangers' text: a word, a code, a line. One that is
 * missing or broken is told, and never stops the page.
 */

import { open } from 'node:fs/promises'
import { join } from 'node:path'

/** Longer than any script writes. */
const BYTES_MAX = 8192
const DETAIL_CHARS_MAX = 300
const STATE = /^[a-z][a-z-]{0,31}$/
const CODE = /^[A-Z][A-Z0-9_]{1,47}$/
const VERSION = /^[0-9A-Za-z][0-9A-Za-z.+~_-]{0,63}$/

export const FACT_NAMES = ['disk', 'tpm', 'key', 'stick', 'update', 'gate', 'time'] as const
export type FactName = typeof FACT_NAMES[number]

export interface Fact {
  readonly state: string
  readonly code: string | null
  readonly detail: string | null
  readonly at: string | null
  /** Of an update. */
  readonly version?: string
  /** What the code means, where its script knows better than our catalogue. */
  readonly fr?: string
  readonly en?: string
}

export interface Facts {
  readonly found: Partial<Record<FactName, Fact>>
  /** Files that are there but say nothing that can be understood. */
  readonly broken: readonly FactName[]
}

export async function readFacts (folder: string): Promise<Facts> {
  const found: Partial<Record<FactName, Fact>> = {}
  const broken: FactName[] = []
  for (const name of FACT_NAMES) {
    try {
      const text = await readSmall(join(folder, `${name}.json`), BYTES_MAX)
      if (text !== undefined) found[name] = parseFact(JSON.parse(text))
    } catch {
      broken.push(name)
    }
  }
  return { found, broken }
}

function parseFact (json: unknown): Fact {
  const { state, code = null, detail = null, at = null, version, fr, en } = json as Record<string, unknown>
  if (typeof state !== 'string' || !STATE.test(state)) throw new RangeError('no state')
  if (code !== null && (typeof code !== 'string' || !CODE.test(code))) throw new RangeError('no code')
  return {
    state,
    code,
    detail: line(detail),
    at: typeof at === 'string' && !Number.isNaN(Date.parse(at)) ? new Date(at).toISOString() : null,
    ...typeof version === 'string' && VERSION.test(version) && { version },
    ...typeof fr === 'string' && fr !== '' && { fr: line(fr) ?? undefined },
    ...typeof en === 'string' && en !== '' && { en: line(en) ?? undefined }
  }
}

/** One line of printable text. */
function line (value: unknown): string | null {
  if (typeof value !== 'string') return null
  return value.toWellFormed().replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ').trim().slice(0, DETAIL_CHARS_MAX) || null
}

/**
 * Whatever lies there: a device or an endless file can't hold the page up or fill its memory.
 *
 * @returns undefined when there is no such file
 * @throws when it can't be read, or is longer
 */
export async function readSmall (path: string, bytesMax: number): Promise<string | undefined> {
  return (await readSmallBytes(path, bytesMax))?.toString('utf8')
}

/** {@link readSmall}, as bytes. */
export async function readSmallBytes (path: string, bytesMax: number): Promise<Buffer | undefined> {
  let file
  try {
    file = await open(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
  try {
    if (!(await file.stat()).isFile()) throw new RangeError('not a file')
    const buffer = Buffer.alloc(bytesMax + 1)
    const { bytesRead } = await file.read(buffer, 0, buffer.length, 0)
    if (bytesRead > bytesMax) throw new RangeError('longer than any of ours')
    return buffer.subarray(0, bytesRead)
  } finally {
    await file.close()
  }
}
