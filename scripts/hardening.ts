/**
 * Writes docs/hardening.md: how far everything is closed, in figures, and why not further.
 *
 *     node scripts/hardening.ts [--tree=var/image/quick.tree] [--kernel=CONFIG] [--own-kernel=CONFIG] [--cmdline=FILE] [--checker=PROGRAM] [--lynis=REPORT] [--out=docs/hardening.md]
 *
 * Without a root tree the units of the repository are judged by this machine's systemd; with one, by the
 * builder's, as they are in the image. kernel-hardening-checker (a13xp0p0v, GPL-3.0) runs beside the
 * project and never becomes part of it; without it, or without a kernel, that section stays as it was.
 * So does that of Lynis (GPL-3.0) without a report, which `make test-image-full ONLY=lynis` leaves in var/run.
 *
 * @throws on a goal missed, or a deviation that nobody has explained: nothing is written then
 */

import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, lstatSync, mkdtempSync, openSync, readFileSync, readSync, readdirSync, rmSync, writeFileSync, closeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { ANSSI, OTHERWISE } from './hardening/anssi.ts'
import { DEBIAN, OWN, explained, type Deviation, type Reason } from './hardening/deviations.ts'
import { REASONS, findingsOf, indexOf, unexplained } from './hardening/lynis.ts'

const project = join(import.meta.dirname, '..')
const { values } = parseArgs({
  options: {
    tree: { type: 'string' },
    kernel: { type: 'string' },
    'own-kernel': { type: 'string' },
    cmdline: { type: 'string' },
    checker: { type: 'string', default: process.env.KERNEL_HARDENING_CHECKER },
    lynis: { type: 'string' },
    out: { type: 'string', default: join(project, 'docs/hardening.md') }
  }
})
// The builder binds it, from another working folder.
if (values.tree !== undefined) values.tree = resolve(values.tree)
const rootfs = join(project, 'appliance/rootfs')
const units = join(rootfs, 'usr/lib/systemd/system')

/** Issue 5 §5; the disk's unit mounts for everybody, so it can have no view of its own of the file system. */
const GOALS: Readonly<Record<string, number>> = { 'drimbox-front.service': 2.0, 'drimbox-signer.service': 2.0, 'drimbox.service': 2.5, 'drimbox-disk.service': 4.5 }
const GOAL_OTHERS = 3.0
/** Units of others that run here, as they are or with a drop-in of ours; told, not held to the goal. */
const OTHERS = ['systemd-networkd.service', 'systemd-journald.service', 'systemd-udevd.service', 'dbus-broker.service']

/** Processes that are root's while the machine runs, each with its reason. */
const ROOT_PROCESSES: readonly (readonly [name: string, why: string])[] = [
  ['systemd', 'the first process'],
  ['systemd-journald', 'reads the kernel\'s log, keeps everybody\'s'],
  ['systemd-udevd', 'makes devices known; loads modules'],
  ['dbus-broker-launch', 'starts the bus, which is `messagebus`'],
  ['mender-auth, mender-update', 'write the idle slot and the ESP; own a name on the bus that only root may. No right of root\'s but access to files'],
  ['haproxy', 'not root: `drimbox-front`'],
  ['chronyd', 'not root: `_chrony`, with the right to set the clock'],
  ['dd', 'waits at the power button\'s device; no right at all']
]

const was = existsSync(values.out) ? readFileSync(values.out, 'utf8') : ''
const slips: string[] = []
const page = [
  '# Hardening',
  '',
  'Made by `make hardening` (scripts/hardening.ts); not written by hand. What is closed, how far, and why not further.',
  '',
  ...exposures(),
  ...sysctls(),
  ...section('kernel', () => kernel('Debian\'s kernel', values.kernel, DEBIAN)),
  ...section('own-kernel', () => kernel('Our own kernel', values['own-kernel'], OWN)),
  ...section('tree', tree),
  ...section('lynis', lynis),
  '## Who is root',
  '',
  'While the machine runs. One-shots of the boot (disk, keys, settings, packet filter, gate) are root\'s too; their units say with which rights.',
  '',
  '| process | why |', '| --- | --- |',
  ...ROOT_PROCESSES.map(([name, why]) => `| ${name} | ${why} |`),
  '',
  '## What answers from outside',
  '',
  'TCP 443 (front), for anybody, with a rate for each caller; the DIMSE port of `config.json`, for the addresses of `pacs.senders` alone;',
  'ICMP echo, five a second. Nothing else, and IPv6 not at all: `test/appliance/firewall.test.ts` tries it in two network namespaces,',
  'outwards too (PACS, name servers, time, fleet server, DHCP; each only for the user who has business there).',
  ''
].join('\n')
if (slips.length > 0) throw new Error(slips.join('\n'))
writeFileSync(values.out, page)
console.log(`${values.out} written`)

/** Text between two marks; kept as it was where what makes it isn't here. */
function section (name: string, make: () => string[] | undefined): string[] {
  const [start, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`]
  const made = make()
  if (made !== undefined) return [start, ...made, end, '']
  const from = was.indexOf(start)
  return from < 0 ? [] : [was.slice(from, was.indexOf(end) + end.length), '']
}

function exposures (): string[] {
  const own = readdirSync(units).filter(name => name.endsWith('.service'))
  const names = [...own, 'mender-authd.service', 'mender-updated.service', ...values.tree === undefined ? [] : OTHERS]
  const rows = judged(names).map(({ unit, exposure }) => {
    const goal = OTHERS.includes(unit) ? undefined : GOALS[unit] ?? GOAL_OTHERS
    if (goal !== undefined && !(exposure <= goal)) slips.push(`${unit}: exposure ${exposure}, goal ${goal}`)
    return `| \`${unit}\` | ${Number.isNaN(exposure) ? '–' : exposure.toFixed(1)} | ${goal === undefined ? '–' : goal.toFixed(1)} | ${userOf(unit)} |`
  })
  return [
    '## Units', '',
    `\`systemd-analyze security --offline\`, 0 closed to 10 open, systemd ${version()}. \`drimbox-disk\` is the one exception: it mounts the data`,
    'partition for everybody, so it can have no view of its own of the file system, and opening LUKS needs CAP_SYS_ADMIN.', '',
    '| unit | exposure | goal | user |', '| --- | --- | --- | --- |', ...rows, ''
  ]
}

function analyze (root: string, ...args: string[]): string {
  const command = values.tree === undefined ? ['systemd-analyze'] : [join(project, 'os-image/in-builder.sh'), `--bind=${root}`, '--', 'systemd-analyze']
  return spawnSync(command[0]!, [...command.slice(1), ...args], { encoding: 'utf8' }).stdout
}

function version (): string {
  return /systemd (\d+)/.exec(analyze(values.tree ?? '/', '--version'))?.[1] ?? 'unknown'
}

function judged (names: readonly string[]): { unit: string, exposure: number }[] {
  let root = values.tree
  if (root === undefined) {
    root = mkdtempSync(join(tmpdir(), 'drimbox-hardening-'))
    cpSync(join(rootfs, 'usr'), join(root, 'usr'), { recursive: true })
    for (const name of ['mender-authd', 'mender-updated']) writeFileSync(join(root, 'usr/lib/systemd/system', `${name}.service`), '[Service]\nUser=root\nExecStart=/usr/bin/mender\n')
  }
  const folder = root
  try {
    return names.map(unit => ({ unit, exposure: Number(/Overall exposure level for [^:]+: ([\d.]+)/.exec(analyze(folder, 'security', '--offline=true', '--no-pager', `--root=${folder}`, unit))?.[1] ?? NaN) }))
  } finally {
    if (values.tree === undefined) rmSync(folder, { recursive: true })
  }
}

function userOf (unit: string): string {
  const path = join(units, unit)
  return (existsSync(path) ? /^User=(.*)$/m.exec(readFileSync(path, 'utf8'))?.[1] : undefined) ?? (OTHERS.includes(unit) ? 'the distribution\'s' : 'root')
}

function sysctls (): string[] {
  const ours = ourSysctls()
  const others = ANSSI.filter(([, key, value]) => ours.get(key) !== value)
  for (const [rule, key] of others) if (OTHERWISE[key] === undefined) slips.push(`${rule} ${key}: ${ours.get(key) ?? 'not set'}, and no reason`)
  return [
    '## sysctl against ANSSI-BP-028', '',
    `Of ${ANSSI.length} values of R9 to R14, ${ANSSI.length - others.length} are as asked (\`usr/lib/sysctl.d/50-drimbox.conf\`). The others:`, '',
    '| rule | key | asked | here | why |', '| --- | --- | --- | --- | --- |',
    ...others.map(([rule, key, value]) => `| ${rule} | \`${key}\` | ${value} | ${ours.get(key) ?? '–'} | ${OTHERWISE[key] ?? ''} |`), ''
  ]
}

function ourSysctls (): Map<string, string> {
  const text = readFileSync(join(rootfs, 'usr/lib/sysctl.d/50-drimbox.conf'), 'utf8')
  return new Map([...text.matchAll(/^([a-z][\w./-]*)\s*=\s*(.*?)\s*$/gm)].map(([, key, value]) => [key!, value!]))
}

function kernel (title: string, config: string | undefined, reasons: readonly Reason[]): string[] | undefined {
  if (values.checker === undefined || config === undefined || values.cmdline === undefined) return undefined
  const folder = mkdtempSync(join(tmpdir(), 'drimbox-hardening-'))
  const file = join(folder, 'sysctl')
  writeFileSync(file, [...ourSysctls()].map(([key, value]) => `${key} = ${value}\n`).join(''))
  const { stdout, stderr } = spawnSync(values.checker, ['-m', 'json', '-c', config, '-l', values.cmdline, '-s', file], { encoding: 'utf8', maxBuffer: 1 << 26 })
  rmSync(folder, { recursive: true })
  const start = stdout.indexOf('[{')
  if (start < 0) throw new Error(`${values.checker}: ${stdout}${stderr}`)
  const checks = JSON.parse(stdout.slice(start)) as { option_name: string, type: string, desired_val: string, check_result: string, check_result_bool: boolean }[]
  const deviations: Deviation[] = checks.filter(({ check_result_bool: good }) => !good).map(({ option_name: name, type, desired_val: wanted, check_result: result }) => ({ name, type, wanted, found: /"(.*)"/.exec(result)?.[1] ?? result }))
  const { families, unexplained } = explained(deviations, reasons)
  for (const { name, wanted, found } of unexplained) slips.push(`${name}: ${found}, wanted ${wanted}, and no reason (scripts/hardening/deviations.ts)`)
  return [
    `## ${title}`, '',
    `kernel-hardening-checker (KSPP, grsecurity, CLIP OS, GrapheneOS and its own) on ${config.replace(/.*\//, '')}, our command line and our sysctls:`,
    `${checks.length - deviations.length} of ${checks.length} as it wishes. The others, by reason:`, '',
    ...families.flatMap(({ why, names }) => [`- ${why}`, `  ${names.map(name => `\`${name}\``).join(', ')}.`]), ''
  ]
}

function tree (): string[] | undefined {
  if (values.tree === undefined) return undefined
  const root = values.tree
  const interpreters = new Map<string, number>()
  let [files, bytes, setUid, open] = [0, 0, 0, 0]
  for (const path of below(root)) {
    const { mode, size } = lstatSync(path)
    const kind = mode & 0o170000
    if ((mode & 0o002) !== 0 && (mode & 0o1000) === 0 && kind !== 0o020000) open++
    if (kind !== 0o100000) continue
    files++
    bytes += size
    if ((mode & 0o6000) !== 0) setUid++
    if ((mode & 0o111) !== 0) {
      const line = firstLine(path)
      const interpreter = /^#! ?(\S+)(?: (\S+))?/.exec(line)
      if (interpreter !== null) {
        const program = interpreter[1]!.endsWith('/env') ? interpreter[2]! : interpreter[1]!
        interpreters.set(program, (interpreters.get(program) ?? 0) + 1)
      }
    }
  }
  const has = (program: string): boolean => ['usr/bin', 'usr/sbin'].some(folder => existsSync(join(root, folder, program)))
  const wanted = ['node', 'dash', 'mawk']
  const unwanted = ['bash', 'busybox', 'perl', 'python3', 'ruby', 'lua', 'tclsh', 'apt', 'dpkg', 'gcc', 'ld', 'su', 'sudo', 'login', 'sshd', 'nc', 'curl', 'wget', 'gdb', 'strace', 'tcpdump'].filter(has)
  for (const program of unwanted) slips.push(`${program} is in the tree`)
  if (setUid > 0 || open > 0) slips.push(`${setUid} set-uid files, ${open} that everyone may write`)
  return [
    '## Root tree', '',
    `${files} files, ${Math.round(bytes / 1e6)} MB before compression. Set-uid or set-gid: ${setUid}. Writable by everyone: ${open}.`,
    `Interpreters: ${wanted.filter(has).map(name => `\`${name}\``).join(', ')} (the gateway; the boot scripts, which have no other shell; fields of tables in these). No other, no`,
    'package manager, no compiler, no log-in, no SSH.', '',
    '| scripts of | files |', '| --- | --- |',
    ...[...interpreters].sort().map(([name, count]) => `| \`${name}\` | ${count} |`), ''
  ]
}

function lynis (): string[] | undefined {
  if (values.lynis === undefined) return undefined
  const report = readFileSync(values.lynis, 'utf8')
  const findings = findingsOf(report)
  for (const { test, text } of unexplained(findings)) slips.push(`Lynis ${test}: ${text}, and no reason (scripts/hardening/lynis.ts)`)
  return [
    '## Lynis in the running machine', '',
    `Lynis ${/^lynis_version=(.*)$/m.exec(report)?.[1] ?? 'unknown'} as root, ${/^lynis_tests_done=(\d+)/m.exec(report)?.[1] ?? '?'} tests, ${findings.length} findings, ${findings.filter(({ kind }) => kind === 'warning').length} of them told as a warning;`,
    `hardening index ${indexOf(report)}. It takes the machine for a server that is administered; each finding, and why it stays so:`, '',
    '| finding | what | why |', '| --- | --- | --- |',
    ...findings.map(({ kind, test, text }) => `| ${test}${kind === 'warning' ? ' (warning)' : ''} | ${text} | ${REASONS[test] ?? ''} |`), ''
  ]
}

/** Everything below a folder but links, which may lead out of it. */
function * below (folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name)
    if (entry.isSymbolicLink()) continue
    yield path
    if (entry.isDirectory()) yield * below(path)
  }
}

function firstLine (path: string): string {
  const descriptor = openSync(path, 'r')
  const head = Buffer.alloc(128)
  const length = readSync(descriptor, head, 0, head.length, 0)
  closeSync(descriptor)
  return head.toString('latin1', 0, length).split('\n')[0]!
}
