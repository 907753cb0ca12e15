/** Journeys with dcmjs-dimse, an engine that nobody here wrote, in both roles. */

import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import dcmjsDimse from 'dcmjs-dimse'
import { test } from 'tap'
import { openAssociation } from '#standards/dimse/association.ts'
import { VERIFICATION, echo } from '#standards/dimse/echo.ts'
import { find } from '#standards/dimse/find.ts'
import { move } from '#standards/dimse/move.ts'
import { QUERY_RETRIEVE } from '#standards/dimse/query-retrieve.ts'
import { store } from '#standards/dimse/store.ts'
import { decodeDataset } from '#standards/dicom/dataset.ts'
import { encodePart10Head } from '#standards/dicom/part10.ts'
import { CT_IMAGE_STORAGE, ctInstance } from '#test/fixtures/dataset.ts'
import { CT, EXPLICIT, IMPLICIT, testScp } from '#test/fixtures/dimse.ts'
import { freePort, temporaryFolder } from '#test/fixtures/peer.ts'

const { Client, Dataset, Scp, Server, constants, requests, responses } = dcmjsDimse
const { PresentationContextResult, Status } = constants

const SOP_INSTANCE_UID = '1.2.3.4.1.1.1'

class Opponent extends Scp {
  readonly stored: InstanceType<typeof requests.CStoreRequest>[] = []

  constructor (socket: Socket, options: ConstructorParameters<typeof Scp>[1]) {
    super(socket, options)
    opponents.push(this)
  }

  override associationRequested (association: Parameters<InstanceType<typeof Scp>['associationRequested']>[0]): void {
    for (const { id } of association.getPresentationContexts()) {
      const context = association.getPresentationContext(id)
      context.setResult(PresentationContextResult.Accept, context.getTransferSyntaxUids()[0])
    }
    this.sendAssociationAccept()
  }

  override cEchoRequest (request: InstanceType<typeof requests.CEchoRequest>, callback: (response: InstanceType<typeof responses.CEchoResponse>) => void): void {
    const response = responses.CEchoResponse.fromRequest(request)
    response.setStatus(Status.Success)
    callback(response)
  }

  override cFindRequest (request: InstanceType<typeof requests.CFindRequest>, callback: (answers: InstanceType<typeof responses.CFindResponse>[]) => void): void {
    const matches = ['LEFÈVRE^Hélène', 'NGUYỄN^Thị'].map(name => {
      const response = responses.CFindResponse.fromRequest(request)
      response.setDataset(new Dataset({ PatientName: name, StudyInstanceUID: '1.2.3', SpecificCharacterSet: 'ISO_IR 192' }))
      response.setStatus(Status.Pending)
      return response
    })
    const last = responses.CFindResponse.fromRequest(request)
    last.setStatus(Status.Success)
    callback([...matches, last])
  }

  override cMoveRequest (request: InstanceType<typeof requests.CMoveRequest>, callback: (answers: InstanceType<typeof responses.CMoveResponse>[]) => void): void {
    const pending = responses.CMoveResponse.fromRequest(request)
    pending.setStatus(Status.Pending)
    pending.setRemaining(1)
    pending.setCompleted(1)
    const last = responses.CMoveResponse.fromRequest(request)
    last.setStatus(0xb000)
    last.setCompleted(1)
    last.setFailures(1)
    callback([pending, last])
  }

  override cStoreRequest (request: InstanceType<typeof requests.CStoreRequest>, callback: (response: InstanceType<typeof responses.CStoreResponse>) => void): void {
    this.stored.push(request)
    const response = responses.CStoreResponse.fromRequest(request)
    response.setStatus(Status.Success)
    callback(response)
  }

  override associationReleaseRequested (): void {
    this.sendAssociationReleaseResponse()
  }
}

const opponents: Opponent[] = []

test('dcmjs-dimse echoes and stores to us', async t => {
  const folder = temporaryFolder(t)
  const scp = await testScp(t)
  const dataset = ctInstance({ sopInstanceUid: SOP_INSTANCE_UID })
  const file = join(folder, 'ct.dcm')
  writeFileSync(file, Buffer.concat([encodePart10Head({ sopClassUid: CT_IMAGE_STORAGE, sopInstanceUid: SOP_INSTANCE_UID, transferSyntaxUid: EXPLICIT }), dataset]))
  const client = new Client()
  const statuses: unknown[] = []
  for (const request of [new requests.CEchoRequest(), new requests.CStoreRequest(file)]) {
    request.on('response', (response: { getStatus (): number }) => { statuses.push(response.getStatus()) })
    client.addRequest(request)
  }
  const closed = once(client, 'closed')
  client.send('127.0.0.1', scp.port, 'DCMJS', 'BOX')
  await closed
  t.same(statuses, [0, 0])
  const [{ request, bytes } = t.fail('nothing stored') as never] = scp.stored
  t.match(request, { sopClassUid: CT, sopInstanceUid: SOP_INSTANCE_UID, peer: { title: 'DCMJS' } })
  // It writes data sets anew, so that the bytes are its own; what they mean must not change.
  t.match(decodeDataset(bytes, request.transferSyntaxUid), { '00080018': { Value: [SOP_INSTANCE_UID] }, '00100010': { Value: [{ Alphabetic: 'LEFÈVRE^Hélène' }] } })
  t.same(scp.events.map(({ type }) => type), ['accepted', 'released'])
})

test('we echo, find, move and store to dcmjs-dimse', async t => {
  const port = await freePort()
  const server = new Server(Opponent)
  server.listen(port)
  t.teardown(() => { server.close() })
  const association = await openAssociation({ host: '127.0.0.1', port, calledTitle: 'DCMJS', callingTitle: 'BOX' }, [
    { abstractSyntax: VERIFICATION, transferSyntaxes: [IMPLICIT] },
    { abstractSyntax: CT, transferSyntaxes: [EXPLICIT] },
    { abstractSyntax: QUERY_RETRIEVE.study.find, transferSyntaxes: [IMPLICIT] },
    { abstractSyntax: QUERY_RETRIEVE.study.move, transferSyntaxes: [IMPLICIT] }
  ])
  t.teardown(() => { association.abort() })
  await echo(association)
  const study = { '00080052': { vr: 'CS' as const, Value: ['STUDY'] }, '0020000D': { vr: 'UI' as const, Value: ['1.2.3'] } }
  t.match(await Array.fromAsync(find(association, study)), [
    { '00100010': { Value: [{ Alphabetic: 'LEFÈVRE^Hélène' }] } },
    { '00100010': { Value: [{ Alphabetic: 'NGUYỄN^Thị' }] } }
  ])
  t.match(await move(association, { identifier: study, destination: 'BOX' }), { status: 0xb000, completed: 1, failed: 1 })
  t.match(await store(association, { sopClassUid: CT, sopInstanceUid: SOP_INSTANCE_UID, transferSyntaxUid: EXPLICIT, dataset: ctInstance({ sopInstanceUid: SOP_INSTANCE_UID, pixelBytes: 16 * 20_000 }) }), { status: 0 })
  t.equal(opponents[0]!.stored[0]!.getDataset()!.getElement('PatientID'), 'IPP-0042')
  await association.release()
})
