import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { machine } from '#test/fixtures/appliance.ts'
import { skipWithout } from '#test/fixtures/peer.ts'

const skip = skipWithout('dash')
const uptime = (): number => Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])

test('a gateway that has said nothing for a minute and a half is ended, so that it starts again', { skip }, t => {
  const { folder, run } = machine(t)
  const file = join(folder, 'alive')
  const ask = (beat: string, active = 'active'): readonly string[] => {
    writeFileSync(file, beat)
    return run('alive', { DRIMBOX_ALIVE: file, DRIMBOX_ACTIVE: active }).systemctl.filter(call => call.startsWith('kill'))
  }
  const ended = ['kill --signal=SIGKILL drimbox.service']
  // A machine that has been up for less can't be late.
  const late = uptime() > 95 ? ended : []
  t.same(ask(`${uptime() - 95}\n`), late)
  t.same(ask(`${uptime() - 80}\n`), [], 'a collection of garbage is forgiven')
  t.same(ask(`${uptime()}\n`), [])
  t.same(ask(`${uptime() - 95}\n`, 'deactivating'), [], 'one that is closing is left to close')
  t.same(ask('not a number\n'), [])
  t.end()
})
