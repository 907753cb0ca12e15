/**
 * The server's own two secrets, made at its first start: the key that signs devices' tokens, and the
 * one that signs download links.
 *
 * Neither of them signs releases: that key is the vendor's, and is on no machine that is named here.
 */

import { createPrivateKey, createPublicKey, createSecretKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto'
import { mkdir, open, readFile, rename } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { SettingError } from '#core/errors.ts'

export interface ServerKeys {
  /** ECDSA P-256, for ES256 (RFC 7518 §3.4). */
  readonly token: { readonly private: KeyObject, readonly public: KeyObject }
  /** HMAC-SHA-256. */
  readonly link: KeyObject
}

const LINK_KEY_BYTES = 32

/** @throws SettingError when a key that is there can't be used: made anew, every device would have to come again */
export async function openServerKeys (folder: string): Promise<ServerKeys> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const pem = await readOrMake(join(folder, 'token.key'), () =>
    Buffer.from(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' })))
  const secret = await readOrMake(join(folder, 'link.key'), () => randomBytes(LINK_KEY_BYTES))
  try {
    const token = createPrivateKey(pem)
    if (token.asymmetricKeyDetails?.namedCurve !== 'prime256v1') throw new Error('token.key is no P-256 key')
    if (secret.length !== LINK_KEY_BYTES) throw new Error('link.key is cut')
    return { token: { private: token, public: createPublicKey(token) }, link: createSecretKey(secret) }
  } catch (error) {
    throw new SettingError(`a key of the server cannot be used: ${folder}`, { cause: error })
  }
}

async function readOrMake (path: string, make: () => Buffer): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  const made = make()
  await writeWhole(path, made)
  return made
}

/** Whole and on the disk, or not there at all. */
async function writeWhole (path: string, bytes: Buffer): Promise<void> {
  const file = await open(`${path}.new`, 'w', 0o600)
  try {
    await file.writeFile(bytes)
    await file.sync()
  } finally {
    await file.close()
  }
  await rename(`${path}.new`, path)
  const folder = await open(dirname(path))
  try { await folder.sync() } finally { await folder.close() }
}
