/**
 * dcmjs-dimse as a receiver, one file for each instance.
 *
 *     node scripts/bench/receivers/dcmjs-dimse.ts --folder=DIR --port=N [--streaming]
 *
 * With `--streaming` its two hooks write each data set to its file as it comes; without, it goes
 * the way of the library's examples: the data set is parsed, then written by `toFile`.
 */

import { createWriteStream, type WriteStream } from 'node:fs'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import dimse from 'dcmjs-dimse'
import { encodePart10Head } from '#standards/dicom/part10.ts'

const { values } = parseArgs({ options: { folder: { type: 'string', default: '' }, port: { type: 'string', default: '0' }, streaming: { type: 'boolean', default: false } } })
const { constants, responses } = dimse

type CStoreRequest = InstanceType<typeof dimse.requests.CStoreRequest>

class Receiver extends dimse.Scp {
  override associationRequested (association: InstanceType<typeof dimse.association.Association>): void {
    for (const { context } of association.getPresentationContexts()) {
      context.setResult(constants.PresentationContextResult.Accept, context.getTransferSyntaxUids()[0])
    }
    this.sendAssociationAccept()
  }

  override associationReleaseRequested (): void {
    this.sendAssociationReleaseResponse()
  }

  override cStoreRequest (request: CStoreRequest, callback: (response: InstanceType<typeof responses.CStoreResponse>) => void): void {
    const response = responses.CStoreResponse.fromRequest(request)
    response.setStatus(constants.Status.Success)
    if (values.streaming) {
      callback(response)
      return
    }
    request.getDataset()!.toFile(join(values.folder, request.getAffectedSopInstanceUid()), () => { callback(response) })
  }
}

class StreamingReceiver extends Receiver {
  override createStoreWritableStream (context: InstanceType<typeof dimse.association.PresentationContext>, request: CStoreRequest): WriteStream {
    const sopInstanceUid = request.getAffectedSopInstanceUid()
    const file = createWriteStream(join(values.folder, sopInstanceUid))
    file.write(encodePart10Head({ sopClassUid: request.getAffectedSopClassUid(), sopInstanceUid, transferSyntaxUid: context.getAcceptedTransferSyntaxUid()! }))
    return file
  }

  override createDatasetFromStoreWritableStream (file: WriteStream, _context: unknown, callback: (dataset: InstanceType<typeof dimse.Dataset>) => void): void {
    file.end(() => { callback(undefined as unknown as InstanceType<typeof dimse.Dataset>) })
  }
}

dimse.log.setLevel('silent')
const server = new dimse.Server(values.streaming ? StreamingReceiver : Receiver)
server.listen(Number(values.port))
process.on('SIGTERM', () => {
  server.close()
  process.exit(0)
})
