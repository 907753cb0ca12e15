/** A real time server for the guest: chronyd, which serves the host's clock and never sets it. */

import { writeFileSync } from 'node:fs'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { tool, type Test } from '#test/fixtures/peer.ts'

/** On port 123 of this test's own network. */
export function serveTime (t: Test, folder: string): void {
  const config = join(folder, 'chrony.conf')
  // A clock that follows nobody says so by its stratum (RFC 5905 §7.3).
  writeFileSync(config, ['local stratum 8', 'allow all', 'cmdport 0', 'bindcmdaddress /', `pidfile ${join(folder, 'chrony.pid')}`, `driftfile ${join(folder, 'chrony.drift')}`].join('\n') + '\n')
  const child = spawn(tool('chronyd') ?? 'chronyd', ['-d', '-x', '-U', '-u', 'root', '-f', config], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  t.teardown(async () => {
    child.kill('SIGTERM')
    await ended
  })
}
