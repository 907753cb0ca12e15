/**
 * What the kernel and the image say of the machine: release, slot, boot chain, memory, addresses.
 *
 * Source: UEFI 2.10 §3.3 (SecureBoot), systemd's Boot Loader Interface (LoaderEntrySelected),
 * kernel_lockdown(7). Each is `null` where it can't be found out; nothing here throws.
 */

import { readdir } from 'node:fs/promises'
import { networkInterfaces, uptime } from 'node:os'
import { join } from 'node:path'
import si from 'systeminformation'
import { readSmall, readSmallBytes } from './facts.ts'

/** /proc and /sys files of one line. */
const BYTES_MAX = 4096
const EFI_GLOBAL = '8be4df61-93ca-11d2-aa0d-00e098032b8c'
const EFI_LOADER = '4a67b082-0a4c-41cf-b6c7-440b29bb8c4f'

export interface Boot {
  readonly secureBoot: boolean | null
  /** none, integrity or confidentiality. */
  readonly lockdown: string | null
  /** The root file system is proven by the hash on the signed command line. */
  readonly verity: boolean
  /** File of the kernel image that the boot loader chose. */
  readonly entry: string | null
}

export interface Machine {
  readonly version: string | null
  readonly release: number | null
  readonly slot: 'a' | 'b' | null
  readonly boot: Boot
  readonly uptimeSeconds: number
  readonly memory: { readonly totalBytes: number, readonly availableBytes: number }
  readonly network: { readonly addresses: readonly string[] }
}

/** @param root before every path; empty on a box */
export async function readMachine (root: string): Promise<Machine> {
  const text = async (path: string): Promise<string | null> => {
    return await readSmall(join(root, '/', path), BYTES_MAX).then(found => found?.replace(/[\0\n]+$/, '') ?? null, () => null)
  }
  const commandLine = (await text('/proc/cmdline'))?.split(/\s+/) ?? []
  const value = (key: string): string | null => commandLine.find(word => word.startsWith(`${key}=`))?.slice(key.length + 1) ?? null
  const slot = await runningSlot(root)
  const release = Number((await text('/usr/lib/drimbox/release')) ?? Number.NaN)
  const memory = await si.mem()
  return {
    version: (await text('/usr/lib/drimbox/version')) ?? value('drimbox.version'),
    release: Number.isInteger(release) ? release : null,
    slot,
    boot: {
      secureBoot: await secureBoot(root),
      lockdown: /\[(\w+)\]/.exec((await text('/sys/kernel/security/lockdown')) ?? '')?.[1] ?? null,
      verity: slot !== null && /^[0-9a-f]{64}$/.test(value('drimbox.roothash') ?? ''),
      entry: await loaderEntry(root)
    },
    uptimeSeconds: Math.floor(Number.parseFloat((await text('/proc/uptime')) ?? '') || uptime()),
    memory: { totalBytes: memory.total, availableBytes: memory.available },
    network: { addresses: addresses() }
  }
}

/** The verified device stands on the partition of one slot: dm device → its partitions → their labels. */
async function runningSlot (root: string): Promise<'a' | 'b' | null> {
  const blocks = join(root, '/sys/class/block')
  const list = async (folder: string): Promise<string[]> => await readdir(folder).catch(() => [])
  for (const device of (await list(blocks)).filter(name => name.startsWith('dm-'))) {
    for (const part of await list(join(blocks, device, 'slaves'))) {
      const event = await readSmall(join(blocks, part, 'uevent'), BYTES_MAX).catch(() => undefined)
      const slot = /^PARTNAME=root-([ab])$/m.exec(event ?? '')?.[1]
      if (slot === 'a' || slot === 'b') return slot
    }
  }
  return null
}

/** The value of an EFI variable, behind its four bytes of attributes. */
async function efiVariable (root: string, name: string, vendor: string): Promise<Buffer | undefined> {
  const bytes = await readSmallBytes(join(root, '/sys/firmware/efi/efivars', `${name}-${vendor}`), BYTES_MAX).catch(() => undefined)
  return bytes === undefined || bytes.length < 5 ? undefined : bytes.subarray(4)
}

async function secureBoot (root: string): Promise<boolean | null> {
  const value = await efiVariable(root, 'SecureBoot', EFI_GLOBAL)
  return value === undefined ? null : value[0] === 1
}

async function loaderEntry (root: string): Promise<string | null> {
  const entry = (await efiVariable(root, 'LoaderEntrySelected', EFI_LOADER))?.toString('utf16le').replaceAll('\0', '')
  return entry !== undefined && /^[\w.+~-]{1,128}$/.test(entry) ? entry : null
}

/** Where a browser reaches it: not itself, and not the links that only a neighbour's cable sees. */
function addresses (): string[] {
  return Object.values(networkInterfaces()).flatMap(list => list ?? [])
    .filter(({ internal, address }) => !internal && !address.startsWith('fe80:'))
    .map(({ address }) => address)
}
