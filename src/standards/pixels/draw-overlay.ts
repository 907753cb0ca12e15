/**
 * An overlay plane, drawn into a picture. A file of its own: a pixel worker needs no dictionary for it.
 *
 * Source: DICOM PS3.3 §C.9.2.
 */

import type { Overlay } from './overlays.ts'

/**
 * Draws in white.
 *
 * @param pixels `channels` bytes for each pixel, row by row
 */
export function drawOverlay ({ rows, columns, row, column, bits, bit }: Overlay, pixels: Uint8Array, height: number, width: number, channels: number): void {
  for (let y = 0; y < rows; y++) {
    const at = y + row - 1
    if (at < 0 || at >= height) continue
    for (let x = 0; x < columns; x++) {
      const place = bit + y * columns + x
      const to = x + column - 1
      if (((bits[place >> 3] >> (place & 7)) & 1) === 0 || to < 0 || to >= width) continue
      pixels.fill(255, (at * width + to) * channels, (at * width + to + 1) * channels)
    }
  }
}
