/**
 * Our receiver alone, as a process: the listening side and the packs of the box, and nobody who asks.
 *
 *     node scripts/bench/receivers/pack.ts --folder=DIR --port=N [--host=ADDRESS]
 *
 * Whatever comes is claimed. When the association ends, its packs settle as they do after a retrieve.
 */

import { parseArgs } from 'node:util'
import { Cache } from '#box/cache/cache.ts'
import type { Pack } from '#box/cache/pack.ts'
import type { Stored } from '#box/cache/stored.ts'
import { receiver } from '#box/pacs/receive.ts'
import { RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { listen } from '#standards/dimse/server.ts'

const { values } = parseArgs({ options: { folder: { type: 'string', default: '' }, host: { type: 'string', default: '127.0.0.1' }, port: { type: 'string', default: '0' } } })

const cache = await Cache.open({ folder: values.folder, bytesMax: 2 ** 40, ageSecondsMax: 86_400, diskFreeBytesMin: 0 })
const packs = new Map<string, { pack: Pack, hold: Disposable }>()

/** One thing after the other: nothing is emptied that hasn't settled. */
let settled = Promise.resolve()

const scp = await listen({
  host: values.host,
  port: Number(values.port),
  titles: ['PACK'],
  admit: () => 'accept',
  transferSyntaxes: RECEIVED_SYNTAXES,
  abstractSyntaxes: new Set(STORAGE_CLASSES.keys()),
  onStore: receiver({
    claim: (studyUid, seriesUid) => {
      let filling = packs.get(seriesUid)
      if (filling === undefined) {
        const pack = cache.fill(studyUid, seriesUid)
        packs.set(seriesUid, filling = { pack, hold: pack.use() })
      }
      return {
        pack: filling.pack,
        land: async write => {
          landed(await write())
          return true
        },
        landNow: write => {
          const stored = write()
          if (stored !== undefined) landed(stored)
          return stored !== undefined
        }
      }
    },
    makeRoom: async () => { await cache.makeRoom() },
    onRefused: facts => { console.error('refused', facts) }
  }),
  onEvent: event => {
    if (event.type === 'released' || event.type === 'ended') settled = settled.then(settle)
  }
})
function landed (stored: Stored): void {
  cache.arrived(stored.length)
}

async function settle (): Promise<void> {
  const filled = [...packs.values()]
  packs.clear()
  for (const { pack, hold } of filled) {
    const held = pack.instances.size
    await cache.settle(pack, { state: 'complete', held, expected: held })
    hold[Symbol.dispose]()
  }
  console.log('settled')
}

// The bench empties it between two rounds.
process.on('SIGUSR2', () => {
  settled = settled.then(async () => {
    for (const { studyUid } of cache.list()) await cache.purge(studyUid)
    console.log('emptied')
  })
})
process.on('SIGTERM', () => {
  void scp.close().then(async () => {
    await cache.close()
    process.exit(0)
  })
})
console.log(`listening on ${scp.port}`)
