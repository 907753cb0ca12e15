/**
 * One TPM 2.0: makes keys that never leave it, signs with them, and says how it is.
 *
 * Owns the order of commands and their temporary files. Leaves the keys' own files to signer/keys.
 * Every method throws TpmError (TPM_ABSENT, TPM_LOCKOUT, TPM_TIMEOUT, TPM_FAILED), or CapacityError BUSY.
 */

import { access, mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KeyType } from '#standards/x509/public-key.ts'
import { KEY_ATTRIBUTES } from './public-area.ts'
import { Queue } from './queue.ts'
import { withSession } from './session.ts'
import { parseLockout, parsePcrs, type Lockout } from './state.ts'
import { CREATE_MS, responseOf, toolsFor, type RunTool } from './tool.ts'
import type { KeyBlobs } from './tss2-pem.ts'

/** The storage root key, where the TCG's provisioning guidance puts it. */
const STORAGE_ROOT = 0x81000001
const STORAGE_ROOT_ATTRIBUTES = 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'
/** Key, and scheme with its hash. */
const ALGORITHM = { 'P-256': 'ecc256:ecdsa-sha256', 'RSA-2048': 'rsa2048:rsassa-sha256:null' } as const satisfies Record<KeyType, string>
const SCHEME = { 'P-256': 'ecdsa', 'RSA-2048': 'rsassa' } as const satisfies Record<KeyType, string>
/** SHA-256. */
export const DIGEST_BYTES = 32
/** TPM 2.0 Library Part 1: what one object seals. */
const SECRET_BYTES_MAX = 128
/** Response codes: a handle that leads nowhere; an NV index that was never written. */
const HANDLE_UNKNOWN = 0x18B
const NV_UNWRITTEN = 0x14A

export interface TpmSettings {
  /** How the TPM is reached: `device:/dev/tpmrm0`. */
  readonly tcti: string
  /** For contexts and digests while a command runs; in memory, best in /run. */
  readonly workFolder: string
  /** Where the storage root key's serialised handle is kept for ever: on the data partition. */
  readonly rootFile: string
}

export interface LoadedKey extends KeyBlobs {
  readonly id: string
  readonly type: KeyType
}

export class Tpm {
  readonly #settings: TpmSettings
  readonly #run: RunTool
  readonly #queue = new Queue()
  /** Saved contexts of keys, by name: loading a key once saves the TPM 60 ms at each signature. */
  readonly #contexts = new Map<string, string>()

  constructor (settings: TpmSettings) {
    this.#settings = settings
    const run = toolsFor(settings.tcti)
    // The kernel's resource manager forgets what a tool loaded; a bare TPM keeps it, and has three places.
    this.#run = settings.tcti.includes('tpmrm') ? run : forgetting(run)
  }

  /** Its private half comes out wrapped, usable in this TPM alone. RSA may take tens of seconds. */
  async createKey (type: KeyType): Promise<KeyBlobs> {
    return await this.#operation(async folder => {
      await this.#ensureStorageRoot(folder)
      await this.#run('tpm2_create', ['-Q', '-C', hex(STORAGE_ROOT), '-G', ALGORITHM[type], '-g', 'sha256', '-a', KEY_ATTRIBUTES, '-u', 'key.pub', '-r', 'key.priv'], { folder, msMax: CREATE_MS })
      return { ...await blobs(folder), parent: STORAGE_ROOT }
    })
  }

  /**
   * @param digest SHA-256 of what is signed
   * @returns a DER ECDSA-Sig-Value, or RSA's number
   */
  async sign (key: LoadedKey, digest: Uint8Array): Promise<Buffer> {
    return await this.#operation(async folder => {
      await writeFile(join(folder, 'digest'), digest)
      const signWith = async (context: string): Promise<Buffer> => {
        await this.#run('tpm2_sign', ['-Q', '-c', context, '-g', 'sha256', '-s', SCHEME[key.type], '-d', '-f', 'plain', '-o', 'signature', 'digest'], { folder })
        return await readFile(join(folder, 'signature'))
      }
      const saved = this.#contexts.get(key.id)
      if (saved === undefined) return await signWith(await this.#load(key, folder))
      try {
        return await signWith(saved)
      } catch (error) {
        // Contexts end with the TPM's power; the key itself doesn't.
        if (responseOf(error) === undefined) throw error
        this.#contexts.delete(key.id)
        return await signWith(await this.#load(key, folder))
      }
    })
  }

  /** Seals at most 128 bytes: what comes out opens in this TPM alone. */
  async seal (secret: Uint8Array): Promise<KeyBlobs> {
    if (secret.length === 0 || secret.length > SECRET_BYTES_MAX) throw new RangeError('a secret of 1 to 128 bytes')
    return await this.#operation(async folder => {
      const parent = await this.#ensureStorageRoot(folder)
      return await withSession({ run: this.#run, folder, parent }, async auth => {
        await this.#run('tpm2_create', ['-Q', '-C', parent, '-P', auth, '-g', 'sha256', '-a', 'fixedtpm|fixedparent|userwithauth|noda', '-i', '-', '-u', 'key.pub', '-r', 'key.priv'], { folder, input: secret })
        return { ...await blobs(folder), parent: STORAGE_ROOT }
      })
    })
  }

  async unseal (sealed: KeyBlobs): Promise<Buffer> {
    return await this.#operation(async folder => {
      const parent = await this.#ensureStorageRoot(folder)
      const context = join(folder, 'sealed.ctx')
      await this.#loadBlobs(sealed, context, folder)
      return await withSession({ run: this.#run, folder, parent }, async auth => await this.#run('tpm2_unseal', ['-Q', '-c', context, '-p', auth], { folder }))
    })
  }

  async lockout (): Promise<Lockout> {
    return await this.#operation(async () => parseLockout((await this.#run('tpm2_getcap', ['properties-variable'])).toString('latin1')))
  }

  /** Digests of the SHA-256 bank, in hexadecimal, by number. */
  async pcrs (indexes: readonly number[]): Promise<ReadonlyMap<number, string>> {
    return await this.#operation(async () => parsePcrs((await this.#run('tpm2_pcrread', [`sha256:${indexes.join(',')}`])).toString('latin1')))
  }

  /** @returns the bits of an NV bit field, or undefined where there is no such index; one never written has none */
  async nvBits (index: number): Promise<bigint | undefined> {
    return await this.#operation(async folder => {
      try {
        await this.#run('tpm2_nvread', ['-Q', hex(index), '-C', hex(index), '-s', '8', '-o', 'bits'], { folder })
      } catch (error) {
        if (responseOf(error) === NV_UNWRITTEN) return 0n
        if (responseOf(error) === HANDLE_UNKNOWN) return undefined
        throw error
      }
      return (await readFile(join(folder, 'bits'))).readBigUInt64BE()
    })
  }

  /** One operation at a time, in a folder of its own. */
  async #operation<T> (work: (folder: string) => Promise<T>): Promise<T> {
    return await this.#queue.run(async () => {
      const folder = await mkdtemp(join(this.#settings.workFolder, 'tpm-'))
      try {
        return await work(folder)
      } finally {
        await rm(folder, { recursive: true, force: true })
      }
    })
  }

  async #load (key: LoadedKey, folder: string): Promise<string> {
    const context = join(this.#settings.workFolder, `${key.id}.ctx`)
    await this.#loadBlobs(key, context, folder)
    this.#contexts.set(key.id, context)
    return context
  }

  async #loadBlobs ({ publicArea, privateArea, parent }: KeyBlobs, context: string, folder: string): Promise<void> {
    await writeFile(join(folder, 'key.pub'), publicArea)
    await writeFile(join(folder, 'key.priv'), privateArea)
    await this.#run('tpm2_load', ['-Q', '-C', hex(parent), '-u', 'key.pub', '-r', 'key.priv', '-c', context], { folder })
  }

  /** @returns the file of its serialised handle */
  async #ensureStorageRoot (folder: string): Promise<string> {
    const { rootFile } = this.#settings
    if (await exists(rootFile)) return rootFile
    const keep = async (): Promise<void> => { await this.#run('tpm2_readpublic', ['-Q', '-c', hex(STORAGE_ROOT), '-t', 'root.handle'], { folder }) }
    try {
      await keep()
    } catch (error) {
      if (responseOf(error) !== HANDLE_UNKNOWN) throw error
      await this.#run('tpm2_createprimary', ['-Q', '-C', 'o', '-g', 'sha256', '-G', 'ecc256:aes128cfb', '-a', STORAGE_ROOT_ATTRIBUTES, '-c', 'root.ctx'], { folder, msMax: CREATE_MS })
      await this.#run('tpm2_evictcontrol', ['-Q', '-C', 'o', '-c', 'root.ctx', hex(STORAGE_ROOT)], { folder })
      await keep()
    }
    await writeFile(`${rootFile}.new`, await readFile(join(folder, 'root.handle')), { mode: 0o600 })
    await rename(`${rootFile}.new`, rootFile)
    return rootFile
  }
}

function forgetting (run: RunTool): RunTool {
  return async (name, args, options) => {
    const said = await run(name, args, options)
    await run('tpm2_flushcontext', ['-Q', '-t'])
    return said
  }
}

async function blobs (folder: string): Promise<Pick<KeyBlobs, 'publicArea' | 'privateArea'>> {
  return { publicArea: await readFile(join(folder, 'key.pub')), privateArea: await readFile(join(folder, 'key.priv')) }
}

async function exists (file: string): Promise<boolean> {
  return await access(file).then(() => true, () => false)
}

const hex = (value: number): string => `0x${value.toString(16)}`
