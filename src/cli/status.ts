/** `drimbox status`: how the box that runs on this machine is doing. */

import type { Status } from '#box/admin/routes.ts'
import { askBox } from './admin.ts'
import { BOX_OPTIONS, adminSocketOf } from './admin-socket.ts'
import { assertCount, readOptions } from './options.ts'
import { EXIT, type Verb } from './terminal.ts'

export const statusVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, BOX_OPTIONS, words)
  assertCount(given, 0, 0, words)
  const status = await askBox(await adminSocketOf(given), 'GET', '/status', { language: words.language, signal }) as Status
  terminal.out(given.flag('json') ? JSON.stringify(status, undefined, 2) : words.status.page(status))
  return EXIT.ok
}
