import { spawnSync } from 'node:child_process'
import { accessSync, constants, cpSync, existsSync, lstatSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { test } from 'tap'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import { PROJECT, ROOTFS, SCRIPTS, settingsOf, unitFiles, UNITS } from '#test/fixtures/appliance.ts'
import { skipWithout, temporaryFolder, tool } from '#test/fixtures/peer.ts'

/** Issue 5, section 5. Disk: mounts for everybody, so it can have no view of its own of the file system. */
const EXPOSURE_MAX: Readonly<Record<string, number>> = { 'drimbox-front.service': 2.0, 'drimbox-signer.service': 2.0, 'drimbox.service': 2.5, 'drimbox-disk.service': 4.5 }
const EXPOSURE_MAX_OTHERS = 3.0
/** Scripts that the update's folder brings (appliance/update). */
const ELSEWHERE = new Set(['health-gate', 'rearm'])
/** Units of the packages that our preset names or that ours refer to. */
const DISTRIBUTION = new Set(['dbus-broker.service', 'systemd-networkd.service', 'mender-authd.service', 'mender-updated.service'])

const services = unitFiles().filter(({ path }) => path.endsWith('.service'))

test('every unit of ours is closed as far as the goals say', { skip: skipWithout('systemd-analyze') }, t => {
  const root = temporaryFolder(t)
  cpSync(join(ROOTFS, 'usr'), join(root, 'usr'), { recursive: true })
  mkdirSync(join(root, 'etc/systemd/system'), { recursive: true })
  // Closes as much; systemd-analyze knows the word from 257 on, which is the image's.
  for (const file of readdirSync(join(root, 'usr'), { recursive: true, encoding: 'utf8' }).filter(name => name.endsWith('.service'))) {
    const path = join(root, 'usr', file)
    writeFileSync(path, readFileSync(path, 'utf8').replace('PrivateTmp=disconnected', 'PrivateTmp=yes'))
  }
  // Mender's own units, which ours are drop-ins of.
  for (const name of ['mender-authd', 'mender-updated']) writeFileSync(join(root, 'usr/lib/systemd/system', `${name}.service`), '[Service]\nUser=root\nExecStart=/usr/bin/mender\n')
  const units = [...services.map(({ unit }) => unit), 'mender-authd.service', 'mender-updated.service']
  for (const unit of units) {
    const { stdout, stderr } = spawnSync(tool('systemd-analyze')!, ['security', '--offline=true', '--no-pager', `--root=${root}`, unit], { encoding: 'utf8' })
    const exposure = Number(/Overall exposure level for [^:]+: ([\d.]+)/.exec(stdout)?.[1] ?? NaN)
    const most = EXPOSURE_MAX[unit] ?? EXPOSURE_MAX_OTHERS
    t.ok(exposure <= most, `${unit}: ${exposure}, at most ${most} ${stderr}`)
  }
  t.end()
})

test('no unit needs room on the data partition to start', t => {
  for (const { unit, path } of unitFiles()) {
    // Its folder would be made in /var/tmp.
    t.notOk(settingsOf(path).some(({ key, value }) => key === 'PrivateTmp' && value !== 'disconnected'), unit)
  }
  t.end()
})

test('the preset names all that is installable, and nothing else starts', t => {
  const lines = readFileSync(join(ROOTFS, 'usr/lib/systemd/system-preset/00-drimbox.preset'), 'utf8').split('\n').filter(line => /^(enable|disable)/.test(line))
  const enabled = new Set(lines.filter(line => line.startsWith('enable ')).map(line => line.slice(7)))
  t.equal(lines.at(-1), 'disable *')
  for (const { unit, path } of unitFiles()) {
    if (path.endsWith('.conf')) continue
    const installable = settingsOf(path).some(({ section, key }) => section === 'Install' && /^(WantedBy|RequiredBy)$/.test(key))
    t.equal(enabled.has(unit), installable, unit)
  }
  for (const unit of enabled) t.ok(existsSync(join(UNITS, unit)) || DISTRIBUTION.has(unit), `${unit} exists`)
  t.end()
})

test('users have fixed numbers, and every user and group of a unit is one of them', t => {
  const text = readFileSync(join(ROOTFS, 'usr/lib/sysusers.d/00-drimbox.conf'), 'utf8')
  const numbers = new Map([...text.matchAll(/^g\s+(\S+)\s+(\d+)\s/gm)].map(([, name, number]) => [name!, number!]))
  for (const [, name, uid, gid] of text.matchAll(/^u\s+(\S+)\s+(9\d\d):(\d+)\s/gm)) {
    t.equal(uid, numbers.get(name!), name)
    t.equal(gid, uid, name)
  }
  t.match(Object.fromEntries(numbers), { tss: '900', drimbox: '901', 'drimbox-signer': '902', 'drimbox-front': '903', 'drimbox-status': '904', _chrony: '905', messagebus: '906' })
  for (const { unit, path } of unitFiles()) {
    for (const { key, value } of settingsOf(path)) {
      if (!/^(User|Group|SupplementaryGroups|SocketUser|SocketGroup)$/.test(key)) continue
      for (const name of value.split(' ')) t.ok(numbers.has(name), `${unit}: ${name}`)
    }
  }
  const [, bus] = /<user>(.+)<\/user>/.exec(readFileSync(join(ROOTFS, 'etc/dbus-1/system-local.conf'), 'utf8'))!
  t.ok(numbers.has(bus!), 'the bus has a user of its own')
  const firewall = readFileSync(join(ROOTFS, 'etc/nftables.conf'), 'utf8')
  t.same(new Set([...firewall.matchAll(/meta skuid (\d+)/g)].map(([, uid]) => uid)), new Set(['0', numbers.get('drimbox'), numbers.get('_chrony')]))
  t.end()
})

test('the TPM is reached by front and signer alone, among those who work', t => {
  const reach = services.filter(({ path }) => settingsOf(path).some(({ key, value }) => key === 'SupplementaryGroups' && value.split(' ').includes('tss'))).map(({ unit }) => unit)
  t.same(reach.sort(), ['drimbox-front.service', 'drimbox-signer.service'])
  for (const { unit, path } of services) {
    const settings = settingsOf(path)
    const opens = settings.some(({ key, value }) => key === 'DeviceAllow' && /tpm/.test(value))
    const root = !settings.some(({ key }) => key === 'User')
    t.notOk(opens && !root && !reach.includes(unit), unit)
  }
  t.end()
})

test('Node is started as core/runtime.ts says', t => {
  const settings = settingsOf(join(UNITS, 'drimbox.service'))
  const start = settings.find(({ key }) => key === 'ExecStart')!.value
  for (const flag of NODE_FLAGS) t.ok(start.includes(` ${flag} `), flag)
  t.notOk(start.includes('--permission'), 'under which nothing can be forced to disk (decision 0085)')
  const environment = settings.filter(({ key }) => key === 'Environment').map(({ value }) => value).join(' ')
  t.match(environment, `MALLOC_MMAP_THRESHOLD_=${NODE_ENVIRONMENT.MALLOC_MMAP_THRESHOLD_}`)
  t.match(environment, /NODE_COMPILE_CACHE=\/usr\//, 'code comes from the image, where the service cannot write')
  t.end()
})

test('memory, tasks and files of every service have a bound', t => {
  for (const { unit, path } of services) {
    const keys = new Set(settingsOf(path).map(({ key }) => key))
    for (const key of ['MemoryMax', 'TasksMax']) t.ok(keys.has(key), `${unit}: ${key}`)
    if (settingsOf(path).some(({ key, value }) => key === 'Type' && value === 'oneshot')) t.ok(keys.has('TimeoutStartSec'), `${unit}: TimeoutStartSec`)
  }
  const weight = (file: string): number => Number(settingsOf(join(UNITS, file)).find(({ key }) => key === 'CPUWeight')?.value)
  for (const updater of ['mender-updated.service.d/10-drimbox.conf', 'mender-authd.service.d/10-drimbox.conf']) {
    t.ok(weight(updater) > weight('drimbox.service'), `${updater}: a flood of readers leaves it its turn`)
  }
  t.end()
})

test('every program of ours that a unit starts is there and can be run', t => {
  for (const { unit, path } of unitFiles()) {
    for (const { key, value } of settingsOf(path)) {
      const script = /^[-+!@:|]*\/usr\/lib\/drimbox\/([a-z-]+)( |$)/.exec(value)?.[1]
      if (!key.startsWith('Exec') || script === undefined || ELSEWHERE.has(script)) continue
      t.doesNotThrow(() => { accessSync(join(SCRIPTS, script), constants.X_OK) }, `${unit}: ${script}`)
    }
  }
  t.end()
})

test('what has no place on an appliance is masked', t => {
  for (const unit of ['getty@.service', 'serial-getty@.service', 'debug-shell.service', 'systemd-logind.service', 'systemd-repart.service', 'systemd-bless-boot.service']) {
    t.ok(lstatSync(join(ROOTFS, 'etc/systemd/system', unit)).isSymbolicLink(), unit)
  }
  for (const unit of ['emergency.service', 'rescue.service']) {
    const start = settingsOf(join(ROOTFS, 'etc/systemd/system', unit)).filter(({ key }) => key === 'ExecStart')
    t.same(start.map(({ value }) => value), ['/usr/bin/systemctl --force reboot'], `${unit} is no shell`)
  }
  t.end()
})

/**
 * Programs of the image by package: Debian's names, Buildroot's tree has the same ones (os-image). What
 * isn't here, a script may not use.
 */
const PROGRAMS: Readonly<Record<string, string>> = {
  dash: '. : [ break case cd command continue echo eval exec exit export false printf read return set shift test trap true umask unset wait type',
  coreutils: 'basename cat chmod chown cp cut date dd df dirname head ln ls mkdir mktemp mv od paste readlink rm rmdir sha256sum sleep sort stat sync tail touch tr uname wc',
  diffutils: '',
  grep: 'grep',
  sed: 'sed',
  mawk: 'mawk',
  'libc-bin': 'getent',
  mount: 'mount umount',
  e2fsprogs: 'e2fsck',
  openssl: 'openssl',
  'tpm2-tools': 'tpm2_clear tpm2_create tpm2_createek tpm2_createprimary tpm2_dictionarylockout tpm2_evictcontrol tpm2_flushcontext tpm2_getcap tpm2_readpublic',
  'cryptsetup-bin': 'cryptsetup',
  nftables: 'nft',
  chrony: 'chronyc',
  udev: 'udevadm',
  systemd: 'systemctl systemd-cryptenroll systemd-cryptsetup systemd-repart',
  node: 'node'
}

test('boot scripts are POSIX, and use only programs that the image has', t => {
  const have = new Set(Object.values(PROGRAMS).join(' ').split(' '))
  const scripts = [
    ...readdirSync(SCRIPTS).filter(name => !name.includes('.') || name === 'lib.sh').map(name => join(SCRIPTS, name)).filter(path => lstatSync(path).isFile()),
    ...['identity/mender-device-identity', 'inventory/mender-inventory-drimbox'].map(name => join(ROOTFS, 'usr/share/mender', name))
  ]
  for (const path of scripts) {
    const text = readFileSync(path, 'utf8')
    if (!path.endsWith('lib.sh')) t.match(text, /^#!\/bin\/sh\n/, path)
    const own = new Set([...`${text}\n${readFileSync(join(SCRIPTS, 'lib.sh'), 'utf8')}`.matchAll(/^\s*([a-z_0-9]+) ?\(\)/gm)].map(([, name]) => name!))
    for (const word of commandWords(text)) t.ok(have.has(word) || own.has(word), `${basename(path)}: ${word}`)
  }
  const shellcheck = tool('shellcheck')
  if (shellcheck !== undefined) {
    const { stdout, status } = spawnSync(shellcheck, ['-x', '-P', SCRIPTS, '-s', 'dash', ...scripts], { encoding: 'utf8' })
    t.equal(status, 0, stdout)
  }
  t.end()
})

/** First words of simple commands: crude, and it errs towards naming too many. */
function commandWords (script: string): Set<string> {
  const plain = script
    .replaceAll(/^\s*#.*$/gm, '')
    .replaceAll('\\\n', ' ')
    .replaceAll(/\\./g, '_')
    // Single quotes hold programs of sed and mawk; double ones may hold commands.
    .replaceAll(/'[^']*'/g, '_')
    .replaceAll(/"((?:\$\([^()]*\)|[^"])*)"/g, (_, inside: string) => '_' + [...inside.matchAll(/\$\(([^()]*)\)/g)].map(([, command]) => `\n${command}\n`).join('') + '_')
    .replaceAll(/\$\{[^}]*\}/g, '_')
    .replaceAll(/\$\(\([^)]*\)\)/g, '_')
    // Labels of a case.
    .replaceAll(/(^|\bin\b|;;)[ \t]*[\w.*|_[\]!-]+\)/gm, '$1 ')
    .replaceAll(/\s#.*$/gm, '')
    .replaceAll(/\d?>&\d|[<>]+ *\S+/g, '')
  const words = new Set<string>()
  for (const command of plain.split(/\n|;|&&|\|\||\||\$\(|\(|\)|\{ |\}|!|\bthen\b|\bdo\b|\belse\b|\bif\b|\belif\b|\bwhile\b|\buntil\b/)) {
    const word = command.trim().split(/\s+/).find(part => !/^[A-Za-z_]\w*=/.test(part)) ?? ''
    if (/^(for|case|esac|done|fi|in|local)$/.test(word) || /^for\b|^case\b/.test(command.trim())) continue
    if (/^[a-z.:[][\w.[-]*$/.test(word)) words.add(word)
  }
  return words
}

test('nothing of ours is in the tree twice, set-uid, or open to all', t => {
  const files = readdirSync(ROOTFS, { recursive: true, encoding: 'utf8' }).map(name => join(ROOTFS, name)).filter(path => lstatSync(path).isFile())
  for (const path of files) {
    const { mode } = lstatSync(path)
    t.equal(mode & 0o7022, 0, path.slice(PROJECT.length))
  }
  t.end()
})
