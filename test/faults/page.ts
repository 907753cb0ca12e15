/**
 * The table of docs/standards/faults.md, written from the matrix that the tests run.
 *
 *     node test/faults/page.ts
 */

import { readFileSync, writeFileSync } from 'node:fs'
import { OPERATIONS } from './bench.ts'
import { KILLED, MATRIX } from './matrix.ts'

const PAGE = new URL('../../docs/standards/faults.md', import.meta.url)
const BEGIN = '<!-- from test/faults/matrix.ts, by test/faults/page.ts -->\n'
const END = '<!-- end -->'

/** The page with its table as the matrix says it. */
export function page (): { now: string, wanted: string } {
  const now = readFileSync(PAGE, 'utf8')
  const [head, rest] = now.split(BEGIN)
  const [, tail] = rest.split(END)
  return { now, wanted: `${head}${BEGIN}${table()}${END}${tail}` }
}

function table (): string {
  const lines = [['fault', ...OPERATIONS], ['', ...OPERATIONS].map(() => '---')]
  for (const { fault, what, cells } of MATRIX) {
    lines.push([`**${fault}** ${what}`, ...OPERATIONS.map(operation => cells[operation]).map(cell => typeof cell === 'string'
      ? `– ${cell}`
      : `\`${cell.answer}\`${cell.note === undefined ? '' : ` ${cell.note}`}`)])
  }
  lines.push([`**killed process** ${KILLED.what}`, ...OPERATIONS.map(operation => `\`${KILLED.answers[operation]}\``)])
  return lines.map(cells => `| ${cells.join(' | ')} |\n`).join('')
}

if (process.argv[1] === import.meta.filename) writeFileSync(PAGE, page().wanted)
