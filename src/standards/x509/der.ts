/**
 * DER, as far as keys and certificate requests need it.
 *
 * Source: ITU-T X.690 §8 and §10 (definite lengths, in the fewest bytes).
 */

/** Longer lengths than two bytes tell are nothing of ours. */
const LENGTH_MAX = 0xFFFF

/** One element, whole. */
export function der (tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(contents)
  const { length } = content
  if (length > LENGTH_MAX) throw new RangeError('too long for us')
  const size = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xFF]
  return Buffer.concat([Buffer.from([tag, ...size]), content])
}

export const sequence = (...contents: readonly Uint8Array[]): Buffer => der(0x30, ...contents)
export const set = (...contents: readonly Uint8Array[]): Buffer => der(0x31, ...contents)
export const octetString = (bytes: Uint8Array): Buffer => der(0x04, bytes)
export const bitString = (bytes: Uint8Array): Buffer => der(0x03, Buffer.from([0]), bytes)
export const utf8String = (text: string): Buffer => der(0x0C, Buffer.from(text, 'utf8'))
export const printableString = (text: string): Buffer => der(0x13, Buffer.from(text, 'latin1'))
export const boolean = (value: boolean): Buffer => der(0x01, Buffer.from([value ? 0xFF : 0]))
export const NULL = der(0x05)

/** An unsigned number, of whatever length: without leading zeros, and with one where its first bit would be a sign. */
export function integer (bytes: Uint8Array): Buffer {
  const first = bytes.findIndex(byte => byte !== 0)
  const digits = first === -1 ? Buffer.from([0]) : bytes.subarray(first)
  return der(0x02, (digits[0] as number) < 0x80 ? digits : Buffer.concat([Buffer.from([0]), digits]))
}

/** X.690 §8.19: '1.2.840.10045.2.1' */
export function objectIdentifier (dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  return der(0x06, Buffer.from([first * 40 + second, ...rest].flatMap(base128)))
}

function base128 (value: number): number[] {
  const digits = [value & 0x7F]
  for (let left = Math.floor(value / 128); left > 0; left = Math.floor(left / 128)) digits.unshift((left & 0x7F) | 0x80)
  return digits
}

export interface Element {
  readonly tag: number
  readonly content: Buffer
}

/**
 * The elements that lie one after the other in `bytes`; a tag of one byte each.
 *
 * @throws RangeError where they don't fill it exactly, or a length isn't DER's
 */
export function readElements (bytes: Uint8Array): Element[] {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const elements: Element[] = []
  for (let at = 0; at < buffer.length;) {
    const tag = buffer.readUInt8(at)
    const first = buffer.readUInt8(at + 1)
    const size = first < 0x80 ? 0 : first - 0x80
    if (first === 0x80 || size > 2) throw new RangeError('not a length of DER')
    const length = size === 0 ? first : buffer.readUIntBE(at + 2, size)
    const start = at + 2 + size
    if (size > 0 && length < (size === 1 ? 0x80 : 0x100)) throw new RangeError('a length longer than it must be')
    if (start + length > buffer.length) throw new RangeError('an element longer than what holds it')
    elements.push({ tag, content: buffer.subarray(start, start + length) })
    at = start + length
  }
  return elements
}

/** RFC 7468: lines of 64 characters between the label's two. */
export function toPem (label: string, bytes: Uint8Array): string {
  const lines = Buffer.from(bytes).toString('base64').match(/.{1,64}/g) ?? []
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ''].join('\n')
}

/** @throws RangeError when there isn't exactly one block, or not of this label */
export function fromPem (label: string, text: string): Buffer {
  const [before, block, after, ...more] = text.split(/^-----(?:BEGIN|END) /m)
  const end = `${label}-----`
  if (before === undefined || block === undefined || after === undefined || more.length > 0) throw new RangeError('not one PEM block')
  if (!block.startsWith(end) || after.trim() !== end) throw new RangeError(`no PEM of a ${label}`)
  const body = block.slice(end.length).replace(/\s/g, '')
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(body)) throw new RangeError('not base64')
  return Buffer.from(body, 'base64')
}
