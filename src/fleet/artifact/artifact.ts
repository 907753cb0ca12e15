/**
 * A release as the vendor signed it, read as it arrives, and believed only as far as it was checked:
 * signature first, then the header, then every byte of the data.
 *
 * Source: Mender artifact format v3 (mender-artifact, Documentation/artifact-format-v3.md).
 * Taken without compression or with gzip. What isn't signed (manifest-augment, header-augment) is refused.
 */

import { createHash } from 'node:crypto'
import { Readable, pipeline } from 'node:stream'
import { createGunzip } from 'node:zlib'
import { FleetError } from '../errors.ts'
import { readHeader, type ArtifactHeader } from './header.ts'
import { readTar, type TarEntry } from './tar.ts'
import { signerOf, type VendorKey } from './vendor-keys.ts'

export interface ArtifactFile {
  /** `data/0000/root.erofs` */
  readonly path: string
  readonly bytes: number
  readonly sha256: string
}

export interface Artifact extends ArtifactHeader {
  readonly files: readonly ArtifactFile[]
  /** SHA-256 of the vendor's public key, in hexadecimal. */
  readonly signedBy: string
}

export interface ArtifactLimits {
  /** All files of the data, decompressed: a small file may hold a very large one. */
  readonly dataBytesMax: number
}

/** `{"format":"mender","version":3}` takes 31; 100 checksums take 10 kB. */
const SMALL_BYTES_MAX = 64 << 10
const HEADER_BYTES_MAX = 4 << 20

/**
 * @param chunks the file, from its first byte to its last
 * @throws FleetError ARTIFACT_…, each cause with its code
 */
export async function readArtifact (chunks: AsyncIterable<Uint8Array>, keys: readonly VendorKey[], { dataBytesMax }: ArtifactLimits): Promise<Artifact> {
  const entries = readTar(chunks)
  const next = async (wanted: string): Promise<TarEntry> => {
    const { done, value } = await entries.next()
    if (done === true) throw new FleetError('ARTIFACT_TRUNCATED', 'the artifact ends too early', { facts: { wanted } })
    return value
  }
  const small = async (entry: TarEntry, wanted: string): Promise<Buffer> => {
    if (entry.name !== wanted) throw unsupportedOr(entry.name, wanted)
    return await whole(entry, SMALL_BYTES_MAX)
  }

  const version = await small(await next('version'), 'version')
  assertVersion(version)
  const manifest = await small(await next('manifest'), 'manifest')
  const signature = await next('manifest.sig')
  if (signature.name !== 'manifest.sig') throw new FleetError('ARTIFACT_UNSIGNED', 'the artifact is not signed')
  const signedBy = signerOf(manifest, (await whole(signature, SMALL_BYTES_MAX)).toString('latin1'), keys)
  const checks = new Checks(manifest)
  checks.assert('version', createHash('sha256').update(version).digest('hex'))

  const headerEntry = await next('header.tar')
  if (!/^header\.tar(\.|$)/.test(headerEntry.name)) throw unsupportedOr(headerEntry.name, 'header.tar')
  const headerBytes = await whole(headerEntry, HEADER_BYTES_MAX)
  checks.assert(headerEntry.name, createHash('sha256').update(headerBytes).digest('hex'))
  const header = await readHeader(unpacked(headerEntry.name, one(headerBytes), HEADER_BYTES_MAX))

  const files: ArtifactFile[] = []
  let left = dataBytesMax
  for (const place of header.payloadTypes.keys()) {
    const bucket = `data/${String(place).padStart(4, '0')}`
    const entry = await next(`${bucket}.tar`)
    if (!entry.name.startsWith(`${bucket}.tar`)) throw unsupportedOr(entry.name, `${bucket}.tar`)
    for await (const file of readTar(unpacked(entry.name, entry.body(), left))) {
      const path = `${bucket}/${file.name}`
      const hash = createHash('sha256')
      for await (const piece of file.body()) hash.update(piece)
      const sha256 = hash.digest('hex')
      checks.assert(path, sha256)
      files.push({ path, bytes: file.bytes, sha256 })
      left -= file.bytes
    }
  }
  const after = await entries.next()
  if (after.done !== true) throw malformed('the artifact holds more than its header names', after.value.name)
  checks.assertAllMet()
  return { ...header, files, signedBy }
}

/** What the manifest says, each line to be met exactly once. */
class Checks {
  readonly #wanted = new Map<string, string>()

  constructor (manifest: Buffer) {
    const text = manifest.toString('utf8')
    if (text !== '' && !text.endsWith('\n')) throw malformed('the manifest is cut', 'manifest')
    for (const line of text.split('\n').slice(0, -1)) {
      const [, sha256, name] = /^([0-9a-f]{64}) {2}([^\0]{1,300})$/.exec(line) ?? []
      if (sha256 === undefined || name === undefined || this.#wanted.has(name)) throw malformed('the manifest cannot be read', 'manifest')
      this.#wanted.set(name, sha256)
    }
  }

  assert (name: string, sha256: string): void {
    if (this.#wanted.get(name) !== sha256) {
      throw new FleetError('ARTIFACT_CHECKSUM_WRONG', this.#wanted.has(name) ? 'a file is not what the vendor signed' : 'a file that the vendor did not sign', { facts: { file: name.slice(0, 200) } })
    }
    this.#wanted.delete(name)
  }

  assertAllMet (): void {
    const [missing] = this.#wanted.keys()
    if (missing !== undefined) throw new FleetError('ARTIFACT_TRUNCATED', 'a file that the vendor signed is missing', { facts: { file: missing.slice(0, 200) } })
  }
}

function assertVersion (bytes: Buffer): void {
  let said: unknown
  try {
    said = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    throw malformed('this is no Mender artifact', 'version')
  }
  const { format, version } = (said ?? {}) as { format?: unknown, version?: unknown }
  if (format !== 'mender') throw malformed('this is no Mender artifact', 'version')
  if (version !== 3) throw new FleetError('ARTIFACT_UNSUPPORTED', 'another version of the artifact format', { facts: { version: String(version).slice(0, 20) } })
}

async function whole ({ name, bytes, body }: TarEntry, bytesMax: number): Promise<Buffer> {
  if (bytes > bytesMax) throw malformed('a file is too long', name)
  const pieces: Buffer[] = []
  for await (const piece of body()) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function * one (bytes: Buffer): AsyncGenerator<Buffer> {
  yield bytes
}

/** @param bytesMax that come out of it, and some room for tar's own */
async function * unpacked (name: string, packed: AsyncIterable<Buffer>, bytesMax: number): AsyncGenerator<Buffer> {
  let bytes = 0
  for await (const piece of decompressed(name, packed)) {
    bytes += piece.length
    if (bytes > bytesMax + TAR_ROOM) throw new FleetError('ARTIFACT_TOO_LARGE', 'more comes out of the artifact than may', { facts: { bytesMax } })
    yield piece
  }
}

const TAR_ROOM = 1 << 20

async function * decompressed (name: string, packed: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  if (name.endsWith('.tar')) {
    yield * packed
    return
  }
  if (!name.endsWith('.tar.gz')) throw new FleetError('ARTIFACT_UNSUPPORTED', 'packed in another way than gzip', { facts: { file: name.slice(0, 200) } })
  try {
    yield * pipeline(Readable.from(packed), createGunzip(), () => {})
  } catch (error) {
    if (error instanceof FleetError) throw error
    const { code } = error as NodeJS.ErrnoException
    if (code === 'Z_BUF_ERROR') throw new FleetError('ARTIFACT_TRUNCATED', 'compressed data end too early', { cause: error })
    if (code?.startsWith('Z_') === true) throw malformed('compressed data cannot be read', name)
    throw error
  }
}

function unsupportedOr (name: string, wanted: string): FleetError {
  if (/^(manifest|header)-augment/.test(name)) return new FleetError('ARTIFACT_UNSUPPORTED', 'an artifact with a part that nobody signs', { facts: { file: name } })
  return malformed(`${wanted} is expected here`, name)
}

function malformed (message: string, file: string): FleetError {
  return new FleetError('ARTIFACT_MALFORMED', message, { facts: { file: file.slice(0, 200) } })
}
