import { readdir, writeFile } from 'node:fs/promises'
import { PassThrough } from 'node:stream'
import type { IncomingMessage } from 'node:http'
import { join } from 'node:path'
import { test } from 'tap'
import { Spool } from '#box/stow/spool.ts'
import { upload } from '#box/stow/upload.ts'
import { temporaryFolder } from '#test/fixtures/box.ts'

test('what waits has no name on the disk, is read back as it was, and gives its room back', async t => {
  const folder = join(await temporaryFolder(t), 'stow')
  const spool = new Spool({ folder, bytesMax: 4 << 20, diskFreeBytesMin: 0 })
  const file = await spool.open()
  const pieces = Array.from({ length: 5 }, (_, place) => Buffer.alloc(300_000 + place, place + 1))
  for (const piece of pieces) await file.write([piece])
  t.same(await readdir(folder), [], 'a power cut leaves nothing of a patient')
  t.equal(spool.bytes, pieces.reduce((sum, { length }) => sum + length, 0))
  for (const _ of [1, 2]) t.ok(Buffer.concat(await Array.fromAsync(file.read())).equals(Buffer.concat(pieces)), 'twice, should the PACS hang up the first time')
  await file.drop()
  await file.drop()
  t.equal(spool.bytes, 0)
})

test('too much, or too little left on the disk, is refused, and counted no longer', async t => {
  const folder = await temporaryFolder(t)
  const bounded = new Spool({ folder, bytesMax: 1000, diskFreeBytesMin: 0 })
  const file = await bounded.open()
  await file.write([Buffer.alloc(900)])
  await t.rejects(file.write([Buffer.alloc(200)]), { code: 'STORE_FULL' })
  t.equal(bounded.bytes, 900)
  await file.drop()
  t.equal(bounded.bytes, 0)
  const full = new Spool({ folder, bytesMax: 1 << 30, diskFreeBytesMin: Number.MAX_SAFE_INTEGER })
  const other = await full.open()
  await t.rejects(other.write([Buffer.alloc(10)]), { code: 'STORE_FULL' })
  await other.drop()
  t.equal(full.bytes, 0)
  await writeFile(join(folder, 'file'), '')
  await t.rejects(new Spool({ folder: join(folder, 'file', 'stow'), bytesMax: 1, diskFreeBytesMin: 0 }).open(), { code: 'STORE_FAILED' })
})

test('a caller who stops, or only drips, isn\'t waited for', async t => {
  const silent = new PassThrough()
  silent.write('some')
  const read = async (body: PassThrough): Promise<number> => {
    let bytes = 0
    for await (const chunk of upload(body as unknown as IncomingMessage, 50)) bytes += chunk.length
    return bytes
  }
  await t.rejects(read(silent), { code: 'DATA_MALFORMED' })
  const dripping = new PassThrough()
  const drip = setInterval(() => { dripping.write('.') }, 10)
  t.teardown(() => { clearInterval(drip) })
  await t.rejects(read(dripping), { code: 'DATA_MALFORMED' })
  const whole = new PassThrough()
  whole.end(Buffer.alloc(100_000))
  t.equal(await read(whole), 100_000)
  t.notOk(silent.destroyed, 'the answer still has to leave by its socket')
})
