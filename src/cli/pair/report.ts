/** The proof as a page for whoever stands before the terminal: one line for each step, its facts, what is missing. */

import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { TRANSFER_SYNTAXES } from '#standards/dicom/transfer-syntax.ts'
import { printable } from '../table.ts'
import type { Words } from '../words.ts'
import type { Proof } from './proof.ts'
import { FINDINGS, type Finding, type Mark, type Site, type Step } from './step.ts'

const MARKS: Readonly<Record<Mark, string>> = { passed: '✓', warned: '!', failed: '✗', skipped: '–' }
const STEP_WIDTH = 34

export function introduction (site: Site, words: Words): string {
  return `${printable(words.pair.title(site))}\n`
}

export function stepLines ({ step, mark, milliseconds, facts, findings }: Step, site: Site, words: Words): string {
  const name = words.pair.steps[step]
  const end = mark === 'skipped' ? words.pair.skipped : words.milliseconds(milliseconds)
  return [
    `${MARKS[mark]} ${name.padEnd(STEP_WIDTH)} ${end}`,
    ...Object.entries(facts)
      .filter(([, value]) => value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0))
      .map(([label, value]) => `    ${words.pair.facts[label] ?? label}${words.colon}${show(label, value, words)}`),
    ...findings.flatMap(finding => findingLines(finding, site, words))
  ].map(line => printable(line)).join('\n')
}

export function findingLines (finding: Finding, site: Site, words: Words): string[] {
  const { what, todo } = words.pair.findings[finding.name](site, finding.facts)
  return [`    ${what} [${finding.name}]`, `    → ${words.pair.sides[FINDINGS[finding.name]]}${words.colon}${todo}`]
}

export function verdict ({ passed, steps, site }: Proof, words: Words): string {
  const findings = steps.flatMap(({ mark, findings }) => findings.filter(({ name }) => mark === 'failed' || name === 'method-get-works'))
  if (passed) return `\n${words.pair.ready(site)}`
  const lines = findings.map((finding, index) => `  ${index + 1}. ${words.pair.sides[FINDINGS[finding.name]]}${words.colon}${words.pair.findings[finding.name](site, finding.facts).todo}`)
  return [`\n${words.pair.notReady(site)}`, ...lines].map((line, index) => index === 0 ? line : printable(line)).join('\n')
}

function show (label: string, value: unknown, words: Words): string {
  if (Array.isArray(value)) return value.map(one => show(label, one, words)).join(', ')
  if (typeof value === 'boolean') return value ? words.yes : words.no
  if (typeof value === 'number') {
    if (label === 'pduBytesMax') return value === 0 ? words.unlimited : String(value)
    if (label === 'bytesPerSecond') return words.perSecond(words.bytes(value))
    if (label.endsWith('Milliseconds')) return words.milliseconds(value)
    return /bytes/i.test(label) ? words.bytes(value) : String(value)
  }
  const text = String(value)
  if (label === 'since') return text.replace(/^(\d{4})(\d{2})(\d{2})$/, words.find.date)
  const name = TRANSFER_SYNTAXES.get(text)?.name ?? STORAGE_CLASSES.get(text)
  return name === undefined ? text : `${name} (${text})`
}
