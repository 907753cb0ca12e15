/**
 * Text from a PACS on a terminal: columns that stay aligned under accents, and nothing in it that steers the
 * terminal.
 */

const graphemes = new Intl.Segmenter('fr', { granularity: 'grapheme' })

/** Left of each other, two spaces between; the last column isn't padded. */
export function table (heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const lines = [heads, ...rows].map(cells => cells.map(printable))
  const widths = heads.map((_, column) => Math.max(...lines.map(cells => width(cells[column] ?? ''))))
  const rule = widths.map(one => '-'.repeat(one))
  return lines.toSpliced(1, 0, rule)
    .map(cells => cells.map((cell, column) => column === cells.length - 1 ? cell : cell + ' '.repeat(widths[column]! - width(cell))).join('  ').trimEnd())
    .join('\n')
}

/** Composed, on one line; control characters, escape sequences and marks that turn the direction of writing become visible. */
export function printable (text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.normalize('NFC').replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]/g, '\ufffd')
}

/** East Asian wide characters take two columns (Unicode TR 11, the blocks that names are written in). */
function width (text: string): number {
  let columns = 0
  for (const { segment } of graphemes.segment(text)) columns += /^[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(segment) ? 2 : 1
  return columns
}
