/** `drimbox drain`: no new requests, and those under way end; before a planned restart. */

import { setTimeout as delay } from 'node:timers/promises'
import type { DrainState } from '#box/http/drain.ts'
import { askBox } from './admin.ts'
import { BOX_OPTIONS, adminSocketOf } from './admin-socket.ts'
import { assertCount, readOptions, wholeNumber } from './options.ts'
import { EXIT, type Verb } from './terminal.ts'

/** As long as the gateway gives its answers when it is ended, and as much again. */
const WAIT_SECONDS = 60
const WAIT_SECONDS_MAX = 3600
const PAUSE_MS = 200

export const drainVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, { ...BOX_OPTIONS, wait: 'text', undo: 'flag' }, words)
  assertCount(given, 0, 0, words)
  const socket = await adminSocketOf(given)
  const asking = { language: words.language, signal }
  const tell = (state: DrainState): void => { terminal.out(given.flag('json') ? JSON.stringify(state) : words.drain.state(state)) }
  if (given.flag('undo')) {
    tell(await askBox(socket, 'DELETE', '/drain', asking) as DrainState)
    return EXIT.ok
  }
  const seconds = wholeNumber(given, 'wait', 0, WAIT_SECONDS_MAX, words) ?? WAIT_SECONDS
  const deadline = performance.now() + seconds * 1000
  let state = await askBox(socket, 'POST', '/drain', asking) as DrainState
  while (state.active > 0 && performance.now() < deadline) {
    await delay(PAUSE_MS, undefined, { signal })
    state = await askBox(socket, 'GET', '/drain', asking) as DrainState
  }
  tell(state)
  return state.active === 0 ? EXIT.ok : EXIT.failed
}
