/**
 * A structured report as plain text, for whatever can't show more.
 *
 * Source: DICOM PS3.18 §8.7.4 (text/plain).
 */

import { LABELS, RELATIONSHIPS, type Item, type Report } from './content.ts'

export function reportText ({ title, fields, root }: Report): string {
  const lines = [
    title,
    '='.repeat(Math.min(title.length, 72)),
    '',
    ...fields.map(({ label, value }) => `${LABELS[label]} : ${plain(value)}`),
    '',
    ...root.items.flatMap(item => itemLines(item, 0)),
    ''
  ]
  return lines.map(line => line.trimEnd()).join('\n')
}

function itemLines (item: Item, depth: number): string[] {
  const indent = '  '.repeat(Math.min(depth, INDENT_MAX))
  const code = item.code === '' ? '' : ` (${plain(item.code)})`
  const observed = item.observedAt === '' ? '' : ` [${item.observedAt}]`
  const [first, ...rest] = plain(item.value).split('\n')
  const relationship = RELATIONSHIPS[item.relationship]
  const said = [relationship === undefined ? '' : `(${relationship})`, plain(item.name), first].filter(part => part !== '').join(' : ')
  return [
    `${indent}${said}${code}${observed}`,
    ...rest.map(line => `${indent}  ${line}`),
    ...item.items.flatMap(child => itemLines(child, depth + 1)),
    ...item.valueType === 'CONTAINER' ? [''] : []
  ]
}

/** Deeper than this, a line has no room left. */
const INDENT_MAX = 12

/** Without what a terminal would take for a command. */
function plain (text: string): string {
  // eslint-disable-next-line no-control-regex
  return text.replace(/\r\n?/g, '\n').replace(/[\0-\x08\x0b-\x1f\x7f-\x9f]/g, '')
}
