/**
 * Which compression a caller can read.
 *
 * Source: RFC 9110 §12.5.3 (Accept-Encoding), RFC 1952 (gzip), RFC 8878 (zstd).
 */

export type Coding = 'zstd' | 'gzip' | 'identity'

/**
 * @param offered ours, most liked first
 * @returns the best that the caller accepts; 'identity' where nothing was said, or nothing else fits
 */
export function chooseCoding (acceptEncoding: string | readonly string[] | undefined, offered: readonly Coding[]): Coding {
  const weights = new Map<string, number>()
  for (const item of String(acceptEncoding ?? '').slice(0, HEADER_CHARS_MAX).toLowerCase().split(',')) {
    const [name = '', ...parameters] = item.split(';').map(part => part.trim())
    const weight = parameters.find(parameter => parameter.startsWith('q='))
    if (name !== '') weights.set(name === 'x-gzip' ? 'gzip' : name, weight === undefined ? 1 : Number(weight.slice(2)) || 0)
  }
  let best: Coding = 'identity'
  let bestWeight = weights.get('identity') ?? 0
  for (const coding of offered) {
    const weight = weights.get(coding) ?? weights.get('*') ?? 0
    if (weight > 0 && (weight > bestWeight || (best === 'identity' && weight >= bestWeight))) [best, bestWeight] = [coding, weight]
  }
  return best
}

const HEADER_CHARS_MAX = 512
