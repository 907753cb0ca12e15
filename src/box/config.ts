/**
 * Every setting of the box, declared once: meaning, unit, default and bounds. The validator comes
 * from here; a room receives the values that it needs, never the whole.
 */

import { readFile } from 'node:fs/promises'
import { Type, type Static } from 'typebox'
import { Value } from 'typebox/value'
import { SettingError } from '#core/errors.ts'

const closed = { additionalProperties: false } as const

/** PS3.5 §6.2, AE: 1 to 16 characters, no backslash, no control, not only spaces. */
const aeTitle = (description: string, options: object = {}) =>
  Type.String({ description, pattern: '^(?=.*[^ ])[\\x20-\\x5B\\x5D-\\x7E]{1,16}$', ...options })

const port = (description: string, options: object = {}) =>
  Type.Integer({ description, minimum: 0, maximum: 65535, ...options })

const seconds = (description: string, value: number, minimum: number, maximum: number) =>
  Type.Number({ description, default: value, minimum, maximum })

const Hours = Type.Object({
  from: Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', description: 'local time, HH:MM' }),
  to: Type.String({ pattern: '^([01]\\d|2[0-3]):[0-5]\\d$', description: 'local time, HH:MM; may lie after midnight' }),
  associationsMax: Type.Integer({ minimum: 0, maximum: 16, description: '0 leaves the PACS alone' })
}, closed)

const Tls = Type.Object({
  caFile: Type.Optional(Type.String({ description: 'PEM of the authorities believed' })),
  certFile: Type.Optional(Type.String({ description: 'PEM of our certificate' })),
  keyFile: Type.Optional(Type.String({ description: 'PEM of our key' })),
  serverName: Type.Optional(Type.String({ description: 'name in the peer\'s certificate, where it is not the host' }))
}, { ...closed, description: 'DICOM secure transport (PS3.15 §B.9 onwards); absent: in the clear, as nearly every PACS' })

const Pacs = Type.Object({
  host: Type.String({ minLength: 1, description: 'name or address of the PACS' }),
  port: Type.Integer({ default: 104, minimum: 1, maximum: 65535 }),
  calledTitle: aeTitle('AE title of the PACS'),
  senders: Type.Array(Type.Object({
    title: aeTitle('AE title that the PACS calls us with'),
    addresses: Type.Optional(Type.Array(Type.String(), { description: 'where it calls from; absent: from where its host name leads' }))
  }, closed), { default: [], description: 'who may send to us; empty: the PACS under its own title, from its own address' }),
  characterSet: Type.String({ default: 'ISO_IR 100', pattern: '^[A-Z0-9_ ]{1,16}$', description: 'Specific Character Set that the PACS writes in where it names none (PS3.3 §C.12.1.1.2)' }),
  method: Type.Union([Type.Literal('move'), Type.Literal('get')], { default: 'move', description: 'C-MOVE, or C-GET where the PACS forbids it' }),
  associationsMax: Type.Integer({ default: 2, minimum: 1, maximum: 16, description: 'associations that the PACS bears from us at the same time' }),
  hours: Type.Array(Hours, { default: [], description: 'other numbers of associations, by time of day' }),
  seriesAtOnce: Type.Integer({ default: 4, minimum: 1, maximum: 8, description: 'series of one study moved at the same time, where there are associations for them; 1 moves studies whole' }),
  seriesKnownSeconds: seconds('a PACS that takes longer to say which series a study has is asked for it as a whole meanwhile', 0.05, 0, 10),
  idleSeconds: seconds('an association without work stays open so long', 30, 1, 600),
  responseSeconds: seconds('how long the PACS may take for one answer, fetching from slow storage included', 120, 1, 3600),
  connectSeconds: seconds('how long reaching it may take', 10, 0.1, 120),
  retriesMax: Type.Integer({ default: 2, minimum: 0, maximum: 10, description: 'how often missing instances are asked for again' }),
  failuresMax: Type.Integer({ default: 5, minimum: 1, maximum: 100, description: 'failures in a row after which it is left alone' }),
  restSeconds: seconds('for how long it is left alone then', 15, 1, 3600),
  waitingMax: Type.Integer({ default: 200, minimum: 1, maximum: 10000, description: 'requests that may wait for an association' }),
  tls: Type.Optional(Tls)
}, closed)

const Dimse = Type.Object({
  aeTitle: aeTitle('this box, as the PACS knows it', { default: 'DRIMBOX' }),
  host: Type.String({ default: '0.0.0.0', description: 'address that we listen on' }),
  port: port('port that the PACS sends to; 0 takes a free one', { default: 11112 }),
  associationsMax: Type.Integer({ default: 32, minimum: 1, maximum: 500, description: 'incoming associations at the same time' }),
  idleSeconds: seconds('an incoming association that says nothing is ended after so long', 60, 1, 3600),
  tls: Type.Optional(Tls)
}, closed)

const Cors = Type.Object({
  origins: Type.Array(Type.String({ pattern: '^(\\*|https?://[A-Za-z0-9.:_\\[\\]-]+)$' }), { minItems: 1, description: 'pages that may read: https://viewer.centre.lan; * for any, without credentials' }),
  credentials: Type.Boolean({ default: false, description: 'whether browsers may send cookies and certificates along' }),
  maxAgeSeconds: Type.Integer({ default: 600, minimum: 0, maximum: 86400, description: 'for how long a browser remembers that it may' })
}, { ...closed, description: 'viewers from other web sites (Fetch standard, CORS); absent: none' })

const Http = Type.Object({
  host: Type.String({ default: '127.0.0.1', description: 'address that we listen on, when no socket is named' }),
  port: port('0 takes a free one', { default: 8042 }),
  socket: Type.Optional(Type.String({ description: 'UNIX socket behind the front; then host and port are not used' })),
  prefix: Type.String({ default: '/dicom-web', pattern: '^(/[A-Za-z0-9._-]+)*$', description: 'path before /studies' }),
  publicUrl: Type.Optional(Type.String({ pattern: '^https?://[A-Za-z0-9.:_\\[\\]-]+(/[A-Za-z0-9._-]+)*$', description: 'URL under which callers reach the path before /studies, when it is not what they say in Host' })),
  cors: Type.Optional(Cors),
  connectionsMax: Type.Integer({ default: 512, minimum: 1, maximum: 10000, description: 'callers at the same time' })
}, closed)

const GIB = 2 ** 30

const Cache = Type.Object({
  folder: Type.String({ minLength: 1, description: 'where the packs lie' }),
  bytesMax: Type.Integer({ default: 50 * GIB, minimum: 1 << 20, description: 'all packs together' }),
  ageSecondsMax: Type.Integer({ default: 7 * 86400, minimum: 60, description: 'since a series was received' }),
  diskFreeBytesMin: Type.Integer({ default: GIB, minimum: 0, description: 'what the disk keeps free for everything else' })
}, closed)

const Pixels = Type.Object({
  workersMax: Type.Integer({ default: 0, minimum: 0, maximum: 64, description: 'threads that decode and encode pixels; 0: one for each core' }),
  frameMegapixelsMax: Type.Integer({ default: 128, minimum: 1, maximum: 1024, description: 'rows × columns of a frame that is decoded at all' }),
  megabytesMax: Type.Integer({ default: 192, minimum: 16, maximum: 4096, description: 'coded and decoded bytes on their way to the threads and back' }),
  jobSeconds: seconds('one frame may take so long', 60, 1, 600),
  idleSeconds: seconds('a thread without work ends after so long, except the last one while it holds little', 30, 1, 3600),
  callersMax: Type.Integer({ default: 256, minimum: 1, maximum: 10000, description: 'requests that may wait for these threads at the same time' })
}, closed)

const Stow = Type.Object({
  enabled: Type.Boolean({ default: false, description: 'whether callers may store into the PACS (STOW-RS)' }),
  requestsMax: Type.Integer({ default: 4, minimum: 1, maximum: 64, description: 'callers that store at the same time' }),
  objectBytesMax: Type.Integer({ default: 4 * GIB, minimum: 1 << 20, maximum: 64 * GIB, description: 'longer objects are refused' }),
  spoolBytesMax: Type.Integer({ default: 8 * GIB, minimum: 1 << 20, description: 'objects that wait on the cache\'s disk to be stored, all together' })
}, { ...closed, default: {} })

const Fhir = Type.Object({
  enabled: Type.Boolean({ default: false, description: 'whether the studies of the PACS are told as FHIR ImagingStudy' }),
  prefix: Type.String({ default: '/fhir', pattern: '^(/[A-Za-z0-9._-]+)+$', description: 'path before /ImagingStudy' }),
  publicUrl: Type.Optional(Type.String({ pattern: '^https?://[A-Za-z0-9.:_\\[\\]-]+(/[A-Za-z0-9._-]+)*$', description: 'URL under which callers reach the path before /ImagingStudy, when it is not what they say in Host' })),
  patientSystem: Type.Optional(Type.String({ pattern: '^\\S+$', description: 'URI of the number space of the PACS\'s patient identifiers' })),
  accessionSystem: Type.Optional(Type.String({ pattern: '^\\S+$', description: 'URI of the number space of its accession numbers' }))
}, { ...closed, default: {} })

const Freshness = Type.Object({
  youngDays: Type.Number({ default: 2, minimum: 0, maximum: 365, description: 'a study this young may still grow' }),
  youngSecondsMax: seconds('a young study is counted again after so long', 60, 0, 86400),
  oldSecondsMax: seconds('any other study is counted again after so long', 86400, 0, 30 * 86400),
  unreadSecondsMax: seconds('a retrieve goes on for so long after its last reader left', 10, 0, 600)
}, { ...closed, default: {} })

export const ConfigSchema = Type.Object({
  pacs: Pacs,
  dimse: Type.Object(Dimse.properties, { ...closed, default: {} }),
  http: Type.Object(Http.properties, { ...closed, default: {} }),
  cache: Cache,
  freshness: Freshness,
  pixels: Type.Object(Pixels.properties, { ...closed, default: {} }),
  stow: Stow,
  fhir: Fhir,
  adminSocket: Type.Optional(Type.String({ description: 'UNIX socket for the command line' })),
  logLevel: Type.Union(['fatal', 'error', 'warn', 'info', 'debug', 'silent'].map(level => Type.Literal(level)), { default: 'info' })
}, closed)

export type Config = Readonly<Static<typeof ConfigSchema>>

/** @throws SettingError SETTING_INVALID, naming every wrong key at once */
export function parseConfig (json: unknown): Config {
  const config = Value.Default(ConfigSchema, structuredClone(json))
  const slips = [...Value.Errors(ConfigSchema, config)].map(slip => `${slip.instancePath || '/'} ${slip.message}`)
  if (slips.length > 0) throw new SettingError(slips.join('; '))
  return config as Config
}

/** @throws SettingError when the file is absent, not JSON, or wrong */
export async function readConfig (path: string): Promise<Config> {
  let json: unknown
  try {
    json = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    throw new SettingError(`settings cannot be read from ${path}`, { cause: error })
  }
  return parseConfig(json)
}
