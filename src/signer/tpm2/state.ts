/**
 * What a TPM says of itself, read from the tools' output.
 *
 * Source: tpm2_getcap(1), tpm2_pcrread(1); TPM 2.0 Library Part 2 §6.13 (TPM_PT), Part 1 §19.8 (dictionary attack).
 */

import { TpmError } from '#core/errors.ts'

export interface Lockout {
  readonly inLockout: boolean
  /** Failed authorisations that count, a power cut after use of a key that counts included. */
  readonly failures: number
  readonly failuresMax: number
  /** After so long without another, one failure is forgotten. */
  readonly forgivesAfterSeconds: number
  /** After a failure of the lockout authorisation itself. */
  readonly recoverySeconds: number
}

/** @param text of `tpm2_getcap properties-variable` */
export function parseLockout (text: string): Lockout {
  return {
    inLockout: numberOf(text, 'inLockout') === 1,
    failures: numberOf(text, 'TPM2_PT_LOCKOUT_COUNTER'),
    failuresMax: numberOf(text, 'TPM2_PT_MAX_AUTH_FAIL'),
    forgivesAfterSeconds: numberOf(text, 'TPM2_PT_LOCKOUT_INTERVAL'),
    recoverySeconds: numberOf(text, 'TPM2_PT_LOCKOUT_RECOVERY')
  }
}

/**
 * @param text of `tpm2_pcrread sha256:7,11`
 * @returns digests in hexadecimal, by number
 */
export function parsePcrs (text: string): ReadonlyMap<number, string> {
  return new Map([...text.matchAll(/^\s+(\d{1,2})\s*: 0x([0-9A-Fa-f]{64})$/gm)].map(([, index, digest]) => [Number(index), String(digest).toLowerCase()]))
}

function numberOf (text: string, name: string): number {
  const value = new RegExp(`^\\s*${name}:\\s*(0x[0-9A-Fa-f]+|\\d+)$`, 'm').exec(text)?.[1]
  if (value === undefined) throw new TpmError('TPM_FAILED', 'the TPM does not tell all that it should', { facts: { property: name } })
  return Number(value)
}
