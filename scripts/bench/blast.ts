/**
 * A sender that never waits: a whole C-STORE-RQ in one write, the next one as soon as the answer to
 * the last is there. The same for every receiver, so that only the receivers differ.
 *
 * Source: DICOM PS3.7 §9.1.1, PS3.8 §9.3. Everything is read and cut into PDUs before the clock starts.
 */

import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { APPLICATION_CONTEXT, decodeAssociateAccept, encodeAssociateRequest, PROTOCOL_VERSION } from '#standards/dimse/associate.ts'
import { COMMAND, DATA_SET, decodeCommand } from '#standards/dimse/command.ts'
import { encodeMessage } from '#standards/dimse/message.ts'
import { encodeReleaseRequest, PDU, PDU_HEADER_BYTES, PDV_HEADER_BYTES } from '#standards/dimse/pdu.ts'
import type { Sample } from './data.ts'
import type { Place } from './network/own-network.ts'

/** Longest PDU that we send, to a receiver who takes any. */
const PDU_BYTES_MAX = 131072
const CONTEXT = 1

/** The messages of a sample, by the longest PDU that the receiver takes. */
const prepared = new Map<Sample, Map<number, Promise<Buffer[]>>>()

/** @returns seconds from the first byte of the first object to the answer to the last */
export async function blast (sample: Sample, { host, port }: Place, calledTitle: string, callingTitle = 'BENCH'): Promise<number> {
  const socket = connect({ host, port, noDelay: true })
  await once(socket, 'connect')
  const replies = new Replies(socket)
  try {
    const { sopClassUid, transferSyntaxUid } = sample.files[0]!
    socket.write(encodeAssociateRequest({
      protocolVersion: PROTOCOL_VERSION,
      calledTitle,
      callingTitle,
      applicationContext: APPLICATION_CONTEXT,
      contexts: [{ id: CONTEXT, abstractSyntax: sopClassUid, transferSyntaxes: [transferSyntaxUid] }],
      userInformation: { pduBytesMax: PDU_BYTES_MAX, implementationClassUid: '2.25.1', roles: [], extended: [] }
    }))
    const accept = decodeAssociateAccept(await replies.next(PDU.associateAc))
    if (accept.contexts[0]?.result !== 0) throw new Error('the receiver does not take these objects')
    const messages = await messagesOf(sample, Math.min(accept.userInformation.pduBytesMax || PDU_BYTES_MAX, PDU_BYTES_MAX))
    const from = performance.now()
    for (const message of messages) {
      const answered = replies.next(PDU.data)
      socket.write(message)
      const { Status } = decodeCommand((await answered).subarray(PDV_HEADER_BYTES))
      if (Status !== 0) throw new Error(`the receiver answered with status ${Status}`)
    }
    const seconds = (performance.now() - from) / 1000
    socket.write(encodeReleaseRequest())
    await replies.next(PDU.releaseRp)
    return seconds
  } finally {
    socket.destroy()
  }
}

async function messagesOf (sample: Sample, pduBytesMax: number): Promise<Buffer[]> {
  let byLength = prepared.get(sample)
  if (byLength === undefined) prepared.set(sample, byLength = new Map())
  let messages = byLength.get(pduBytesMax)
  if (messages === undefined) byLength.set(pduBytesMax, messages = prepare(sample, pduBytesMax))
  return await messages
}

async function prepare ({ files }: Sample, pduBytesMax: number): Promise<Buffer[]> {
  const messages: Buffer[] = []
  for (const [index, file] of files.entries()) {
    const bytes = await readFile(file.path)
    messages.push(encodeMessage(CONTEXT, {
      AffectedSOPClassUID: file.sopClassUid,
      CommandField: COMMAND.store,
      MessageID: index + 1,
      Priority: 0,
      CommandDataSetType: DATA_SET,
      AffectedSOPInstanceUID: file.sopInstanceUid
    }, bytes.subarray(file.datasetOffset), pduBytesMax))
  }
  return messages
}

/** One PDU at a time, as they are answered. */
class Replies {
  #bytes: Buffer = Buffer.alloc(0)
  #waiting: { type: number, resolve: (body: Buffer) => void, reject: (error: Error) => void } | undefined

  constructor (socket: Socket) {
    socket.on('data', (chunk: Buffer) => {
      this.#bytes = this.#bytes.length === 0 ? chunk : Buffer.concat([this.#bytes, chunk])
      this.#look()
    })
    socket.on('error', error => { this.#waiting?.reject(error) })
    socket.on('close', () => { this.#waiting?.reject(new Error('the receiver closed the connection')) })
  }

  async next (type: number): Promise<Buffer> {
    return await new Promise((resolve, reject) => {
      this.#waiting = { type, resolve, reject }
      this.#look()
    })
  }

  #look (): void {
    if (this.#waiting === undefined || this.#bytes.length < PDU_HEADER_BYTES) return
    const end = PDU_HEADER_BYTES + this.#bytes.readUInt32BE(2)
    if (this.#bytes.length < end) return
    const body = this.#bytes.subarray(PDU_HEADER_BYTES, end)
    const { type, resolve, reject } = this.#waiting
    this.#waiting = undefined
    if (this.#bytes[0] === type) resolve(body)
    else reject(new Error(`the receiver answered with a PDU of type ${this.#bytes[0]}`))
    this.#bytes = this.#bytes.subarray(end)
  }
}
