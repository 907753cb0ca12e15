import { execFileSync, spawn } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { machine, ROOTFS } from '#test/fixtures/appliance.ts'
import { freePort, skipWithout, tool, type Test } from '#test/fixtures/peer.ts'

const skip = skipWithout('chronyd', 'chronyc', 'dash', 'mawk') || (process.getuid?.() !== 0 ? 'needs root' : false)

/** A box with a real chronyd that sets no clock; its server is to be found at `port`. */
async function box (t: Test) {
  const { folder, run } = machine(t)
  const [port, socket] = [await freePort(), join(folder, 'run/chronyd.sock')]
  mkdirSync(join(folder, 'run'), { mode: 0o700 })
  return {
    start: async () => {
      daemon(t, folder, 'box', [`bindcmdaddress ${socket}`, 'port 0', `server 127.0.0.1 port ${port} iburst minpoll 0`])
      while (!existsSync(socket)) await delay(50)
    },
    serve: (after = 0) => { daemon(t, folder, 'server', ['local stratum 5', 'allow 127.0.0.1', `port ${port}`, 'bindaddress 127.0.0.1', 'bindcmdaddress /'], after) },
    look: (tries: number) => {
      const { code, output } = run('time', { DRIMBOX_TIME_SOCKET: socket, DRIMBOX_TIME_TRIES: String(tries) })
      if (code !== 0) throw new Error(output)
      return JSON.parse(readFileSync(join(folder, 'facts/time.json'), 'utf8')) as { state: string, code: string | null, detail: string | null }
    }
  }
}

function daemon (t: Test, folder: string, name: string, lines: readonly string[], after = 0): void {
  const file = join(folder, `${name}.conf`)
  writeFileSync(file, [...lines, 'user root', 'cmdport 0', `pidfile ${join(folder, `${name}.pid`)}`, ''].join('\n'))
  const running = spawn('setpriv', ['--pdeathsig', 'KILL', 'sh', '-c', `sleep ${after}; exec ${tool('chronyd')} -x -n -f ${file}`], { stdio: 'ignore' })
  t.teardown(() => { running.kill('SIGKILL') })
}

test('whether the clock follows a server, for the status page', { skip, timeout: 120_000 }, async t => {
  const { start, serve, look } = await box(t)
  t.match(look(1), { state: 'unknown', code: 'TIME_UNKNOWN' }, 'nobody to ask')
  await start()
  t.match(look(1), { state: 'unsynchronised', code: 'TIME_UNSYNCHRONISED' }, 'no server answers')
  serve(2)
  const { state, code, detail } = look(10)
  t.same([state, code], ['synchronised', null], 'a server that comes up meanwhile is waited for')
  t.ok(Math.abs(Number(detail)) < 2, detail ?? '')
})

test('chrony takes its settings, and listens where it is asked', { skip }, t => {
  const settings = execFileSync(tool('chronyd')!, ['-p', '-f', join(ROOTFS, 'etc/chrony/chrony.conf')], { encoding: 'utf8' })
  const [, asked] = /^SOCKET=\$\{DRIMBOX_TIME_SOCKET:-(.+)\}$/m.exec(readFileSync(join(ROOTFS, 'usr/lib/drimbox/time'), 'utf8')) ?? []
  const [, user] = /^User=(.+)$/m.exec(readFileSync(join(ROOTFS, 'usr/lib/systemd/system/chrony.service'), 'utf8')) ?? []
  t.same(settings.split('\n').filter(line => /^(user|bindcmdaddress) /.test(line)), [`user ${user}`, `bindcmdaddress ${asked}`])
  t.end()
})
