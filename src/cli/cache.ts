/** `drimbox cache [list | purge STUDY]`: what the box holds of the PACS, and how to let go of it. */

import type { CacheList } from '#box/admin/routes.ts'
import { parseUid } from '#core/uid.ts'
import { askBox } from './admin.ts'
import { BOX_OPTIONS, adminSocketOf } from './admin-socket.ts'
import { UsageError, assertCount, readOptions } from './options.ts'
import { table } from './table.ts'
import { EXIT, type Verb } from './terminal.ts'

export const cacheVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, BOX_OPTIONS, words)
  const [action = 'list'] = given.positionals
  const asking = { language: words.language, signal }
  if (action === 'list') {
    assertCount(given, 0, 1, words)
    const list = await askBox(await adminSocketOf(given), 'GET', '/cache', asking) as CacheList
    if (given.flag('json')) {
      terminal.out(JSON.stringify(list, undefined, 2))
      return EXIT.ok
    }
    if (list.length > 0) terminal.out(table(words.cache.headings, list.map(words.cache.row)))
    terminal.err(words.cache.total(list.length, list.reduce((sum, { bytes }) => sum + bytes, 0)))
  } else if (action === 'purge') {
    assertCount(given, 2, 2, words)
    const study = parseUid(given.positionals[1]!)
    await askBox(await adminSocketOf(given), 'DELETE', `/cache/${study}`, asking)
    terminal.out(given.flag('json') ? JSON.stringify({ purged: study }) : words.cache.purged(study))
  } else {
    throw new UsageError(words.usage.oneOf(action, ['list', 'purge']))
  }
  return EXIT.ok
}
