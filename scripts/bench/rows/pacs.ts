/** The PACS itself, by the same program that a site runs: `drimbox bench pacs` (DB.SO.102). */

import { parseConfig } from '#box/config.ts'
import { measurePacs } from '#cli/bench/measure-pacs.ts'
import type { PacsPeer } from '../peers/orthanc.ts'
import { quiet } from '../quiet.ts'
import { rounds, type Variant } from '../rounds.ts'
import type { Row } from '../row.ts'
import { SLOTS } from '../site.ts'

const SECONDS_MAX = 120

export const pacs: Row = {
  name: 'pacs',
  title: 'The PACS alone (DB.SO.102): `drimbox bench pacs`',
  async measure (bench) {
    const site = await bench.site()
    const ct = await bench.data.ct()
    const study = {
      studyUid: ct.studyUid,
      instances: new Map(ct.files.map(({ seriesUid, sopInstanceUid, sopClassUid }) => [sopInstanceUid, { seriesUid, sopInstanceUid, sopClassUid }]))
    }
    const variant = (name: string, peer: PacsPeer, associations: number): Variant => ({
      name: `${name}, ${associations} association${associations === 1 ? '' : 's'}`,
      before: async () => { await quiet(peer.pid) },
      async run () {
        const config = parseConfig({
          pacs: { host: peer.host, port: peer.port, calledTitle: peer.title, associationsMax: SLOTS },
          dimse: { aeTitle: site.measurer.title, host: '127.0.0.1', port: site.measurer.port },
          cache: { folder: '.' }
        })
        const { instances, expected, milliseconds, firstImageMilliseconds, megabitsPerSecond } = await measurePacs(config, study, { method: 'move', associations, secondsMax: SECONDS_MAX, signal: new AbortController().signal })
        if (instances < expected) throw new Error(`${instances} of ${expected} images came`)
        return { seconds: milliseconds / 1000, firstByteMs: firstImageMilliseconds, megabitsPerSecond }
      }
    })
    const peers = [['Orthanc', await site.orthanc()], ['dcmqrscp', await site.dcmqrscp()]] as const
    const { variants, marked } = await rounds(peers.flatMap(([name, peer]) => [variant(name, peer, 1), variant(name, peer, SLOTS)]), bench.rounds, bench.tell)
    return {
      about: `C-MOVE of the study to a receiver that counts and drops: what the PACS can give at most. First byte: the first image, whole. With ${SLOTS} associations its series are shared among them.`,
      variants,
      marked,
      goals: [],
      notes: [],
      charts: [{ figure: 'megabitsPerSecond', ours: [] }]
    }
  }
}
