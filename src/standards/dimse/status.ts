/**
 * Statuses of DIMSE responses.
 *
 * Source: DICOM PS3.7 Annex C; PS3.4 §B.2.3 (storage), §C.4 (query and retrieve).
 */

export const STATUS = {
  success: 0x0000,
  cancel: 0xfe00,
  pending: 0xff00,
  /** Pending, and one or more optional keys were not matched. */
  pendingUnsupportedKeys: 0xff01,
  processingFailure: 0x0110,
  invalidInstance: 0x0117,
  sopClassNotSupported: 0x0122,
  unrecognizedOperation: 0x0211,
  outOfResources: 0xa700,
  cannotUnderstand: 0xc000
} as const

export function isPending (status: number): boolean {
  return status === STATUS.pending || status === STATUS.pendingUnsupportedKeys
}

/** As it is printed in conformance statements: '0xA701'. */
export function statusText (status: number): string {
  return '0x' + status.toString(16).toUpperCase().padStart(4, '0')
}
