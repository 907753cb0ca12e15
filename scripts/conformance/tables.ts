/**
 * The tables of the conformance statement, from the tables that the code uses.
 */

import { ConfigSchema } from '#box/config.ts'
import { receivingOrder } from '#box/pacs/syntaxes.ts'
import { STOW_DESCRIBED } from '#box/stow/described.ts'
import { DESCRIBED } from '#box/wado/described.ts'
import { keywordOf } from '#standards/dicom/dictionary.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { STATUS } from '#standards/dicomweb/problem.ts'
import { DEFAULTS, LEVELS, OPTIONAL, UNIQUE_KEY } from '#standards/dicomweb/query-levels.ts'
import { templated, type RouteDescription } from '#standards/dicomweb/served-route.ts'
import { LIMITS, PEER_PDU_BYTES_MIN, SENT_PDU_BYTES_MAX, TIMERS } from '#standards/dimse/limits.ts'
import { canDecode, encodableSyntaxes } from '#standards/pixels/pixel-syntaxes.ts'

/** A table as Markdown writes it. */
export function table (head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[]): string => `| ${cells.map(cell => String(cell).replaceAll('|', '\\|')).join(' | ')} |`
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n')
}

const ROUTES: Readonly<Record<string, RouteDescription>> = { ...DESCRIBED, ...STOW_DESCRIBED }

export function storageClasses (): string {
  return table(['SOP Class', 'UID', 'Create', 'Read', 'Store', 'Transfer'], [...STORAGE_CLASSES].map(([uid, name]) => [name, uid, 'N', 'N', 'Y', 'Y']))
}

export function receivedSyntaxes (): string {
  const encodable = new Set(encodableSyntaxes())
  return table(['Order', 'Transfer Syntax', 'UID', 'Lossy', 'Frames decoded', 'Frames encoded'], receivingOrder().map((uid, place) => {
    const { name, lossy } = transferSyntax(uid)
    return [place + 1, name, uid, lossy ? 'may be' : 'no', canDecode(uid) ? 'Y' : 'N', encodable.has(uid) ? 'Y' : 'N']
  }))
}

export function syntaxNames (uids: readonly string[]): string {
  return uids.map(uid => `${transferSyntax(uid).name} (${uid})`).join('; ')
}

export function queryKeys (): string {
  return table(['Level', 'Attribute', 'Tag', 'Key', 'Returned by a search'], LEVELS.flatMap(level => [
    ...DEFAULTS[level].map(path => ({ path, returned: 'always' })),
    ...OPTIONAL[level].map(path => ({ path, returned: 'includefield' }))
  ].map(({ path, returned }) => [
    level,
    path.map(tag => keywordOf(tag) ?? tag).join(' > '),
    path.map(tag => `(${tag.slice(0, 4)},${tag.slice(4)})`).join(' > '),
    path.length === 1 && path[0] === UNIQUE_KEY[level] ? 'unique' : 'matching or return',
    returned
  ])))
}

/** @param section of PS3.18, or the beginning of one */
export function transactions (section: string): string {
  const routes = Object.entries(ROUTES).filter(([, { section: own }]) => own.startsWith(section))
  return table(['Transaction', 'Method and resource', 'Media types of the answer', 'Query parameters', 'Headers besides Accept'], routes.map(([name, { id, answers, query, headers, payload }]) => {
    const [method, path] = name.split(' ')
    return [
      id,
      `${method} ${templated(path)}`,
      (payload === undefined ? '' : `payload: ${payload.join(', ')}; answer: `) + answers.join(', '),
      Object.keys(query?.properties ?? {}).join(', ') || 'none',
      Object.keys(headers?.properties ?? {}).join(', ') || 'none'
    ]
  }))
}

/** Status codes of HTTP, with the causes that lead to each. */
export function httpStatuses (): string {
  const causes = Map.groupBy(Object.entries(STATUS), ([, status]) => status)
  return table(['Status code', 'Codes in the body (RFC 9457)'], [...causes].sort(([a], [b]) => a - b).map(([status, entries]) => [status, entries.map(([code]) => `\`${code}\``).join(', ')]))
}

export function timersAndLimits (): string {
  const words: Readonly<Record<string, string>> = {
    connectSeconds: 'until TCP, and TLS, stands',
    associateSeconds: 'ARTIM: until the association is asked for, answered or released',
    responseSeconds: 'silence while a response is awaited',
    cancelSeconds: 'from a C-CANCEL to the final response',
    idleSeconds: 'silence on an association that a peer opened',
    writeSeconds: 'until a peer takes what was written',
    totalSeconds: 'life of one association',
    pduBytesMax: 'P-DATA-TF that is announced and accepted',
    associateBytesMax: 'A-ASSOCIATE-RQ or -AC that is read',
    commandBytesMax: 'one command set',
    identifierBytesMax: 'one identifier in a response'
  }
  return table(['Parameter', 'Meaning', 'Value'], [
    ...Object.entries(TIMERS).map(([name, value]) => [name, words[name], `${value} s`]),
    ...Object.entries(LIMITS).map(([name, value]) => [name, words[name], `${value} bytes`]),
    ['–', 'P-DATA-TF that is sent to a peer that takes any length', `${SENT_PDU_BYTES_MAX} bytes`],
    ['–', 'shortest P-DATA-TF of a peer that is accepted', `${PEER_PDU_BYTES_MIN} bytes`]
  ])
}

interface Setting {
  readonly type?: string
  readonly description?: string
  readonly default?: unknown
  readonly minimum?: number
  readonly maximum?: number
  readonly properties?: Readonly<Record<string, Setting>>
  readonly items?: Setting
}

/** @param room first word of the keys: 'pacs' for pacs.host and its like */
export function settings (room: keyof typeof ConfigSchema.properties): string {
  return table(['Setting', 'Meaning', 'Default', 'Range'], rowsOf(ConfigSchema.properties[room] as Setting, room))
}

function rowsOf (setting: Setting, name: string): string[][] {
  const inner = setting.properties ?? setting.items?.properties
  const own = setting.description === undefined && inner !== undefined ? [] : [[`\`${name}\``, setting.description ?? '–', said(setting), range(setting)]]
  return [...own, ...Object.entries(inner ?? {}).flatMap(([key, one]) => rowsOf(one, `${name}${setting.items === undefined ? '' : '[]'}.${key}`))]
}

function said ({ default: value }: Setting): string {
  return value === undefined ? 'none' : JSON.stringify(value)
}

function range ({ minimum, maximum }: Setting): string {
  if (minimum === undefined && maximum === undefined) return '–'
  return `${minimum ?? ''} to ${maximum ?? ''}`.trim()
}
