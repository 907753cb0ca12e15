/**
 * The sheet to hand to whoever keeps the PACS: who we are, what we need, what must be declared on their side, and how
 * the proof went. Plain text that prints well; holds nothing about patients.
 */

import type { Config } from '#box/config.ts'
import { RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import { IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME } from '#standards/dicom/part10.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { VERIFICATION } from '#standards/dimse/echo.ts'
import { LIMITS } from '#standards/dimse/limits.ts'
import { QUERY_RETRIEVE } from '#standards/dimse/query-retrieve.ts'
import { printable } from '../table.ts'
import type { Words } from '../words.ts'
import type { Proof } from './proof.ts'
import { FINDINGS } from './step.ts'

export interface SheetOptions {
  /** With the list of every storage class; without it the sheet fits on a screen or two. */
  readonly whole: boolean
}

export function sheet (config: Config, { steps, site }: Proof, words: Words, { whole }: SheetOptions): string {
  const { sheet: text } = words.pair
  const { pacs, dimse } = config
  const isMove = pacs.method === 'move'
  const address = site.ourAddress ?? text.addressUnknown
  const section = (title: string, lines: readonly string[]): string[] => ['', title, '-'.repeat(title.length), ...lines]
  const pairs = (rows: readonly (readonly [string, string])[]): string[] => {
    const width = Math.max(...rows.map(([label]) => label.length))
    return rows.map(([label, value]) => `${label.padEnd(width)}${words.colon}${value}`)
  }
  const open = steps.flatMap(({ mark, findings }) => mark === 'failed' ? findings : [])
  return [
    text.title,
    '='.repeat(text.title.length),
    text.purpose,
    ...section(text.ours, pairs([
      [text.aeTitle, site.ourTitle],
      [text.address, address],
      [text.port, `${site.ourPort} (TCP${dimse.tls === undefined ? '' : ', TLS'})`],
      [text.implementation, `${IMPLEMENTATION_VERSION_NAME} (${IMPLEMENTATION_CLASS_UID})`],
      [text.pdu, String(LIMITS.pduBytesMax)],
      [text.associationsOut, String(pacs.associationsMax)],
      [text.associationsIn, String(dimse.associationsMax)]
    ])),
    ...section(text.theirs, pairs([
      [text.aeTitle, site.pacsTitle],
      [text.address, site.pacsHost],
      [text.port, `${site.pacsPort} (TCP${pacs.tls === undefined ? '' : ', TLS'})`]
    ])),
    ...section(text.asScu, [
      `Verification (C-ECHO)        ${VERIFICATION}`,
      `Study Root - FIND (C-FIND)   ${QUERY_RETRIEVE.study.find}`,
      isMove ? `Study Root - MOVE (C-MOVE)   ${QUERY_RETRIEVE.study.move}` : `Study Root - GET (C-GET)     ${QUERY_RETRIEVE.study.get}`
    ]),
    ...section(text.asScp, [
      ...isMove ? [`Verification (C-ECHO)        ${VERIFICATION}`] : [],
      text.storage(STORAGE_CLASSES.size, whole)
    ]),
    ...section(text.syntaxes, [text.syntaxesNote, ...RECEIVED_SYNTAXES.map((uid, index) => `${String(index + 1).padStart(2)}. ${uid.padEnd(24)} ${transferSyntax(uid).name}`)]),
    ...section(text.declare, text.declarations(site, { address, isMove, associations: pacs.associationsMax }).map((line, index) => `${index + 1}. ${line}`)),
    ...section(text.outcome, [
      ...steps.map(({ step, mark }) => `${words.pair.marks[mark].padEnd(10)} ${words.pair.steps[step]}`),
      ...open.length === 0 ? [] : ['', text.open, ...open.map(({ name, facts }) => `- ${words.pair.sides[FINDINGS[name]]}${words.colon}${words.pair.findings[name](site, facts).todo} [${name}]`)]
    ]),
    ...whole ? section(text.classes, [...STORAGE_CLASSES].map(([uid, name]) => `${uid.padEnd(32)} ${name}`)) : [],
    ''
  ].map(printable).join('\n')
}
