import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'tap'
import { machine, ROOTFS } from '#test/fixtures/appliance.ts'
import { skipWithout, tool, type Test } from '#test/fixtures/peer.ts'

/** Network namespaces and the packet filter are root's. */
const skip = skipWithout('nft', 'ip', 'nsenter', 'setpriv', 'dash') || (process.getuid?.() !== 0 ? 'needs root' : false)

const BOX = '192.0.2.10'
const PACS = '192.0.2.20'
const STRANGER = '192.0.2.30'
/** Somebody on another cable, as the internet would be. */
const SERVICES = '192.0.2.40'
const DRIMBOX = 901
const CHRONY = 905
/** All that the box could listen on; only some of it may be reached. */
const LISTENING = [22, 80, 104, 443, 5355, 8042, 8080, 11112]

/**
 * Two machines with a cable between them, both with everything open but the filter; the box has the
 * image's rules and a script's sets. What a script's name servers answer is a file of the test's.
 */
async function cable (t: Test, peers: string, netif = `DNS=${SERVICES}\nNTP=${SERVICES}\n`) {
  const { folder, run } = machine(t)
  const box = await namespace(t)
  const world = await namespace(t)
  inside(world, 'ip', 'link', 'add', 'near', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', String(box))
  for (const address of [PACS, STRANGER, SERVICES]) inside(world, 'ip', 'address', 'add', `${address}/24`, 'dev', 'near')
  inside(box, 'ip', 'address', 'add', `${BOX}/24`, 'dev', 'eth0')
  for (const [pid, link] of [[world, 'near'], [box, 'eth0'], [box, 'lo'], [world, 'lo']] as const) inside(pid, 'ip', 'link', 'set', link, 'up')
  inside(box, 'nft', '-f', join(ROOTFS, 'etc/nftables.conf'))
  await listen(t, box, LISTENING)
  await listen(t, world, [53, 80, 104, 443, 4460, 8443, 11112])
  mkdirSync(join(folder, 'chrony'))
  writeFileSync(join(folder, 'peers'), peers)
  writeFileSync(join(folder, 'netif'), netif)
  const env = {
    DRIMBOX_PEERS_ALL: join(folder, 'peers'),
    DRIMBOX_NETIF: join(folder, 'netif'),
    DRIMBOX_NETWORK_OUT: join(folder, 'network'),
    DRIMBOX_CHRONY: join(folder, 'chrony'),
    DRIMBOX_DEFAULTS: join(ROOTFS, 'usr/lib/drimbox/defaults')
  }
  // `nft` and `getent` of the script act in the box.
  const wrap = (name: string, body: string): void => { writeFileSync(join(folder, 'bin', name), `#!/bin/sh\n${body}\n`, { mode: 0o755 }) }
  wrap('nft', `exec nsenter --net=/proc/${box}/ns/net ${tool('nft')} "$@"`)
  wrap('getent', `name=; for name in "$@"; do :; done; sed -n "s/^$name //p" ${folder}/names | sed 's/$/ STREAM/'`)
  writeFileSync(join(folder, 'names'), '')
  return {
    folder,
    fill: () => {
      const result = run('firewall', env)
      if (result.code !== 0) throw new Error(result.output)
      return result
    },
    names (text: string) { writeFileSync(join(folder, 'names'), text) },
    rewrite (file: 'peers' | 'netif', text: string) { writeFileSync(join(folder, file), text) },
    read: (file: string) => readFileSync(join(folder, file), 'utf8'),
    /** Ports of the box that answer somebody. */
    reachable: async (from: string) => (await Promise.all(LISTENING.map(async port => await connects(world, BOX, port, { from }) ? port : 0))).filter(Boolean),
    /** Whether a user of the box gets through to somebody. */
    leaves: async (uid: number, to: string, port: number) => await connects(box, to, port, { uid }),
    counts: (set: string) => (JSON.parse(spawnSync('nsenter', [`--net=/proc/${box}/ns/net`, tool('nft')!, '-j', 'list', 'set', 'inet', 'drimbox', set], { encoding: 'utf8' }).stdout) as { nftables: { set?: { elem?: unknown[] } }[] }).nftables.find(one => one.set !== undefined)?.set?.elem?.length ?? 0
  }
}

/** A network of its own, for as long as the test lasts: the pid of what holds it. */
async function namespace (t: Test): Promise<number> {
  const child = spawn('unshare', ['--net', 'sleep', '600'], { stdio: 'ignore' })
  await once(child, 'spawn')
  t.teardown(() => { child.kill('SIGKILL') })
  const own = readLink('self')
  while (readLink(child.pid!) === own) await new Promise(resolve => setTimeout(resolve, 5))
  return child.pid!
}

function readLink (pid: number | string): string {
  return spawnSync('readlink', [`/proc/${pid}/ns/net`], { encoding: 'utf8' }).stdout
}

function inside (pid: number, ...command: string[]): void {
  const { status, stderr } = spawnSync('nsenter', [`--net=/proc/${pid}/ns/net`, ...command], { encoding: 'utf8' })
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr}`)
}

async function listen (t: Test, pid: number, ports: readonly number[]): Promise<void> {
  const program = `import { createServer } from 'node:net'
    let open = 0
    for (const port of ${JSON.stringify(ports)}) createServer(socket => { socket.on('error', () => {}).end('here') }).listen(port, '0.0.0.0', () => { if (++open === ${ports.length}) console.log('ready') })`
  const child = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, process.execPath, '--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => { child.kill('SIGKILL') })
  await once(child.stdout, 'data')
}

/** Whole connections only: a word of the other side's has to arrive. */
async function connects (pid: number, to: string, port: number, { from, uid = 0 }: { from?: string, uid?: number }): Promise<boolean> {
  const program = `import { connect } from 'node:net'
    const socket = connect({ host: '${to}', port: ${port}${from === undefined ? '' : `, localAddress: '${from}'`} })
    setTimeout(() => process.exit(1), 1500)
    socket.on('data', () => process.exit(0)).on('error', () => process.exit(1))`
  const child = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, 'setpriv', `--reuid=${uid}`, '--clear-groups', process.execPath, '--input-type=module', '-e', program], { stdio: 'ignore' })
  const [code] = await once(child, 'exit')
  return code === 0
}

const PEERS = `pacs ${PACS} 104\ncaller ${PACS} 11112\nfleet ${SERVICES} 8443\nntp ${SERVICES}\n`

test('before anybody is configured, 443 is all that answers', { skip }, async t => {
  const { reachable, leaves } = await cable(t, '')
  t.same(await reachable(PACS), [443])
  for (const uid of [0, DRIMBOX, CHRONY, 1000]) t.notOk(await leaves(uid, PACS, 104), `uid ${uid} stays inside`)
})

test('exactly the documented ports answer, DIMSE only to the PACS', { skip }, async t => {
  const { fill, reachable } = await cable(t, PEERS)
  fill()
  t.same(await reachable(PACS), [443, 11112])
  t.same(await reachable(STRANGER), [443])
})

test('nobody inside talks to more than what is configured, and only who has business there', { skip }, async t => {
  const { fill, leaves } = await cable(t, PEERS)
  fill()
  t.ok(await leaves(DRIMBOX, PACS, 104), 'the gateway calls the PACS')
  t.notOk(await leaves(DRIMBOX, PACS, 11112), 'on its port alone')
  t.notOk(await leaves(DRIMBOX, STRANGER, 104), 'and nobody else')
  t.notOk(await leaves(DRIMBOX, SERVICES, 8443), 'not the fleet server')
  t.ok(await leaves(0, SERVICES, 8443), 'Mender\'s client calls the fleet server')
  t.notOk(await leaves(0, SERVICES, 443))
  t.notOk(await leaves(0, PACS, 104), 'not the PACS')
  t.ok(await leaves(CHRONY, SERVICES, 4460), 'NTS')
  t.notOk(await leaves(0, SERVICES, 4460))
  for (const uid of [0, DRIMBOX, CHRONY]) t.ok(await leaves(uid, SERVICES, 53), `names, uid ${uid}`)
  t.notOk(await leaves(DRIMBOX, STRANGER, 53), 'of DHCP\'s name server alone')
  for (const uid of [903, 904, 1000]) t.notOk(await leaves(uid, PACS, 104), `uid ${uid}`)
})

test('names lead where the name server says, for the filter and for whoever asks', { skip }, async t => {
  const { fill, names, leaves, reachable, read } = await cable(t, 'pacs pacs.centre.lan 104\ncaller pacs.centre.lan 11112\n')
  names(`pacs.centre.lan ${PACS}\n`)
  fill()
  t.ok(await leaves(DRIMBOX, PACS, 104))
  t.same(await reachable(PACS), [443, 11112])
  t.match(read('network/hosts'), `127.0.0.1 localhost\n${PACS} pacs.centre.lan\n`)
  names('')
  fill()
  t.ok(await leaves(DRIMBOX, PACS, 104), 'a name server that is silent takes nothing away')
  names(`pacs.centre.lan ${STRANGER}\n`)
  fill()
  t.notOk(await leaves(DRIMBOX, PACS, 104))
  t.ok(await leaves(DRIMBOX, STRANGER, 104), 'a PACS that moved is followed')
})

test('what a peer or a DHCP server writes cannot open more', { skip }, async t => {
  const { fill, reachable, counts, read } = await cable(t,
    `pacs 0.0.0.0/0 104\ncaller 192.0.2.0/24 11112\ncaller ${STRANGER} 0\ncaller ${STRANGER} 22;\nntp $(reboot)\nfleet } 443\n`,
    'DNS=192.0.2.0/24 fe80::1 ;\nNTP=a;b\n')
  fill()
  t.same(await reachable(STRANGER), [443])
  for (const set of ['pacs', 'dimse_callers', 'fleet', 'dns', 'ntp']) t.equal(counts(set), 0, set)
  t.notMatch(read('network/resolv.conf'), /nameserver/)
})

test('time comes from the settings, else from DHCP, else from public servers with NTS', { skip }, async t => {
  const { folder, fill, rewrite, read } = await cable(t, '')
  t.same(fill().systemctl, ['--no-block try-restart chrony.service'])
  t.equal(read('chrony/other.sources'), `server ${SERVICES} iburst\n`)
  rewrite('netif', `DNS=${SERVICES}\n`)
  fill()
  t.match(read('chrony/other.sources'), / nts$/m)
  writeFileSync(join(folder, 'chrony/site.sources'), 'server 192.0.2.99 iburst\n')
  fill()
  t.notOk(existsSync(join(folder, 'chrony/other.sources')))
})
