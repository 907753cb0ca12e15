import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { test } from 'tap'
import { freePort, skipWithout, temporaryFolder, tool, type Test } from '#test/fixtures/peer.ts'
import { UpdateBox, manifestOf, release, skipWithoutUpdateBox, somewhereIn, type On, type Release } from '#test/fixtures/update-box.ts'

/** `make test-update CUTS=50` asks for more. */
const CUTS = Number(process.env.CUTS ?? 8)
/** Of an update's time, what comes before its last steps. */
const LATE = 0.6
/** A client that was cut in its own rollback wants to end it first. */
const GIVE_UP = 'mender-update rollback || mender-update resume'
const BOOTSTRAP = join(import.meta.dirname, '../../os-image/mender/bootstrap.sh')
const skip = skipWithoutUpdateBox()
const old = release('0.1.0', 1)
const next = release('0.2.0', 2)

const versions = (box: UpdateBox): readonly string[] => box.entries().map(({ version, left }) => `${version}+${left}`).toSorted()
const install = async (box: UpdateBox, file: string, on?: On): Promise<{ code: number | null, output: string }> => await box.run(['mender-update', 'install', '--reboot-exit-code', file], on)
const commit = async (box: UpdateBox, on?: On): Promise<{ code: number | null, output: string }> => await box.run(['mender-update', 'commit'], on)

test('a good update: installed beside the running one, started, committed', { skip }, async t => {
  const box = new UpdateBox(t, old)
  const { code, output } = await install(box, box.artifact(next))
  t.equal(code, 4, 'it asks for a restart')
  t.match(output, /0\.2\.0 is in slot b/)
  t.same(versions(box), ['0.1.0+3', '0.2.0+3'])
  t.same(box.faults(), [])
  t.match(box.last, { state: 'installed', version: '0.2.0', code: null })
  t.equal(box.boot().version, '0.2.0')
  t.same(versions(box), ['0.1.0+3', '0.2.0+2'])
  t.equal((await commit(box)).code, 0)
  t.same(versions(box), ['0.1.0+3', '0.2.0+3'], 'the commit gives the tries back')
  t.match(box.last, { state: 'committed', version: '0.2.0', code: 'FLOOR_NO_TPM' })
  t.same(box.faults(), [])

  const third = release('0.3.0', 3)
  await install(box, box.artifact(third))
  t.same(versions(box), ['0.2.0+3', '0.3.0+3'], 'the next one goes into the first slot, whose entry went first')
  t.same(box.faults(), [])
  box.boot()
  t.equal((await commit(box)).code, 0)
  t.same(box.faults(), [])
})

test('a client whose store is new knows which release it was delivered with', { skip }, async t => {
  const box = new UpdateBox(t, old)
  const made = [1, 2].map(attempt => join(box.folder, `bootstrap-${attempt}`))
  for (const file of made) t.equal(spawnSync(BOOTSTRAP, ['0.1.0', file], { encoding: 'utf8' }).stderr, '')
  t.ok(readFileSync(made[0]!).equals(readFileSync(made[1]!)), 'the same twice')
  copyFileSync(made[0]!, join(box.folder, 'upper/var/lib/mender/bootstrap.mender'))
  const { output } = await box.run(['mender-update', 'show-provides'])
  t.match(output, /rootfs-image\.version=0\.1\.0/)
  t.match(output, /artifact_name=drimbox-0\.1\.0/)
  t.match((await box.run(['mender-update', 'show-artifact'])).output.trim(), /^drimbox-0\.1\.0$/m)
})

test('commits that are refused', { skip }, async t => {
  const box = new UpdateBox(t, old)
  await install(box, box.artifact(next))
  const early = await commit(box)
  t.not(early.code, 0)
  t.match(early.output, /UPDATE_NOT_STARTED/, 'the old one runs')
  t.same(versions(box), ['0.1.0+3'], 'and the new one is taken back')
  t.match(box.last, { state: 'rolled-back', code: 'UPDATE_NOT_STARTED', version: '0.2.0' })

  await install(box, box.artifact(next))
  box.boot()
  const sick = await commit(box, { gate: 'failed' })
  t.not(sick.code, 0)
  t.match(sick.output, /health gate/)
  t.same(versions(box), ['0.1.0+3'])
  t.match(box.last, { state: 'rolled-back', code: 'UPDATE_NOT_COMMITTED' })
  t.equal(box.boot().version, '0.1.0')
  t.same(box.faults(), [])
})

test('a rollback by hand, before and after the restart', { skip }, async t => {
  const box = new UpdateBox(t, old)
  for (const restarted of [false, true]) {
    await install(box, box.artifact(next))
    if (restarted) box.boot()
    t.equal((await box.run(['mender-update', 'rollback'])).code, 0)
    t.same(versions(box), ['0.1.0+3'])
    t.match(box.last, { state: 'rolled-back' })
    t.equal(box.boot().version, '0.1.0')
  }
})

test('a version that falls by itself tells why', { skip }, async t => {
  const box = new UpdateBox(t, old)
  await install(box, box.artifact(next))
  const log = '/run/drimbox-facts/gate.json'
  for (const left of [2, 1, 0]) {
    t.match(box.boot(), { version: '0.2.0', left })
    // What the gate writes when it fails (its own tests are beside its probes).
    await box.run(['sh', '-c', `. /usr/lib/drimbox/update-state; update_state on-trial 0.2.0 GATE_GATEWAY_FAILED "failed, 5 restarts"; : > ${log}`])
  }
  t.match(box.boot(), { version: '0.1.0', left: 2 }, 'systemd-boot goes back by itself')
  const { output } = await commit(box)
  t.match(output, /GATE_GATEWAY_FAILED: The gateway has ended several times\. failed, 5 restarts/)
  t.match(box.last, { state: 'rolled-back', version: '0.2.0', code: 'GATE_GATEWAY_FAILED', fr: 'La passerelle s\'est arrêtée plusieurs fois', detail: 'failed, 5 restarts' })
  t.same(versions(box), ['0.1.0+3'])
})

test('refusals, each with a code of its own; nothing is touched', { skip }, async t => {
  const box = new UpdateBox(t, release('0.5.0', 5))
  const entries = versions(box)
  const good = release('0.6.0', 6)
  const change = (key: string, value: string): string => manifestOf(good).replace(new RegExp(`^${key}=.*$`, 'm'), `${key}=${value}`)
  const wrong: readonly (readonly [code: string, make: () => string])[] = [
    ['UPDATE_OLDER_RELEASE', () => box.artifact(release('0.4.0', 4))],
    ['UPDATE_SAME_VERSION', () => box.artifact({ ...release('0.5.0', 6) })],
    ['UPDATE_MANIFEST_INVALID', () => box.artifact(good, { manifest: 'version=0.6.0\n' })],
    ['UPDATE_MANIFEST_INVALID', () => box.artifact(good, { manifest: change('data_uuid', '00000000-0000-0000-0000-000000000000') })],
    ['UPDATE_MANIFEST_INVALID', () => box.artifact(good, { manifest: change('version', '../../etc') })],
    ['UPDATE_MANIFEST_INVALID', () => box.artifact(good, { manifest: change('release', '6; reboot') })],
    ['UPDATE_MANIFEST_INVALID', () => box.artifact(good, { manifest: 'x'.repeat(100_000) })],
    ['UPDATE_NO_SPACE', () => box.artifact({ ...good, root: Buffer.alloc(9 << 20) })]
  ]
  const running = box.running
  for (const [code, make] of wrong) {
    const { code: exit, output } = await install(box, make())
    t.not(exit, 0)
    t.match(output, new RegExp(`${code}: \\w`), code)
    t.match(box.last, { state: 'refused', code })
    t.ok(box.last.fr.length > 10)
    t.same(versions(box), entries, 'no entry has changed')
  }
  const same = await install(box, box.artifact({ ...running, version: '0.5.1' }))
  t.match(same.output, /UPDATE_ALREADY_RUNNING/)
  t.same(box.faults().filter(fault => fault.includes('0.5.0')), [])
})

test('content that isn\'t what was announced, or isn\'t all: the running one stays, the other slot has no entry', { skip }, async t => {
  const box = new UpdateBox(t, old)
  const wrong: readonly (readonly [code: string, make: () => string])[] = [
    ['UPDATE_CHECKSUM', () => box.artifact(next, { files: { 'root.erofs': release('x', 1).root } })],
    ['UPDATE_CHECKSUM', () => box.artifact(next, { files: { 'uki.efi': Buffer.from('another') } })],
    ['UPDATE_PAYLOAD_INVALID', () => box.artifact(next, { files: { more: Buffer.from('x') } })],
    ['UPDATE_(TRUNCATED|INTERRUPTED)', () => {
      const file = box.artifact(next)
      truncateSync(join(box.folder, file), 2 << 20)
      return file
    }]
  ]
  for (const [code, make] of wrong) {
    const { code: exit, output } = await install(box, make())
    t.not(exit, 0)
    t.match(output, new RegExp(code))
    t.match(box.last, { state: 'refused', code: new RegExp(code) })
    t.same(versions(box), ['0.1.0+2'])
    t.same(box.faults(), [])
  }
  t.equal((await install(box, box.artifact(next))).code, 4, 'and a good one still goes in')
})

test('a disk that refuses to be written', { skip }, async t => {
  const box = new UpdateBox(t, old)
  box.setReadOnly('root-b', true)
  const { code, output } = await install(box, box.artifact(next))
  t.not(code, 0)
  t.match(output, /UPDATE_WRITE_FAILED: \w/)
  t.match(box.last, { state: 'refused', code: 'UPDATE_WRITE_FAILED' })
  t.same(versions(box), ['0.1.0+2'])
  box.setReadOnly('root-b', false)
  t.equal((await install(box, box.artifact(next))).code, 4)
})

test('what Mender itself refuses: another signature, none, another type of device', { skip }, async t => {
  const box = new UpdateBox(t, old)
  const other = new UpdateBox(t, old)
  for (const [words, make] of [
    [/signature/i, () => box.artifact(next, { key: other.key() })],
    [/device type doesn't match/i, () => box.artifact(next, { deviceType: 'another-box' })]
  ] as const) {
    const { code, output } = await install(box, make())
    t.not(code, 0)
    t.match(output, words)
    t.same(versions(box), ['0.1.0+2'])
  }
})

test('the floor: a release older than one committed is refused by the TPM\'s word', { skip: skip || skipWithout('swtpm') }, async t => {
  const env = { TPM2TOOLS_TCTI: await startTpm(t) }
  const box = new UpdateBox(t, release('0.3.0', 3))
  const update = async (of: Release): Promise<void> => {
    t.equal((await install(box, box.artifact(of), { env })).code, 4)
    box.boot()
    t.equal((await commit(box, { env })).code, 0)
    t.match(box.last, { state: 'committed', code: null })
  }
  await update(release('0.5.0', 5))
  t.match((await box.run(['/usr/lib/drimbox/floor', 'show'], { env })).output.trim(), /^5$/)
  // As if the older image had been put back from outside.
  box.put('usr/lib/drimbox/release', '1\n')
  t.match((await install(box, box.artifact(release('0.4.0', 4)), { env })).output, /UPDATE_OLDER_RELEASE.*release 4, floor 5/)
  await update(release('0.5.1', 5))
  t.equal((await box.run(['/usr/lib/drimbox/floor', 'allows', '4'], { env })).code, 3)
  t.equal((await box.run(['/usr/lib/drimbox/floor', 'allows', '5'], { env })).code, 0)
  t.equal((await box.run(['/usr/lib/drimbox/floor', 'raise', '63'], { env })).code, 0)
  t.match((await box.run(['/usr/lib/drimbox/floor', 'show'], { env })).output.trim(), /^63$/)
  t.equal((await box.run(['/usr/lib/drimbox/floor', 'raise', '64'], { env })).code, 2)
})

test('a good boot sees whether the sealed recovery key is still on the ESP', { skip }, async t => {
  const box = new UpdateBox(t, old)
  const stillDone = async (sealed: string): Promise<number | null> => {
    const script = `mkdir -p /run/drimbox-disk /var/lib/drimbox-system /efi/drimbox; echo volume > /run/drimbox-disk/volume; : > /var/lib/drimbox-system/recovery-sealed
      rm -f /efi/drimbox/recovery-*; ${sealed}; /usr/lib/drimbox/rearm && test -e /var/lib/drimbox-system/recovery-sealed`
    return (await box.run(['/bin/sh', '-c', script])).code
  }
  t.equal(await stillDone('echo key > /efi/drimbox/recovery-volume.sealed'), 0)
  t.equal(await stillDone('echo key > /efi/drimbox/recovery-another.sealed'), 1, 'the next start makes another')
})

test('a good boot gives the tries back; the version on trial and the last one are left alone', { skip }, async t => {
  const box = new UpdateBox(t, old)
  t.same(versions(box), ['0.1.0+2'])
  t.equal((await box.run(['/usr/lib/drimbox/rearm'])).code, 0)
  t.same(versions(box), ['0.1.0+3'])
  t.not((await box.run(['/usr/lib/drimbox/boot-entries', 'remove', '0.1.0'])).code, 0, 'the only one stays')
  t.not((await box.run(['/usr/lib/drimbox/boot-entries', 'keep', '9.9.9'])).code, 0, 'a stranger keeps nothing')
  t.same(versions(box), ['0.1.0+3'])
  await install(box, box.artifact(next))
  box.boot()
  t.equal((await box.run(['/usr/lib/drimbox/rearm'])).code, 0)
  t.same(versions(box), ['0.1.0+3', '0.2.0+2'], 'on trial')
  for (let start = 0; start < 5; start++) box.boot()
  t.same(versions(box), ['0.1.0+0', '0.2.0+0'])
  t.equal((await box.run(['/usr/lib/drimbox/boot-entries', 'exhausted'])).code, 0)
  t.equal((await box.run(['/usr/lib/drimbox/boot-entries', 'arm-all'])).code, 0)
  t.same(versions(box), ['0.1.0+3', '0.2.0+3'])
})

test(`the power goes at ${CUTS} random moments of an update: there is always a whole version to start, and the next try succeeds`, { skip, timeout: (60 + CUTS * 20) * 1000 }, async t => {
  const slot = 24 << 20
  const first = release('1.0.0', 1, 20 << 20)
  // Two, in turn: what an earlier attempt has left in the slot is never what the next one wants there.
  const others = [release('1.1.0', 1, 20 << 20), release('1.2.0', 1, 20 << 20)]
  const box = new UpdateBox(t, first, slot)
  const whole = 'mender-update install --reboot-exit-code "$1"; mender-update rollback'
  const files = others.map(other => box.artifact(other))
  const began = performance.now()
  await box.run(['sh', '-c', whole, 'sh', files[0]!])
  const usual = performance.now() - began
  let intoInstall = 0
  for (let cut = 1; cut <= CUTS; cut++) {
    const file = files[cut % 2]!
    const child = box.start(['sh', '-c', whole, 'sh', file])
    child.stdout!.resume()
    child.stderr!.resume()
    // Half of them late: the steps that change what is started are short, beside the download.
    const late = cut % 4 < 2
    if (late) await delay(usual * LATE)
    await somewhereIn(late ? usual * (1 - LATE) : usual)
    await box.cut(child)
    const before = box.entries()
    if (before.length > 1) intoInstall++
    if (!before.some(({ version, left }) => version === '1.0.0' && left > 0)) t.fail(`cut ${cut}: the running entry is gone: ${versions(box).join()}`)
    const faults = box.faults()
    if (faults.length > 0) t.fail(`cut ${cut}: ${faults.join('; ')}`)
    // Whatever it starts then, Mender ends the attempt and a new one goes in.
    box.boot()
    await box.run(['sh', '-c', GIVE_UP])
    while (box.boot().version !== '1.0.0');
    const retried = await install(box, file)
    if (retried.code !== 4) t.fail(`cut ${cut}: ${retried.output}`)
    if (box.faults().length > 0) t.fail(`cut ${cut}, again: ${box.faults().join('; ')}`)
    await box.run(['mender-update', 'rollback'])
    if (versions(box).join() !== '1.0.0+3') t.fail(`cut ${cut}: ${versions(box).join()} after the rollback`)
  }
  t.pass(`${CUTS} cuts, ${intoInstall} of them with the new entry there`)
})

/** A software TPM; @returns how tpm2-tools reach it. */
async function startTpm (t: Test): Promise<string> {
  const folder = join(temporaryFolder(t), 'tpm')
  mkdirSync(folder)
  const port = await freePort()
  const child = spawn(tool('swtpm')!, ['socket', '--tpm2', '--tpmstate', `dir=${folder}`, '--flags', 'not-need-init,startup-clear',
    '--server', `type=tcp,port=${port},bindaddr=127.0.0.1`, '--ctrl', `type=tcp,port=${port + 1},bindaddr=127.0.0.1`, '--pid', `file=${folder}/pid`], { stdio: 'ignore' })
  t.teardown(async () => {
    child.kill('SIGKILL')
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit')
  })
  for (let wait = 0; wait < 200; wait++) {
    try {
      if (readFileSync(join(folder, 'pid'), 'utf8') !== '') break
    } catch {}
    await delay(20)
  }
  writeFileSync(join(folder, 'started'), '')
  return `swtpm:host=127.0.0.1,port=${port}`
}
