/**
 * The artifacts' files: received whole, checked while they arrive, and only then given their name.
 *
 * Nothing that isn't signed by the vendor ever has a name here; what a power cut leaves lies in
 * `incoming` and is swept at the next start.
 */

import { createHash, randomUUID } from 'node:crypto'
import { mkdir, open, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { readArtifact, type Artifact } from './artifact/artifact.ts'
import type { VendorKey } from './artifact/vendor-keys.ts'
import { FleetError } from './errors.ts'

export interface KeptArtifact extends Artifact {
  readonly sha256: string
  readonly bytes: number
}

export class ArtifactFiles {
  readonly #folder: string
  readonly #keys: readonly VendorKey[]
  readonly #bytesMax: number

  private constructor (folder: string, keys: readonly VendorKey[], bytesMax: number) {
    this.#folder = folder
    this.#keys = keys
    this.#bytesMax = bytesMax
  }

  static async open (folder: string, keys: readonly VendorKey[], bytesMax: number): Promise<ArtifactFiles> {
    await rm(join(folder, 'incoming'), { recursive: true, force: true })
    await mkdir(join(folder, 'incoming'), { recursive: true, mode: 0o700 })
    return new ArtifactFiles(folder, keys, bytesMax)
  }

  pathOf (sha256: string): string {
    return join(this.#folder, `${sha256}.mender`)
  }

  /**
   * @param chunks the file
   * @throws FleetError ARTIFACT_…: then nothing of it is kept
   */
  async keep (chunks: AsyncIterable<Uint8Array>): Promise<KeptArtifact> {
    const path = join(this.#folder, 'incoming', randomUUID())
    const file = await open(path, 'wx', 0o600)
    const hash = createHash('sha256')
    let bytes = 0
    const bytesMax = this.#bytesMax
    const noted = async function * (): AsyncGenerator<Uint8Array> {
      for await (const chunk of chunks) {
        bytes += chunk.length
        if (bytes > bytesMax) throw new FleetError('ARTIFACT_TOO_LARGE', 'the artifact is larger than may be kept', { facts: { bytesMax } })
        hash.update(chunk)
        await file.writeFile(chunk)
        yield chunk
      }
    }
    try {
      const artifact = await readArtifact(noted(), this.#keys, { dataBytesMax: bytesMax })
      await file.sync()
      await file.close()
      const sha256 = hash.digest('hex')
      await rename(path, this.pathOf(sha256))
      await this.#sync()
      return { ...artifact, sha256, bytes }
    } catch (error) {
      await file.close().catch(() => {})
      await rm(path, { force: true })
      throw error
    }
  }

  async remove (sha256: string): Promise<void> {
    await rm(this.pathOf(sha256), { force: true })
  }

  async #sync (): Promise<void> {
    const folder = await open(this.#folder)
    try { await folder.sync() } finally { await folder.close() }
  }
}
