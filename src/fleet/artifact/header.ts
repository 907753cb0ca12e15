/**
 * The header of an artifact: what it is, for which devices, what it provides and depends on.
 *
 * Source: Mender artifact format v3, `header.tar.gz`.
 * Read only after the manifest's signature and the header's checksum were found good.
 */

import { Type, type Static, type TSchema } from 'typebox'
import { Value } from 'typebox/value'
import { FleetError } from '../errors.ts'
import { readTar } from './tar.ts'

const word = Type.String({ minLength: 1, maxLength: 256, pattern: '^[^\\x00-\\x1f\\x7f]+$' })
const wordOrWords = Type.Union([word, Type.Array(word, { maxItems: 100 })])

const HeaderInfo = Type.Object({
  payloads: Type.Array(Type.Object({ type: Type.Union([word, Type.Null()]) }), { minItems: 1, maxItems: 16 }),
  artifact_provides: Type.Object({ artifact_name: word, artifact_group: Type.Optional(word) }),
  artifact_depends: Type.Object({
    device_type: Type.Array(word, { minItems: 1, maxItems: 100 }),
    artifact_name: Type.Optional(Type.Array(word, { maxItems: 100 })),
    artifact_group: Type.Optional(Type.Array(word, { maxItems: 100 }))
  })
})

const TypeInfo = Type.Object({
  type: Type.Union([word, Type.Null()]),
  artifact_provides: Type.Optional(Type.Union([Type.Record(word, Type.String({ maxLength: 256 })), Type.Null()])),
  artifact_depends: Type.Optional(Type.Union([Type.Record(word, wordOrWords), Type.Null()]))
})

export interface ArtifactHeader {
  readonly name: string
  readonly deviceTypes: readonly string[]
  /** In the order of their data; an empty one updates nothing but what is provided. */
  readonly payloadTypes: readonly (string | null)[]
  readonly provides: Readonly<Record<string, string>>
  /** Of what the device must provide, one value each; the device type aside. */
  readonly depends: Readonly<Record<string, readonly string[]>>
  /** Names of the state scripts that the client would run as root. */
  readonly scripts: readonly string[]
}

const JSON_BYTES_MAX = 256 << 10

/** @throws FleetError ARTIFACT_MALFORMED, ARTIFACT_TRUNCATED, ARTIFACT_UNSUPPORTED */
export async function readHeader (tar: AsyncIterable<Uint8Array>): Promise<ArtifactHeader> {
  let info: Static<typeof HeaderInfo> | undefined
  const types = new Map<number, Static<typeof TypeInfo>>()
  const scripts: string[] = []
  for await (const { name, bytes, body } of readTar(tar)) {
    const content = async (): Promise<unknown> => await jsonOf(name, bytes, body())
    const [, place] = /^headers\/(\d{4})\/type-info$/.exec(name) ?? []
    if (info === undefined) {
      if (name !== 'header-info') throw malformed('header-info does not come first', name)
      info = parse(HeaderInfo, await content(), name)
    } else if (place !== undefined && !types.has(Number(place))) {
      types.set(Number(place), parse(TypeInfo, await content(), name))
    } else if (/^scripts\/[A-Za-z_]+_(Enter|Leave|Error)_\d\d(_[A-Za-z0-9_.-]+)?$/.test(name)) {
      scripts.push(name.slice('scripts/'.length))
    } else if (!/^headers\/\d{4}\/(meta-data|files)$/.test(name)) {
      throw malformed('the header holds a file that it should not', name)
    }
  }
  if (info === undefined) throw malformed('the header is empty', 'header-info')
  const { payloads, artifact_provides: provides, artifact_depends: depends } = info
  const perPayload = payloads.map(({ type }, place) => {
    const one = types.get(place)
    if (one === undefined || one.type !== type) throw malformed('a payload\'s type is told in two ways', `headers/${place}`)
    return one
  })
  if (types.size > payloads.length) throw malformed('type-info of a payload that is not there', 'header-info')
  const { device_type: deviceTypes, ...otherDepends } = depends
  return {
    name: provides.artifact_name,
    deviceTypes,
    payloadTypes: payloads.map(({ type }) => type),
    provides: Object.assign({ ...provides }, ...perPayload.map(one => one.artifact_provides ?? {})) as Record<string, string>,
    depends: Object.fromEntries([otherDepends, ...perPayload.map(one => one.artifact_depends ?? {})]
      .flatMap(one => Object.entries(one))
      .map(([name, values]) => [name, [values ?? []].flat()])),
    scripts
  }
}

async function jsonOf (name: string, bytes: number, body: AsyncIterable<Buffer>): Promise<unknown> {
  if (bytes > JSON_BYTES_MAX) throw malformed('a file of the header is too long', name)
  const pieces: Buffer[] = []
  for await (const piece of body) pieces.push(piece)
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } catch (error) {
    throw malformed('a file of the header is no JSON', name)
  }
}

function parse<T extends TSchema> (schema: T, json: unknown, file: string): Static<T> {
  if (Value.Check(schema, json)) return json as Static<T>
  const [slip] = Value.Errors(schema, json)
  throw malformed(`${slip?.instancePath ?? ''} ${slip?.message ?? 'is wrong'}`.trim(), file)
}

function malformed (message: string, file: string): FleetError {
  return new FleetError('ARTIFACT_MALFORMED', message, { facts: { file: file.slice(0, 200) } })
}
