/**
 * How many associations a PACS bears at which hour: a reading room at work in the morning, a backup
 * at night.
 */

import { SettingError } from '#core/errors.ts'

export interface Hours {
  /** Local time, `HH:MM`; a span may go over midnight. */
  readonly from: string
  readonly to: string
  /** 0 leaves the PACS alone. */
  readonly associationsMax: number
}

/** The first span that holds the time of day decides; outside all of them `otherwise` does. */
export function associationsAt (hours: readonly Hours[], otherwise: number, now: Date): number {
  const minute = now.getHours() * 60 + now.getMinutes()
  return hours.find(span => holds(span, minute))?.associationsMax ?? otherwise
}

/** Seconds until the PACS may be asked again, at most a day; 0 when it may now. */
export function secondsUntilOpen (hours: readonly Hours[], otherwise: number, now: Date): number {
  for (let minutes = 0; minutes <= 24 * 60; minutes++) {
    const then = new Date(now.getTime() + minutes * 60_000)
    if (associationsAt(hours, otherwise, then) > 0) return minutes * 60
  }
  return 24 * 3600
}

function holds ({ from, to }: Hours, minute: number): boolean {
  const first = minuteOf(from)
  const end = minuteOf(to)
  return first <= end ? minute >= first && minute < end : minute >= first || minute < end
}

function minuteOf (text: string): number {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text)
  if (match === null) throw new SettingError(`not a time of day: ${text}`)
  return Number(match[1]) * 60 + Number(match[2])
}
