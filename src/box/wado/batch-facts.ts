/**
 * What the head of an answer says of many objects together: counted once, and kept for as long as the
 * pack's list of them is the same.
 */

import { crc32 } from 'node:zlib'
import type { Stored } from '../cache/stored.ts'

export interface BatchFacts {
  readonly count: number
  /** Of their Part 10 files. */
  readonly bytes: number
  /** CRC-32 of what tells their states apart, in their order. */
  readonly digest: number
  /** When the last of them came, in milliseconds since 1970. */
  readonly modifiedAt: number
  /** Characters of all their UIDs, of instance and of transfer syntax, and digits of all their lengths. */
  readonly uidChars: number
  readonly syntaxChars: number
  readonly lengthDigits: number
  /** One of each kind: of those that are stored in one transfer syntax, one with pixels and one without. */
  readonly kinds: readonly Stored[]
}

const known = new WeakMap<readonly Stored[], BatchFacts>()

/** @param batch a list that stays as it is */
export function factsOf (batch: readonly Stored[]): BatchFacts {
  let facts = known.get(batch)
  if (facts === undefined) known.set(batch, facts = count(batch))
  return facts
}

function count (batch: readonly Stored[]): BatchFacts {
  const states = Buffer.allocUnsafe(8 * batch.length)
  const kinds = new Map<string, Stored>()
  let [bytes, modifiedAt, uidChars, syntaxChars, lengthDigits, at] = [0, 0, 0, 0, 0, 0]
  for (const stored of batch) {
    const { crc, length, receivedAt, sopInstanceUid, transferSyntaxUid, pixelOffset } = stored
    at = states.writeUInt32LE(crc, at)
    at = states.writeUInt32LE(length % 2 ** 32, at)
    bytes += length
    modifiedAt = Math.max(modifiedAt, receivedAt)
    uidChars += sopInstanceUid.length
    syntaxChars += transferSyntaxUid.length
    lengthDigits += String(length).length
    const kind = `${transferSyntaxUid} ${pixelOffset > 0}`
    if (!kinds.has(kind)) kinds.set(kind, stored)
  }
  return { count: batch.length, bytes, digest: crc32(states), modifiedAt, uidChars, syntaxChars, lengthDigits, kinds: [...kinds.values()] }
}
