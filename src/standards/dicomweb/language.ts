/**
 * French or English, as a caller's Accept-Language has it.
 *
 * Source: RFC 9110 §12.5.4.
 */

/** As far as a choice between two languages needs it: French unless English weighs more. */
export function prefersEnglish (acceptLanguage: string = ''): boolean {
  const weights = { fr: 0, en: 0 }
  for (const range of acceptLanguage.slice(0, LANGUAGE_CHARS_MAX).toLowerCase().split(',')) {
    const [tag = '', ...parameters] = range.split(';').map(part => part.trim())
    const language = tag.slice(0, 2)
    if ((language !== 'fr' && language !== 'en') || !/^..(-|$)/.test(tag)) continue
    const q = parameters.find(parameter => parameter.startsWith('q='))
    weights[language] = Math.max(weights[language], q === undefined ? 1 : Number(q.slice(2)) || 0)
  }
  return weights.en > weights.fr
}

/** Characters of Accept-Language that are read: browsers send some dozens. */
const LANGUAGE_CHARS_MAX = 256
