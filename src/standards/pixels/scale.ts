/**
 * Part of a picture at another size: the mean of an area where it shrinks, bilinear where it grows.
 *
 * Source: DICOM PS3.18 §8.3.5.1.3 (source region, then viewport).
 */

export interface Picture {
  readonly width: number
  readonly height: number
  /** 1 for grey; 3 for red, green and blue. */
  readonly channels: 1 | 3
  /** Row by row, from the top. */
  readonly pixels: Uint8Array
}

/** In pixels of the source; may begin and end within one. */
export interface Region {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

export interface Scaling {
  readonly region: Region
  readonly width: number
  readonly height: number
  readonly mirrored: boolean
  /** Top to bottom. */
  readonly flipped: boolean
}

/**
 * @param scaling its region within the picture, its sizes at least 1
 * @returns the picture itself where nothing changes
 */
export function scaled (picture: Picture, { region, width, height, mirrored, flipped }: Scaling): Picture {
  const { channels, pixels } = picture
  if (isWhole(region, picture) && width === picture.width && height === picture.height && !mirrored && !flipped) return picture
  const across = contributions(region.x, region.width, picture.width, width, mirrored)
  const down = contributions(region.y, region.height, picture.height, height, flipped)
  if (isCopy(across) && isCopy(down)) return { width, height, channels, pixels: copied(picture, across, down, width, height) }

  const rowLength = width * channels
  const result = new Uint8Array(rowLength * height)
  const sum = new Float32Array(rowLength)
  /** Source rows, scaled across, while some row of the result still needs them. */
  const rows = new Map<number, Float32Array>()
  const spare: Float32Array[] = []
  const rowOf = (y: number): Float32Array => {
    let row = rows.get(y)
    if (row === undefined) {
      row = spare.pop() ?? new Float32Array(rowLength)
      scaleRow(pixels, y * picture.width * channels, channels, across, row)
      rows.set(y, row)
    }
    return row
  }
  for (let y = 0; y < height; y++) {
    const first = down.first[y]
    const end = first + down.count[y]
    for (const [at, row] of rows) {
      if (at >= first && at < end) continue
      rows.delete(at)
      spare.push(row)
    }
    sum.fill(0.5)
    for (let at = first; at < end; at++) {
      const weight = down.weights[down.start[y] + at - first]
      const row = rowOf(at)
      for (let x = 0; x < rowLength; x++) sum[x] += weight * row[x]
    }
    const to = y * rowLength
    for (let x = 0; x < rowLength; x++) result[to + x] = sum[x]
  }
  return { width, height, channels, pixels: result }
}

/** For each place of the result, which places of the source it is made of. */
interface Contributions {
  readonly first: Int32Array
  readonly count: Int32Array
  /** Of its weights, in `weights`. */
  readonly start: Int32Array
  readonly weights: Float32Array
}

/** @param from and `extent` the part of the source that is shown, of `length` places in all */
function contributions (from: number, extent: number, length: number, size: number, reversed: boolean): Contributions {
  const first = new Int32Array(size)
  const count = new Int32Array(size)
  const start = new Int32Array(size)
  const weights: number[] = []
  const step = extent / size
  for (let place = 0; place < size; place++) {
    const to = reversed ? size - 1 - place : place
    // Growing, a place lies between the middles of two; shrinking, it covers several.
    const [low, high] = step > 1 ? [from + place * step, from + (place + 1) * step] : between(from + (place + 0.5) * step)
    const begin = Math.max(Math.floor(low + EPSILON), 0)
    const end = Math.min(Math.max(Math.ceil(high - EPSILON), begin + 1), length)
    start[to] = weights.length
    first[to] = Math.min(begin, length - 1)
    const shares: number[] = []
    for (let at = first[to]; at < Math.max(end, first[to] + 1); at++) shares.push(Math.max(Math.min(high, at + 1) - Math.max(low, at), 0))
    const total = shares.reduce((a, b) => a + b, 0)
    count[to] = shares.length
    for (const share of shares) weights.push(total === 0 ? 1 / shares.length : share / total)
  }
  return { first, count, start, weights: Float32Array.from(weights) }
}

/** As wide as one pixel around a point: its shares of the two neighbours are the bilinear weights. */
function between (middle: number): [number, number] {
  return [middle - 0.5, middle + 0.5]
}

/** Less than this of a pixel is rounding. */
const EPSILON = 1e-6

function isWhole ({ x, y, width, height }: Region, picture: Picture): boolean {
  return x === 0 && y === 0 && width === picture.width && height === picture.height
}

function isCopy ({ weights, count }: Contributions): boolean {
  return weights.length === count.length
}

function copied ({ width: sourceWidth, channels, pixels }: Picture, across: Contributions, down: Contributions, width: number, height: number): Uint8Array {
  const result = new Uint8Array(width * height * channels)
  const straight = across.first[width - 1] - across.first[0] === width - 1
  for (let y = 0, to = 0; y < height; y++) {
    const row = down.first[y] * sourceWidth
    if (straight) {
      const from = (row + across.first[0]) * channels
      result.set(pixels.subarray(from, from + width * channels), to)
      to += width * channels
      continue
    }
    for (let x = 0; x < width; x++) {
      const from = (row + across.first[x]) * channels
      for (let channel = 0; channel < channels; channel++) result[to++] = pixels[from + channel]
    }
  }
  return result
}

function scaleRow (pixels: Uint8Array, offset: number, channels: number, { first, count, start, weights }: Contributions, row: Float32Array): void {
  for (let x = 0; x < first.length; x++) {
    const begin = start[x]
    const end = begin + count[x]
    let from = offset + first[x] * channels
    if (channels === 1) {
      let sum = 0
      for (let at = begin; at < end; at++) sum += weights[at] * pixels[from++]
      row[x] = sum
      continue
    }
    let [red, green, blue] = [0, 0, 0]
    for (let at = begin; at < end; at++, from += 3) {
      const weight = weights[at]
      red += weight * pixels[from]
      green += weight * pixels[from + 1]
      blue += weight * pixels[from + 2]
    }
    row[3 * x] = red
    row[3 * x + 1] = green
    row[3 * x + 2] = blue
  }
}
