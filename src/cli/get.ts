/**
 * `drimbox get STUDY [SERIES]`: brings what the PACS has as Part 10 files, and counts.
 *
 * Asks by C-FIND what there is, so that every object is expected by name: what nobody asked for is refused, what
 * doesn't come is missed. Source: DICOM PS3.4 §C.4.2, §C.4.3.
 */

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { STORE_STATUS } from '#box/pacs/receive.ts'
import { Senders } from '#box/pacs/senders.ts'
import { RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import type { Config } from '#box/config.ts'
import { CapacityError, PeerError, RequestError } from '#core/errors.ts'
import { parseUid } from '#core/uid.ts'
import { withAssociation } from '#standards/dimse/association.ts'
import { get } from '#standards/dimse/get.ts'
import { move } from '#standards/dimse/move.ts'
import type { MoveResult } from '#standards/dimse/query-retrieve.ts'
import { STATUS, statusText } from '#standards/dimse/status.ts'
import type { StoreHandler } from '#standards/dimse/store-provider.ts'
import { inventory } from './inventory.ts'
import { listenForPacs } from './listen-for-pacs.ts'
import { ObjectFile } from './object-file.ts'
import { assertCount, choice, readOptions } from './options.ts'
import { GET_PROPOSAL, MOVE_PROPOSAL, portion, type InstanceFound } from './questions.ts'
import { PACS_OPTIONS, peerOf, settingsOf, timersOf } from './settings.ts'
import { storeProposals } from './store-proposals.ts'
import { EXIT, type Terminal, type Verb } from './terminal.ts'

export const getVerb: Verb = async (args, terminal) => {
  const { words } = terminal
  const given = readOptions(args, { ...PACS_OPTIONS, method: 'text', into: 'text', json: 'flag' }, words)
  assertCount(given, 1, 2, words)
  const study = parseUid(given.positionals[0]!)
  const series = given.positionals[1] === undefined ? undefined : parseUid(given.positionals[1])
  const asked = choice(given, 'method', ['move', 'get'] as const, words)
  const config = await settingsOf(given, words)
  const folder = given.text('into') ?? study
  const expected = await inventory(config, study, series, { signal: terminal.signal, onFound: count => { terminal.progress(words.get.counting(count)) } })
  if (expected.size === 0) throw new RequestError(series === undefined ? 'STUDY_UNKNOWN' : 'SERIES_UNKNOWN', 'the PACS has nothing of it', { facts: { study, series } })
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (error) {
    throw new CapacityError('STORE_FAILED', 'the folder could not be made', { cause: error, facts: { folder } })
  }

  const came = new Map<string, number>()
  const arriving = new Set<string>()
  const began = performance.now()
  const onStore: StoreHandler = (request, flow) => {
    const { sopInstanceUid } = request
    if (!expected.has(sopInstanceUid)) return STORE_STATUS.notAuthorized
    // It came twice: the first one stays.
    if (came.has(sopInstanceUid) || arriving.has(sopInstanceUid)) return STATUS.success
    arriving.add(sopInstanceUid)
    return new ObjectFile(join(folder, `${sopInstanceUid}.dcm`), request, flow, bytes => {
      arriving.delete(sopInstanceUid)
      if (bytes === undefined) return
      came.set(sopInstanceUid, bytes)
      terminal.progress(words.get.progress(came.size, expected.size))
    })
  }
  const bring = (asked ?? config.pacs.method) === 'move' ? byMove : byGet
  const result = await bring(config, { study, series, expected, onStore }, terminal)
  terminal.progress(undefined)

  const summary = {
    folder,
    expected: expected.size,
    arrived: came.size,
    bytes: [...came.values()].reduce((sum, bytes) => sum + bytes, 0),
    milliseconds: Math.round(performance.now() - began),
    status: statusText(result.status)
  }
  terminal.out(given.flag('json') ? JSON.stringify({ ...summary, missing: [...expected.keys()].filter(uid => !came.has(uid)) }) : words.get.done(summary))
  if (came.size === expected.size) return EXIT.ok
  throw new PeerError('PACS_INCOMPLETE', `${came.size} of ${expected.size}`, { facts: { status: summary.status, comment: result.errorComment, failed: result.failed } })
}

interface Wanted {
  readonly study: string
  readonly series: string | undefined
  readonly expected: ReadonlyMap<string, InstanceFound>
  readonly onStore: StoreHandler
}

async function byMove (config: Config, { study, series, onStore }: Wanted, { signal }: Terminal): Promise<MoveResult> {
  const senders = new Senders(config.pacs)
  await senders.refresh()
  const scp = await listenForPacs(config, {
    admit: ({ callingTitle, address }) => senders.admits(callingTitle, address) ? 'accept' : 'calling-title-unknown',
    onStore
  })
  try {
    return await withAssociation(await peerOf(config), [MOVE_PROPOSAL], { signal, timers: timersOf(config) }, async association =>
      await move(association, { identifier: portion(study, series), destination: config.dimse.aeTitle, signal }))
  } finally {
    senders.close()
    await scp.close()
  }
}

async function byGet (config: Config, { study, series, expected, onStore }: Wanted, { signal }: Terminal): Promise<MoveResult> {
  const proposals = [GET_PROPOSAL, ...storeProposals([...expected.values()].map(({ sopClassUid }) => sopClassUid), RECEIVED_SYNTAXES)]
  return await withAssociation(await peerOf(config), proposals, { signal, timers: timersOf(config), onStore }, async association =>
    await get(association, { identifier: portion(study, series), signal }))
}
