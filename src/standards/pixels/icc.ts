/**
 * ICC profiles for pictures: those that images bring along, and the one of sRGB, for colour and for
 * grey.
 *
 * Source: ICC.1:2022 §7 and §9 (header and tags), §10.18 (parametric curves); IEC 61966-2-1 (sRGB).
 */

const HEADER_BYTES = 128
const ENTRY_BYTES = 12

/** Adapted to D50, the white of the profile connection space. */
const D50 = [0.9642, 1, 0.8249]
const RED = [0.43607, 0.22249, 0.01392]
const GREEN = [0.38515, 0.71687, 0.09708]
const BLUE = [0.14307, 0.06061, 0.7141]
const BRADFORD = [1.04788, 0.02292, -0.0502, 0.02959, 0.99048, -0.01707, -0.00925, 0.01508, 0.75168]
/** The curve of sRGB as a parametric curve of type 3: g, a, b, c, d. */
const CURVE = [2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045]

/** A profile of sRGB; for one channel, of grey with the same curve. */
export function srgbProfile (channels: 1 | 3): Buffer {
  const curve = tag('para', Buffer.concat([u16(3), u16(0), ...CURVE.map(fixed)]))
  const tags: [signature: string, data: Buffer][] = [
    ['desc', text(channels === 3 ? 'sRGB' : 'sRGB grey')],
    ['cprt', text('No copyright')],
    ['wtpt', xyz(D50)],
    ['chad', tag('sf32', Buffer.concat(BRADFORD.map(fixed)))],
    ...channels === 3
      ? [['rXYZ', xyz(RED)], ['gXYZ', xyz(GREEN)], ['bXYZ', xyz(BLUE)], ['rTRC', curve], ['gTRC', curve], ['bTRC', curve]] as [string, Buffer][]
      : [['kTRC', curve]] as [string, Buffer][]
  ]
  const table = Buffer.alloc(4 + ENTRY_BYTES * tags.length)
  table.writeUInt32BE(tags.length)
  let offset = HEADER_BYTES + table.length
  for (const [place, [signature, data]] of tags.entries()) {
    const at = 4 + ENTRY_BYTES * place
    table.write(signature, at, 'latin1')
    table.writeUInt32BE(offset, at + 4)
    table.writeUInt32BE(data.length, at + 8)
    offset += data.length
  }
  const header = Buffer.alloc(HEADER_BYTES)
  header.writeUInt32BE(offset)
  header.writeUInt32BE(0x04400000, 8)
  header.write(`mntr${channels === 3 ? 'RGB ' : 'GRAY'}XYZ `, 12, 'latin1')
  // A date of its own making: the same bytes each time.
  for (const [place, part] of [2026, 1, 1].entries()) header.writeUInt16BE(part, 24 + 2 * place)
  header.write('acsp', 36, 'latin1')
  Buffer.concat(D50.map(fixed)).copy(header, 68)
  return Buffer.concat([header, table, ...tags.map(([, data]) => data)])
}

/** Whether this can be a profile of pixels with so many channels: what isn't, isn't passed on. */
export function isProfileFor (profile: Uint8Array, channels: 1 | 3): boolean {
  const bytes = Buffer.from(profile.buffer, profile.byteOffset, profile.length)
  return bytes.length > HEADER_BYTES && bytes.readUInt32BE() <= bytes.length && bytes.toString('latin1', 36, 40) === 'acsp' &&
    bytes.toString('latin1', 16, 20) === (channels === 3 ? 'RGB ' : 'GRAY')
}

/** Whether a profile calls itself sRGB. */
export function isSrgb (profile: Uint8Array): boolean {
  // Its description is Latin-1 in version 2, UTF-16 in version 4.
  const said = Buffer.from(profile.buffer, profile.byteOffset, profile.length).toString('latin1').replaceAll('\0', '')
  return /sRGB/i.test(said)
}

function tag (type: string, data: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from(type, 'latin1'), Buffer.alloc(4), data])
  return bytes.length % 4 === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(4 - bytes.length % 4)])
}

function text (english: string): Buffer {
  const words = Buffer.from(english, 'utf16le').swap16()
  const head = Buffer.alloc(20)
  head.writeUInt32BE(1)
  head.writeUInt32BE(12, 4)
  head.write('enUS', 8, 'latin1')
  head.writeUInt32BE(words.length, 12)
  head.writeUInt32BE(28, 16)
  return tag('mluc', Buffer.concat([head, words]))
}

function xyz (values: readonly number[]): Buffer {
  return tag('XYZ ', Buffer.concat(values.map(fixed)))
}

/** 15 bits and a sign before the point, 16 behind. */
function fixed (value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(Math.round(value * 65536))
  return bytes
}

function u16 (value: number): Buffer {
  const bytes = Buffer.alloc(2)
  bytes.writeUInt16BE(value)
  return bytes
}
