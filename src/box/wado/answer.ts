/**
 * An answer whose bytes we write ourselves: how it begins, and what becomes of one that can't be
 * finished.
 *
 * Source: RFC 9110 §8.8 (validators), §9.3.2 (HEAD), §12.5.5 (Vary).
 */

import type { OutgoingHttpHeaders } from 'node:http'
import type { FastifyReply } from 'fastify'
import { validatorHeaders, type Validators } from '#standards/dicomweb/conditional.ts'
import { Outlet } from './outlet.ts'

/** Patient data: for the caller's own cache alone, and asked for again before it is believed. */
export const CACHE_CONTROL = 'private, no-cache'

export interface AnswerHead {
  /** 200 unless said. */
  readonly status?: number
  readonly type?: string
  /** Of the body, where that is known. */
  readonly bytes?: number
  readonly validators?: Validators
  /** Further headers. */
  readonly headers?: Readonly<Record<string, string>>
}

/**
 * Writes the head; it leaves with the first bytes of the body.
 *
 * @returns false where that is all (HEAD): the answer has ended
 */
export function beginAnswer (reply: FastifyReply, { status = 200, type, bytes, validators, headers }: AnswerHead): boolean {
  reply.hijack()
  const { raw } = reply
  raw.writeHead(status, {
    ...reply.getHeaders(),
    ...headers,
    ...type !== undefined && { 'content-type': type },
    ...bytes !== undefined && { 'content-length': bytes },
    'cache-control': CACHE_CONTROL,
    vary: varying(reply),
    ...validators !== undefined && validatorHeaders(validators)
  } as OutgoingHttpHeaders)
  if (reply.request.method !== 'HEAD' && status !== 304) return true
  raw.end()
  return false
}

/** Lends the way out to `write`, which ends it. A body that can't be finished is cut, never closed. */
export async function sendBody (reply: FastifyReply, write: (out: Outlet) => Promise<void>): Promise<void> {
  const out = new Outlet(reply.raw)
  try {
    await write(out)
  } catch (error) {
    if (!out.closed) reply.log.warn({ err: error }, 'an answer was cut')
    out.cut(error as Error)
  }
}

/** What an answer depends on besides its URL, with what others have said already. */
export function varying (reply: FastifyReply, ...more: readonly string[]): string {
  const before = reply.getHeader('vary')
  if (before === undefined && more.length === 0) return 'Accept'
  const names = [...before === undefined ? [] : String(before).split(',').map(name => name.trim()), 'Accept', ...more]
  return names.filter((name, place) => names.findIndex(other => other.toLowerCase() === name.toLowerCase()) === place).join(', ')
}
