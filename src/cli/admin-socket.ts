/** Where the box's admin socket is: said by `--socket`, or by the settings. */

import { readConfig } from '#box/config.ts'
import { SettingError } from '#core/errors.ts'
import type { Given, OptionKinds } from './options.ts'
import { CONFIG_FILE } from './settings.ts'

export const BOX_OPTIONS: OptionKinds = { config: 'text', socket: 'text', json: 'flag' }

/** @throws SettingError */
export async function adminSocketOf (given: Given): Promise<string> {
  const socket = given.text('socket')
  if (socket !== undefined) return socket
  const file = given.text('config') ?? CONFIG_FILE
  const { adminSocket } = await readConfig(file)
  if (adminSocket === undefined) throw new SettingError('adminSocket is not set', { facts: { file, reason: 'no-admin-socket' } })
  return adminSocket
}
