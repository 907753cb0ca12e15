/**
 * Text into XML, so that nothing in it is taken for markup.
 *
 * Source: XML 1.0 §2.2 (characters), §2.4 (character data), §3.3.3 (attribute values).
 */

/**
 * For character data and for attribute values in double quotes. What XML cannot hold, not even
 * escaped (most control characters, lone surrogates), becomes U+FFFD.
 */
export function xmlText (text: string): string {
  return SAFE.test(text) ? text : text.toWellFormed().replace(FORBIDDEN, '\ufffd').replace(SPECIAL, escape)
}

/** Carriage returns would be read as line feeds, and blanks of all kinds as spaces in an attribute. */
const SPECIAL = /[&<>"'\r\n\t]/g
// eslint-disable-next-line no-control-regex
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]/g
const SAFE = /^[ !#-%(-;=?-~]*$/

function escape (character: string): string {
  return ENTITIES[character] ?? `&#${character.charCodeAt(0)};`
}

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&apos;' }
