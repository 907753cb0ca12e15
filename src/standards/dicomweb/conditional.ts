/**
 * Whether an answer must be sent again: preconditions of a request, judged by what identifies the
 * current state of a resource.
 *
 * Source: RFC 9110 §8.8 (validators), §13 (conditional requests); DICOM PS3.18 §8.4.
 * An unreadable date or tag counts as absent, as §13.1 asks, so that a broken client gets an answer.
 */

import { RequestError } from '#core/errors.ts'

/** What identifies one representation. */
export interface Validators {
  /** With its quotes, and `W/` where the bytes may differ although they mean the same. */
  readonly etag: string
  /** Milliseconds since 1970. */
  readonly modifiedAt: number
}

/** Headers as Node gives them. */
export type RequestHeaders = Readonly<Record<string, string | string[] | undefined>>

/** Longer lists of tags are no cache's. */
const TAGS_CHARS_MAX = 8192

/**
 * @returns whether the caller has it already (304)
 * @throws RequestError PRECONDITION_FAILED
 */
export function isNotModified (headers: RequestHeaders, { etag, modifiedAt }: Validators): boolean {
  const ifMatch = text(headers['if-match'])
  const unmodifiedSince = dateOf(text(headers['if-unmodified-since']))
  if (ifMatch !== undefined ? !lists(ifMatch, etag, true) : unmodifiedSince !== undefined && whole(modifiedAt) > unmodifiedSince) {
    throw new RequestError('PRECONDITION_FAILED', 'the resource is not in the state that the caller expects')
  }
  const ifNoneMatch = text(headers['if-none-match'])
  if (ifNoneMatch !== undefined) return lists(ifNoneMatch, etag, false)
  const modifiedSince = dateOf(text(headers['if-modified-since']))
  return modifiedSince !== undefined && whole(modifiedAt) <= modifiedSince
}

/** Whether a Range may be honoured: without If-Range, or where that names the current state exactly. */
export function isSameState (headers: RequestHeaders, validators: Validators | undefined): boolean {
  const ifRange = text(headers['if-range'])
  if (ifRange === undefined) return true
  if (validators === undefined) return false
  if (/^(W\/)?"/.test(ifRange.trim())) return lists(ifRange, validators.etag, true)
  return dateOf(ifRange) === whole(validators.modifiedAt)
}

/** The headers that tell validators. */
export function validatorHeaders ({ etag, modifiedAt }: Validators): { etag: string, 'last-modified': string } {
  return { etag, 'last-modified': new Date(Math.min(modifiedAt, Date.now())).toUTCString() }
}

/** @param strong both must be strong (RFC 9110 §8.8.3.2) */
function lists (list: string, etag: string, strong: boolean): boolean {
  if (list.trim() === '*') return true
  const opaque = etag.replace(/^W\//, '')
  if (strong && opaque !== etag) return false
  for (const [tag, weak] of list.slice(0, TAGS_CHARS_MAX).matchAll(TAG)) {
    if (strong && weak !== undefined) continue
    if (tag.slice(weak?.length ?? 0) === opaque) return true
  }
  return false
}

const TAG = /(W\/)?"[\x21\x23-\x7e\x80-\xff]*"/g

/** HTTP's dates have whole seconds. */
function whole (milliseconds: number): number {
  return Math.floor(Math.min(milliseconds, Date.now()) / 1000) * 1000
}

/** The three forms of RFC 9110 §5.6.7: all name the day of the week first. */
function dateOf (text: string | undefined): number | undefined {
  if (text === undefined || text.length > 40 || !/^(Mon|Tue|Wed|Thu|Fri|Sat|Sun)/.test(text)) return undefined
  const time = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`)
  return Number.isNaN(time) ? undefined : time
}

function text (value: string | string[] | undefined): string | undefined {
  return Array.isArray(value) ? value.join(', ') : value
}
