/**
 * The job that takes one frame from one transfer syntax to another.
 */

import { transferSyntax } from '#standards/dicom/transfer-syntax.ts'
import { decodeFrame } from '#standards/pixels/decode.ts'
import { encodeFrame } from '#standards/pixels/encode.ts'
import { nativeLittleEndian } from '#standards/pixels/native.ts'
import type { Frame, PixelFormat } from '#standards/pixels/pixel-format.ts'
import { CODING } from '#standards/pixels/pixel-syntaxes.ts'
import { whole, type Job } from './job.ts'

export interface FrameInput {
  /** The frame as stored, its fragments joined. */
  readonly coded: Uint8Array
  readonly from: string
  /** What to encode as; native pixels for any transfer syntax that isn't encapsulated. */
  readonly to: string
  readonly format: PixelFormat
}

export interface TranscodedFrame {
  readonly pixels: Uint8Array<ArrayBuffer>
  /** What the data set must say of them. */
  readonly format: PixelFormat
}

export const transcodeFrame: Job<FrameInput, TranscodedFrame> = async input => {
  const { pixels: bytes, format } = await transcode(input)
  const pixels = whole(bytes)
  return { output: { pixels, format }, transfer: [pixels.buffer] }
}

async function transcode ({ coded, from, to, format }: FrameInput): Promise<Frame> {
  const isNative = !transferSyntax(to).encapsulated
  const coding = CODING.get(from)
  // Planes, 4:2:2 and overlays in unused bits stay what the data set says that they are.
  if (isNative && (coding === 'little' || coding === 'big')) return { pixels: nativeLittleEndian(coded, coding, format), format }
  const decoded = await decodeFrame(coded, from, format)
  return isNative ? decoded : await encodeFrame(decoded, to)
}
