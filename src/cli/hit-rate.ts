/** How often the cache could answer, in words that the caller's language gives; nothing before the first read. */
export function hitRate ({ held, retrieved }: { readonly held: number, readonly retrieved: number }, say: (percent: number) => string): string {
  const reads = held + retrieved
  // Never rounded up to all of them.
  return reads === 0 ? '' : say(Math.floor(100 * held / reads))
}
