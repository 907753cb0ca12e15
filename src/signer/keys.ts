/**
 * The signing keys of this box: a file each, `signer.<id>.key`, that only this box's TPM can use.
 *
 * The files lie on the encrypted data partition, so that only a measured boot comes near them.
 */

import { createHash, createPublicKey } from 'node:crypto'
import { open, readdir, readFile, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { CapacityError, KeyError } from '#core/errors.ts'
import { subjectPublicKeyInfo, type KeyType } from '#standards/x509/public-key.ts'
import { readPublicArea } from './tpm2/public-area.ts'
import { Queue } from './tpm2/queue.ts'
import type { LoadedKey, Tpm } from './tpm2/tpm.ts'
import { readTss2Pem, writeTss2Pem, type KeyBlobs } from './tpm2/tss2-pem.ts'

/** Sign, authenticate, and their successors while certificates overlap. */
const KEYS_MAX = 8
const FILE = /^signer\.([a-z][a-z0-9-]{0,31})\.key$/
const ID = /^[a-z][a-z0-9-]{0,31}$/

export interface KeyRecord {
  readonly id: string
  readonly type: KeyType
  /** SubjectPublicKeyInfo, as PEM. */
  readonly publicKey: string
  /** SHA-256 of the SubjectPublicKeyInfo in DER, in hexadecimal. */
  readonly fingerprint: string
}

export interface StoredKey extends LoadedKey {
  /** SubjectPublicKeyInfo, in DER. */
  readonly spki: Buffer
}

export class Keys {
  readonly #folder: string
  readonly #tpm: Pick<Tpm, 'createKey'>
  readonly #making = new Queue()

  constructor (folder: string, tpm: Pick<Tpm, 'createKey'>) {
    this.#folder = folder
    this.#tpm = tpm
  }

  /** In alphabetical order; a damaged file is left out here, and told when it is used. */
  async list (): Promise<KeyRecord[]> {
    const records: KeyRecord[] = []
    for (const id of await this.#ids()) {
      try {
        records.push(record(await this.find(id)))
      } catch (error) {
        if (!(error instanceof KeyError)) throw error
      }
    }
    return records
  }

  /** @throws KeyError KEY_UNKNOWN, KEY_UNREADABLE */
  async find (id: string): Promise<StoredKey> {
    if (!ID.test(id)) throw new KeyError('KEY_UNKNOWN', 'no such key')
    let text: string
    try {
      text = await readFile(this.#path(id), 'latin1')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') throw new KeyError('KEY_UNKNOWN', 'no such key', { facts: { id } })
      throw new CapacityError('STORE_FAILED', 'a key cannot be read', { cause: error, facts: { id } })
    }
    try {
      return keyOf(id, readTss2Pem(text))
    } catch (error) {
      throw new KeyError('KEY_UNREADABLE', 'what is stored is no key of ours', { cause: error, facts: { id } })
    }
  }

  /**
   * Makes a key, unless it is there already: asking twice gives one key.
   *
   * @throws KeyError KEY_EXISTS where it is of another type, KEY_LIMIT, KEY_UNKNOWN for a name that is none;
   *   TpmError
   */
  async make (id: string, type: KeyType): Promise<{ readonly made: boolean, readonly key: KeyRecord }> {
    if (!ID.test(id)) throw new KeyError('KEY_UNKNOWN', 'not a name of a key')
    return await this.#making.run(async () => {
      const ids = await this.#ids()
      if (ids.includes(id)) {
        const key = await this.find(id)
        if (key.type !== type) throw new KeyError('KEY_EXISTS', 'there is such a key of another type', { facts: { id, type: key.type } })
        return { made: false, key: record(key) }
      }
      if (ids.length >= KEYS_MAX) throw new KeyError('KEY_LIMIT', 'no more keys fit', { facts: { keysMax: KEYS_MAX } })
      const blobs = await this.#tpm.createKey(type)
      const key = keyOf(id, blobs)
      await this.#store(id, writeTss2Pem(blobs))
      return { made: true, key: record(key) }
    })
  }

  async #ids (): Promise<string[]> {
    try {
      return (await readdir(this.#folder)).flatMap(name => FILE.exec(name)?.[1] ?? []).sort()
    } catch (error) {
      throw new CapacityError('STORE_FAILED', 'the folder of keys cannot be read', { cause: error })
    }
  }

  /** Whole or not at all, whenever the power goes: a key that was told must still be there. */
  async #store (id: string, text: string): Promise<void> {
    const path = this.#path(id)
    try {
      const file = await open(`${path}.new`, 'w', 0o600)
      try {
        await file.writeFile(text)
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(`${path}.new`, path)
      const folder = await open(this.#folder)
      await folder.sync().finally(async () => { await folder.close() })
    } catch (error) {
      await rm(`${path}.new`, { force: true }).catch(() => {})
      throw new CapacityError('STORE_FAILED', 'the key cannot be stored', { cause: error, facts: { id } })
    }
  }

  #path (id: string): string {
    return join(this.#folder, `signer.${id}.key`)
  }
}

function keyOf (id: string, blobs: KeyBlobs): StoredKey {
  const publicKey = readPublicArea(blobs.publicArea)
  return { ...blobs, id, type: publicKey.type, spki: subjectPublicKeyInfo(publicKey) }
}

function record ({ id, type, spki }: StoredKey): KeyRecord {
  return {
    id,
    type,
    publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }).export({ format: 'pem', type: 'spki' }) as string,
    fingerprint: createHash('sha256').update(spki).digest('hex')
  }
}
