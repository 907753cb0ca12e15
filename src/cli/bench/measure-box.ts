/**
 * How fast a box gives the same study over DICOMweb: the four measures of the national test set that concern the side
 * where the images were made.
 *
 * Source: DICOM PS3.18 §10.4. No threshold is public; what is measured is said beside each figure.
 */

import type { Config } from '#box/config.ts'
import { PeerError } from '#core/errors.ts'
import { askBox } from '../admin.ts'
import type { ChosenStudy } from './choose-study.ts'

export interface BoxMeasure {
  /** The study had to come from the PACS; false where the box may have kept it. */
  readonly isCold: boolean
  /** Request sent to the first bytes of the answer. */
  readonly wadoLatencyMilliseconds: number
  readonly wadoMegabitsPerSecond: number
  /** One frame, asked for alone: the median. */
  readonly displayLatencyMilliseconds: number
  /** Frames over as many connections as a browser opens. */
  readonly displayMegabitsPerSecond: number
}

const OBJECTS = 'multipart/related; type="application/dicom"; transfer-syntax=*'
const FRAME = 'multipart/related; type="application/octet-stream"; transfer-syntax=*'
/** Browsers open so many to one server (HTTP/1.1). */
const CONNECTIONS = 6
const FRAMES_ALONE = 20
const FRAMES_MAX = 200

/**
 * @param base URL of the box's DICOMweb root
 * @throws PeerError PACS_UNREACHABLE, PACS_STATUS with what the box said
 */
export async function measureBox (config: Config, base: string, { studyUid, instances }: ChosenStudy, language: string, signal: AbortSignal): Promise<BoxMeasure> {
  const isCold = await forget(config, studyUid, language, signal)
  const study = `${base.replace(/\/$/, '')}/studies/${studyUid}`
  const whole = await timed(study, OBJECTS, signal)
  const frames = [...instances.values()].slice(0, FRAMES_MAX).map(({ seriesUid, sopInstanceUid }) => `${study}/series/${seriesUid}/instances/${sopInstanceUid}/frames/1`)
  const alone: number[] = []
  for (const url of frames.slice(0, FRAMES_ALONE)) alone.push((await timed(url, FRAME, signal)).milliseconds)
  const began = performance.now()
  let bytes = 0
  const left = [...frames]
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    for (let url = left.pop(); url !== undefined; url = left.pop()) bytes += (await timed(url, FRAME, signal)).bytes
  }))
  return {
    isCold,
    wadoLatencyMilliseconds: whole.firstMilliseconds,
    wadoMegabitsPerSecond: rate(whole.bytes, whole.milliseconds),
    displayLatencyMilliseconds: alone.sort((a, b) => a - b)[alone.length >> 1] ?? 0,
    displayMegabitsPerSecond: rate(bytes, performance.now() - began)
  }
}

/** The box forgets what it kept of the study, where it can be told: the PACS still has it. */
async function forget (config: Config, studyUid: string, language: string, signal: AbortSignal): Promise<boolean> {
  if (config.adminSocket === undefined) return false
  return await askBox(config.adminSocket, 'DELETE', `/cache/${studyUid}`, { language, signal }).then(() => true, () => false)
}

interface Timed { readonly firstMilliseconds: number, readonly milliseconds: number, readonly bytes: number }

async function timed (url: string, accept: string, signal: AbortSignal): Promise<Timed> {
  const began = performance.now()
  let first: number | undefined
  let bytes = 0
  try {
    const answer = await fetch(url, { headers: { accept }, signal })
    if (answer.status !== 200 || answer.body === null) throw new PeerError('PACS_STATUS', 'the box refused', { facts: { url, status: answer.status } })
    for await (const chunk of answer.body) {
      first ??= performance.now()
      bytes += chunk.length
    }
  } catch (error) {
    if (error instanceof PeerError || signal.aborted) throw error
    throw new PeerError('PACS_UNREACHABLE', 'the box does not answer', { cause: error, facts: { url } })
  }
  const ended = performance.now()
  return { firstMilliseconds: (first ?? ended) - began, milliseconds: ended - began, bytes }
}

function rate (bytes: number, milliseconds: number): number {
  return milliseconds === 0 ? 0 : bytes * 8 / 1e3 / milliseconds
}
