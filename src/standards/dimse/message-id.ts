/**
 * Message IDs, PS3.7 §E.1: 1 to 65535 in turn for the whole process, so that the originator's message ID in the
 * C-STORE requests that a C-MOVE causes tells which of our moves it was.
 */

const MESSAGE_ID_MAX = 0xffff

let last = 0

export function nextMessageId (): number {
  last = last % MESSAGE_ID_MAX + 1
  return last
}
