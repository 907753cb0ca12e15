/**
 * In which character set text is given: UTF-8, always.
 *
 * Source: DICOM PS3.18 §8.3.3.2 (charset), §8.4.1.2 (Accept-Charset); RFC 8259 §8.1; RFC 9110 §12.5.2,
 * which lets a server pass over Accept-Charset, as all browsers have stopped sending it.
 */

import { RequestError } from '#core/errors.ts'

/**
 * @param charset the query parameter: a list with weights, as Accept-Charset has it
 * @throws RequestError ACCEPT_UNSUPPORTED when it names others and leaves out UTF-8: who asked for
 *   Latin-1 would show a patient's name as rubbish
 */
export function assertUtf8 (charset: string | string[] | undefined): void {
  const text = [charset ?? ''].flat().join(',').slice(0, CHARS_MAX)
  const items = text.toLowerCase().split(',').map(item => item.trim()).filter(item => item !== '')
  const accepted = items.length === 0 || items.some(item => /^(\*|"?utf-?8"?|unicode-1-1-utf-8|iso_ir 192)(\s*;\s*q=(?!0(\.0*)?$)[\d.]+)?$/.test(item))
  if (!accepted) throw new RequestError('ACCEPT_UNSUPPORTED', 'text is given in UTF-8', { facts: { offered: ['utf-8'] } })
}

const CHARS_MAX = 1024
