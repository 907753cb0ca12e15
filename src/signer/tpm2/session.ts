/**
 * A session for secrets: what goes to the TPM and comes back is encrypted, so that a wire on the bus hears nothing.
 *
 * Source: TPM 2.0 Library Part 1 §19 (sessions), §21 (session-based encryption).
 *
 * Its salt is encrypted to the parent key as this box has known it since the beginning (a serialised handle
 * on the data partition), not as the bus presents it now: whoever sits between can't put in a key of his own.
 * The tools save a session's context between two commands, and the kernel's resource manager then forgets
 * it: it lives until it is flushed, so it is lent and never left.
 */

import { join } from 'node:path'
import type { RunTool } from './tool.ts'

export interface SessionParts {
  readonly run: RunTool
  /** Where the session's context lies meanwhile. */
  readonly folder: string
  /** File of the parent key's serialised handle. */
  readonly parent: string
}

/** @param use given how the tools are told of the session as an authorisation: 'session:…' */
export async function withSession<T> ({ run, folder, parent }: SessionParts, use: (auth: string) => Promise<T>): Promise<T> {
  const file = join(folder, 'session.ctx')
  await run('tpm2_startauthsession', ['-Q', '--hmac-session', '--tpmkey-context', parent, '-S', file])
  try {
    await run('tpm2_sessionconfig', ['-Q', file, '--enable-encrypt', '--enable-decrypt'])
    return await use(`session:${file}`)
  } finally {
    await run('tpm2_flushcontext', ['-Q', file]).catch(() => {})
  }
}
