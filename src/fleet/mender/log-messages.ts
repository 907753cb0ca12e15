/**
 * The log that a device sends after a failure, bounded, and read as far as it goes.
 *
 * Source: Mender device API, deployments v1, `DeploymentLog`. Clients have been seen to send it as cut
 * JSON: the messages that are whole are kept, since they may be all that tells why.
 */

import { Type } from 'typebox'
import { Value } from 'typebox/value'
import { FleetError } from '../errors.ts'
import type { LogMessage } from '../store/deployments.ts'

/** An update takes some hundred; the last ones tell why it failed. */
const MESSAGES_MAX = 5000
const MESSAGE_CHARS_MAX = 4096

const Message = Type.Object({ timestamp: Type.String({ maxLength: 64 }), level: Type.String({ maxLength: 32 }), message: Type.String() })

export interface SentLog {
  readonly messages: readonly LogMessage[]
  readonly isWhole: boolean
}

/** @throws FleetError BODY_MALFORMED when there is no log in it at all */
export function parseLog (body: unknown): SentLog {
  const text = Buffer.isBuffer(body) ? body.toString('utf8') : ''
  const start = /^\s*\{\s*"messages"\s*:\s*\[/.exec(text)
  if (start === null) throw new FleetError('BODY_MALFORMED', 'the body is no log')
  const { objects, isEnded } = wholeObjects(text, start[0].length)
  const messages = objects.filter(one => Value.Check(Message, one))
  const isWhole = isEnded && messages.length === objects.length && messages.length <= MESSAGES_MAX
  return {
    isWhole,
    messages: messages.slice(-MESSAGES_MAX).map(({ timestamp, level, message }) => ({ timestamp, level, message: message.slice(0, MESSAGE_CHARS_MAX) }))
  }
}

/** The objects of an array, without the one that is cut. */
function wholeObjects (text: string, from: number): { readonly objects: unknown[], readonly isEnded: boolean } {
  const objects: unknown[] = []
  let begin = -1
  let depth = 0
  let isText = false
  for (let at = from; at < text.length; at += 1) {
    const char = text[at]
    if (isText) {
      if (char === '\\') at += 1
      else if (char === '"') isText = false
    } else if (char === '"') {
      isText = true
    } else if (char === '{') {
      if (depth === 0) begin = at
      depth += 1
    } else if (char === '}' && depth > 0) {
      depth -= 1
      if (depth === 0) {
        const object = parsed(text.slice(begin, at + 1))
        if (object === undefined) return { objects, isEnded: false }
        objects.push(object)
      }
    } else if (char === ']' && depth === 0) {
      return { objects, isEnded: /^\]\s*\}\s*$/.test(text.slice(at, at + 100)) }
    }
  }
  return { objects, isEnded: false }
}

function parsed (text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (error) {
    return undefined
  }
}
