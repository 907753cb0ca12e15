/** A disk at rest, changed from outside as a thief or bad luck would. */

import { execFile } from 'node:child_process'
import { open, rm } from 'node:fs/promises'
import { promisify } from 'node:util'

const run = promisify(execFile)
const SECTOR_BYTES = 512

interface Table { readonly partitiontable: { readonly partitions: readonly { readonly name?: string, readonly start: number, readonly size: number }[] } }

/** Changes a qcow2 disk through its raw form. */
async function asRaw (disk: string, change: (raw: string) => Promise<void>): Promise<void> {
  const raw = `${disk}.raw`
  await run('qemu-img', ['convert', '-O', 'raw', disk, raw])
  await change(raw)
  await rm(disk)
  await run('qemu-img', ['convert', '-O', 'qcow2', raw, disk])
  await rm(raw)
}

async function startOf (raw: string, label: string): Promise<number> {
  const { stdout } = await run('sfdisk', ['-J', raw])
  const partition = (JSON.parse(stdout) as Table).partitiontable.partitions.find(({ name }) => name === label)
  if (partition === undefined) throw new Error(`no partition ${label}`)
  return partition.start * SECTOR_BYTES
}

/** Flips the lowest bit of the superblock's first byte after its magic: read at every start. */
const IN_SUPERBLOCK = 1024 + 8

export async function flipByte (disk: string, label: string, offset: number = IN_SUPERBLOCK): Promise<void> {
  await asRaw(disk, async raw => {
    const file = await open(raw, 'r+')
    try {
      const position = await startOf(raw, label) + offset
      const byte = Buffer.alloc(1)
      await file.read(byte, 0, 1, position)
      byte[0] = (byte[0] ?? 0) ^ 1
      await file.write(byte, 0, 1, position)
    } finally {
      await file.close()
    }
  })
}

/** Lays files of this machine into the ESP: `{ '/EFI/Linux/drimbox_9.9.9+3.efi': path }`; undefined removes one. */
export async function changeEsp (disk: string, files: Readonly<Record<string, string | undefined>>): Promise<void> {
  await asRaw(disk, async raw => {
    const esp = `${raw}@@${await startOf(raw, 'esp')}`
    for (const [path, file] of Object.entries(files)) {
      if (file === undefined) await run('mdel', ['-i', esp, `::${path}`])
      else {
        const folders = path.split('/').slice(1, -1).map((_, depth, all) => `::/${all.slice(0, depth + 1).join('/')}`)
        for (const folder of folders) await run('mmd', ['-D', 's', '-i', esp, folder]).catch(() => {})
        await run('mcopy', ['-o', '-i', esp, file, `::${path}`])
      }
    }
  })
}
