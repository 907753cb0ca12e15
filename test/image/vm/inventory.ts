/** What a running machine must and must not have: asked inside it, for the tables of the issue and for docs. */

import type { Probe } from './probe.ts'

/** Words of one line each, empty lines left out. */
const lines = (text: string): string[] => text.split('\n').map(line => line.trim()).filter(line => line !== '')

export async function failedUnits (probe: Probe): Promise<string[]> {
  return lines(await probe.text('systemctl', 'list-units', '--failed', '--no-legend', '--plain')).map(line => line.split(' ')[0] ?? '')
}

/** Ports that listen beyond the loopback, as `tcp 443`. */
export async function listeners (probe: Probe): Promise<string[]> {
  const found: string[] = []
  for (const [protocol, file, state] of [['tcp', 'tcp', '0A'], ['tcp', 'tcp6', '0A'], ['udp', 'udp', '07'], ['udp', 'udp6', '07']] as const) {
    for (const line of lines(await probe.text('cat', `/proc/net/${file}`)).slice(1)) {
      const [, local = '', , word] = line.split(/\s+/)
      const [address = '', port = '0'] = local.split(':')
      const loopback = address.endsWith('7F') && address.length === 8 ? true : address === '00000000000000000000000001000000'
      if (word === state && !loopback) found.push(`${protocol} ${Number.parseInt(port, 16)}`)
    }
  }
  return [...new Set(found)].sort()
}

export async function setIdFiles (probe: Probe): Promise<string[]> {
  return lines((await probe.shell('find / -xdev -type f -perm /6000')).out)
}

/** Processes whose user is root, without the kernel's threads. */
export async function rootProcesses (probe: Probe): Promise<string[]> {
  // A kernel thread has no command line. Files of /proc have no size to ask for.
  const { out } = await probe.shell('for p in /proc/[0-9]*; do case $(sed -n "s/^Uid:[[:space:]]*//p" $p/status 2>/dev/null) in 0*) [ -z "$(tr -d "\\0" < $p/cmdline)" ] || cat $p/comm ;; esac; done')
  return [...new Set(lines(out))].sort()
}

export interface Memory {
  /** MemTotal − MemAvailable, in MiB. */
  readonly usedMiB: number
  /** Proportional set size of the test's own program, in MiB. */
  readonly probeMiB: number
}

export async function memory (probe: Probe): Promise<Memory> {
  const { out } = await probe.shell('cat /proc/meminfo; echo probe; grep -h ^Pss: /proc/$(systemctl show -p MainPID --value drimbox-probe)/smaps_rollup')
  const kib = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(out)?.[1] ?? Number.NaN)
  return { usedMiB: Math.round((kib('MemTotal') - kib('MemAvailable')) / 1024), probeMiB: Math.round(kib('Pss') / 1024) }
}
