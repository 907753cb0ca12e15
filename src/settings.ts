/**
 * What the boot scripts ask of settings, as a program:
 *
 *     node src/settings.ts take --file=drimbox-settings.json --folder=/var/lib/drimbox-system
 *     node src/settings.ts peers --config=/var/lib/drimbox/config.json
 *
 * `take` prints the name of the new folder, or `CODE: words` and ends with 1. `peers` prints whom the
 * packet filter has to let through.
 */

import { parseArgs } from 'node:util'
import { readConfig } from '#box/config.ts'
import { peersOf } from '#box/site/settings.ts'
import { takeSettings } from '#box/site/take.ts'

const { positionals: [verb], values } = parseArgs({
  allowPositionals: true,
  options: { file: { type: 'string' }, folder: { type: 'string' }, config: { type: 'string' } }
})
try {
  if (verb === 'take' && values.file !== undefined && values.folder !== undefined) {
    console.log(await takeSettings(values.file, values.folder))
  } else if (verb === 'peers' && values.config !== undefined) {
    process.stdout.write(peersOf(await readConfig(values.config)))
  } else {
    console.error('settings.ts take --file=FILE --folder=FOLDER | peers --config=FILE')
    process.exitCode = 2
  }
} catch (error) {
  const { code = 'SETTINGS_INVALID', message } = error as { code?: string, message: string }
  // On one line, where the script reads it.
  console.log(`${code}: ${message.replaceAll('\n', ' ')}`)
  process.exitCode = 1
}
