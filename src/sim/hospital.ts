/**
 * A hospital on a desk: one box, and a PACS around it, simulated unless a real one is named.
 *
 * The box is the real program in a process of its own; everything here ends with it.
 */

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { NODE_ENVIRONMENT, NODE_FLAGS } from '#core/runtime.ts'
import { curls } from './curls.ts'
import type { NodeAddress } from './node-address.ts'
import { startPacs, type SimulatedPacs } from './pacs.ts'

export interface HospitalOptions {
  /** A real PACS instead of the simulated one. */
  readonly pacs?: NodeAddress
  /** 0 takes a free one. */
  readonly httpPort: number
  readonly dimsePort: number
  /** The box's. */
  readonly aeTitle: string
  /** Where settings, packs and addresses are written; emptied first. */
  readonly folder: string
  readonly signal: AbortSignal
  readonly say?: (line: string) => void
}

export interface Hospital {
  readonly endpoints: Endpoints
  /** Resolves, with the cause in words, if the box ends by itself. */
  readonly broken: Promise<string>
  close (): Promise<void>
}

/** What `endpoints.json` says: all that a script needs to drive the demo. */
export interface Endpoints {
  readonly dicomweb: string
  readonly dimse: { readonly aeTitle: string, readonly port: number }
  readonly pacs: NodeAddress & { readonly simulated: boolean }
  readonly adminSocket: string
  readonly config: string
  readonly studies: readonly { readonly studyUid: string, readonly patientName: string, readonly modality: string, readonly instances: number }[]
}

/** The demo's packs may take this much: the generated hospital is a tenth of it. */
const CACHE_BYTES = 5 * 2 ** 30
/** A UNIX socket's path has room for no more (sun_path, less its end). */
const SOCKET_PATH_MAX = 107

export async function openHospital (options: HospitalOptions): Promise<Hospital> {
  const { say = console.log, aeTitle, signal } = options
  const folder = resolve(options.folder)
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  let boxPort = options.dimsePort
  let simulated: SimulatedPacs | undefined
  let box: ChildProcess | undefined
  let closing = false
  const close = async (): Promise<void> => {
    closing = true
    await end(box)
    await simulated?.close()
    await rm(join(folder, 'endpoints.json'), { force: true })
  }
  try {
    if (options.pacs === undefined) {
      say('[1/3] simulated PACS: French names, CT of 1300 images, MR, CR, mammography, ultrasound, report …')
      simulated = await startPacs({ destinations: title => title === aeTitle ? { host: '127.0.0.1', port: boxPort } : undefined })
    } else {
      say(`[1/3] real PACS: ${options.pacs.aeTitle} at ${options.pacs.host}:${options.pacs.port}`)
    }
    const pacs: NodeAddress = options.pacs ?? { aeTitle: (simulated as SimulatedPacs).aeTitle, host: '127.0.0.1', port: (simulated as SimulatedPacs).port }
    say('[2/3] the box: DIMSE on one side, DICOMweb on the other …')
    const config = join(folder, 'config.json')
    const socket = join(folder, 'admin.sock')
    const adminSocket = socket.length > SOCKET_PATH_MAX ? join('/tmp', `drimbox-${process.pid}.sock`) : socket
    const settings = (dimsePort: number, httpPort: number): string => JSON.stringify({
      pacs: { host: pacs.host, port: pacs.port, calledTitle: pacs.aeTitle },
      dimse: { aeTitle, port: dimsePort },
      http: { port: httpPort },
      cache: { folder: join(folder, 'cache'), bytesMax: CACHE_BYTES },
      adminSocket
    }, undefined, 2)
    await writeFile(config, settings(options.dimsePort, options.httpPort))
    signal.throwIfAborted()
    box = spawn(process.execPath, [...NODE_FLAGS, join(import.meta.dirname, '../drimbox.ts'), `--config=${config}`], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...NODE_ENVIRONMENT } })
    const opened = await untilOpen(box, join(folder, 'box.log'))
    boxPort = opened.dimsePort
    // The ports that it got: the command line reads the same settings.
    await writeFile(config, settings(boxPort, Number(new URL(opened.dicomweb).port)))
    const endpoints: Endpoints = {
      dicomweb: opened.dicomweb,
      dimse: { aeTitle, port: boxPort },
      pacs: { ...pacs, simulated: simulated !== undefined },
      adminSocket,
      config,
      studies: simulated?.studies.map(({ studyUid, patientName, modality, series }) => ({
        studyUid, patientName, modality, instances: series.reduce((sum, { instances }) => sum + instances.length, 0)
      })) ?? []
    }
    await writeFile(join(folder, 'endpoints.json'), JSON.stringify(endpoints, undefined, 2) + '\n')
    say('[3/3] open\n')
    say(curls(endpoints))
    say(`\n  ${join(options.folder, 'endpoints.json')} says the same to a script; ${join(options.folder, 'box.log')} is the box's log. Ctrl-C ends everything.`)
    const broken = Promise.withResolvers<string>()
    box.once('exit', (code, by) => {
      if (!closing) broken.resolve(`the box ended by itself (${code ?? by}); its log: ${join(folder, 'box.log')}`)
    })
    return { endpoints, close, broken: broken.promise }
  } catch (error) {
    await close()
    throw error
  }
}

/** Keeps the log, and waits for the line that says where the box listens. */
async function untilOpen (box: ChildProcess, logFile: string): Promise<{ dicomweb: string, dimsePort: number }> {
  const lines: string[] = []
  let opened = false
  return await new Promise((resolve, reject) => {
    createInterface({ input: box.stdout! }).on('line', line => {
      lines.push(line)
      void writeFile(logFile, line + '\n', { flag: 'a' })
      if (opened) return
      const { dicomweb, dimsePort } = JSON.parse(line) as { dicomweb?: string, dimsePort?: number }
      if (dicomweb === undefined || dimsePort === undefined) return
      opened = true
      resolve({ dicomweb, dimsePort })
    })
    box.once('error', reject)
    box.once('exit', code => { reject(new Error(`the box could not open (exit ${code})\n${lines.join('\n')}`)) })
  })
}

/** The box closes in order; one that doesn't is killed. */
async function end (box: ChildProcess | undefined): Promise<void> {
  if (box === undefined || box.exitCode !== null || box.signalCode !== null) return
  const ended = once(box, 'exit')
  box.kill('SIGTERM')
  const timer = setTimeout(() => { box.kill('SIGKILL') }, CLOSE_MS)
  await ended
  clearTimeout(timer)
}

/** Longer than the box takes to settle what it was receiving. */
const CLOSE_MS = 15_000
