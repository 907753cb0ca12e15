/**
 * A DICOM node as people write it: `AETITLE@host:port`.
 */

export interface NodeAddress {
  readonly aeTitle: string
  readonly host: string
  readonly port: number
}

/** @throws Error that says what was expected */
export function parseNode (text: string): NodeAddress {
  const match = /^([\x21-\x3F\x41-\x5B\x5D-\x7E]{1,16})@(.+):(\d{1,5})$/.exec(text)
  if (match === null || Number(match[3]) > 65535) throw new Error(`expected AETITLE@host:port, not ${text}`)
  return { aeTitle: match[1], host: match[2].replace(/^\[(.*)\]$/, '$1'), port: Number(match[3]) }
}
