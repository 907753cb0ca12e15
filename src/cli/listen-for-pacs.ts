/**
 * Our own listener, for a verb that lets the PACS send to our title: the box's own place on the network, so it can
 * be had only while the box doesn't hold it.
 */

import type { Config } from '#box/config.ts'
import { RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import { serverTls } from '#box/pacs/tls.ts'
import { SettingError } from '#core/errors.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { VERIFICATION } from '#standards/dimse/echo.ts'
import { listen, type Scp, type ScpOptions } from '#standards/dimse/server.ts'
import { readable } from './settings.ts'

/** @throws SettingError whose fact `reason` is the system's word, such as EADDRINUSE */
export async function listenForPacs ({ dimse }: Config, options: Pick<ScpOptions, 'admit' | 'onStore' | 'onEvent' | 'onRequest'>): Promise<Scp> {
  const { host, port, aeTitle } = dimse
  const tls = await readable(serverTls(dimse.tls))
  try {
    return await listen({
      host,
      port,
      titles: [aeTitle],
      transferSyntaxes: RECEIVED_SYNTAXES,
      abstractSyntaxes: new Set([VERIFICATION, ...STORAGE_CLASSES.keys()]),
      timers: { idleSeconds: dimse.idleSeconds },
      tls,
      ...options
    })
  } catch (error) {
    throw new SettingError('the port cannot be listened on', { cause: error, facts: { host, port, reason: (error as NodeJS.ErrnoException).code ?? 'unknown' } })
  }
}
