/**
 * Stand-ins for the systems around a box.
 *
 *     node src/sim.ts demo [--pacs=AETITLE@host:port] [--http-port=N] [--dimse-port=N] [--title=AETITLE] [--folder=var/demo]
 *     node src/sim.ts pacs [--port=N] [--aet=SIMPACS] --destination=AETITLE@host:port
 */

import { parseArgs } from 'node:util'
import { openHospital } from '#sim/hospital.ts'
import { parseNode } from '#sim/node-address.ts'
import { startPacs } from '#sim/pacs.ts'

const { positionals: [verb], values } = parseArgs({
  allowPositionals: true,
  options: {
    pacs: { type: 'string' },
    'http-port': { type: 'string', default: '0' },
    'dimse-port': { type: 'string', default: '0' },
    title: { type: 'string', default: 'DRIMBOX' },
    folder: { type: 'string', default: 'var/demo' },
    port: { type: 'string', default: '0' },
    aet: { type: 'string', default: 'SIMPACS' },
    destination: { type: 'string', multiple: true, default: [] },
    help: { type: 'boolean', default: false }
  }
})

function whenTold (close: () => Promise<void>): void {
  const stop = (): void => { void close().then(() => { process.exit(process.exitCode ?? 0) }) }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, stop)
}

if (values.help || (verb !== 'demo' && verb !== 'pacs')) {
  console.log('node src/sim.ts demo|pacs   (see the head of the file)')
  process.exitCode = values.help ? 0 : 2
} else if (verb === 'demo') {
  // Told to stop while it is still starting, it must leave nothing behind either.
  const left = new AbortController()
  const hospital = openHospital({
    pacs: values.pacs === undefined || values.pacs === '' ? undefined : parseNode(values.pacs),
    httpPort: Number(values['http-port']),
    dimsePort: Number(values['dimse-port']),
    aeTitle: values.title,
    folder: values.folder,
    signal: left.signal
  })
  whenTold(async () => {
    left.abort()
    await (await hospital.catch(() => undefined))?.close()
  })
  hospital.then(({ broken }) => broken).then(why => {
    console.error(why)
    process.exitCode = 1
    process.kill(process.pid, 'SIGTERM')
  }, error => {
    if (!left.signal.aborted) console.error(error instanceof Error ? error.message : error)
    process.exitCode = 1
  })
} else {
  const destinations = new Map(values.destination.map(text => {
    const { aeTitle, host, port } = parseNode(text)
    return [aeTitle, { host, port }]
  }))
  const pacs = await startPacs({ aeTitle: values.aet, port: Number(values.port), destinations, log: line => { console.log(line) } })
  console.log(`${pacs.aeTitle}@${pacs.host}:${pacs.port}`)
  whenTold(async () => { await pacs.close() })
}
