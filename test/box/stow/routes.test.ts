import { once } from 'node:events'
import { request } from 'node:http'
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { test, type Test } from 'tap'
import type { DicomJson } from '#standards/dicom/json.ts'
import { STORAGE_CLASSES } from '#standards/dicom/sop-class.ts'
import { EXPLICIT_LE, IMPLICIT_LE, JPEG_LS_LOSSLESS } from '#standards/dicom/transfer-syntax.ts'
import { VERIFICATION } from '#standards/dimse/echo.ts'
import type { ScpOptions } from '#standards/dimse/server.ts'
import type { StoreRequest as Stored } from '#standards/dimse/store-provider.ts'
import { codeOf } from '#test/fixtures/answer.ts'
import { startBox, type TestBox } from '#test/fixtures/box.ts'
import { testScp, type TestScp } from '#test/fixtures/dimse.ts'
import { until } from '#test/fixtures/rooms.ts'
import { instancesOf, smallStudy } from '#test/fixtures/small-studies.ts'
import { filesOf, post, storeRequest, verdicts } from '#test/fixtures/store-request.ts'

const STUDY = smallStudy('stored', { series: [2, 1] })
const UIDS = instancesOf(STUDY)
const ALL_CLASSES = new Set([VERIFICATION, ...STORAGE_CLASSES.keys()])

interface Site { readonly box: TestBox, readonly pacs: TestScp, readonly url: string }

/** A box before a PACS that takes everything, unless told otherwise. */
async function site (t: Test, pacs: Partial<ScpOptions> = {}, stow: NonNullable<Parameters<typeof startBox>[2]>['stow'] = {}, wire?: Wire): Promise<Site> {
  const scp = await testScp(t, { titles: ['PACS'], abstractSyntaxes: ALL_CLASSES, transferSyntaxes: [EXPLICIT_LE, IMPLICIT_LE, JPEG_LS_LOSSLESS], ...pacs })
  const box = await startBox(t, { host: '127.0.0.1', port: await wire?.to(scp.port) ?? scp.port, aeTitle: 'PACS' }, { stow: { enabled: true, ...stow }, pacs: { connectSeconds: 2, responseSeconds: 2 } })
  return { box, pacs: scp, url: `${box.dicomweb}/studies` }
}

interface Wire {
  /** @returns the port to dial instead */
  to (port: number): Promise<number>
  cut (): void
}

/** A way to the PACS that can be cut, whatever both ends think. */
async function cuttableWire (t: Test): Promise<Wire> {
  const ends = new Set<Socket>()
  let target = 0
  const server = createServer(near => {
    const far = connect(target, '127.0.0.1')
    for (const end of [near, far]) {
      ends.add(end)
      end.on('error', () => {}).on('close', () => { ends.delete(end) })
    }
    near.pipe(far).pipe(near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const cut = (): void => { for (const end of ends) end.destroy() }
  t.teardown(() => {
    cut()
    server.close()
  })
  return {
    async to (port) {
      target = port
      return (server.address() as AddressInfo).port
    },
    cut
  }
}

/** A PACS that answers each C-STORE as `verdict` says. */
function answering (verdict: (sopInstanceUid: string, count: number) => number | Promise<number>): Partial<ScpOptions> {
  let count = 0
  return { onStore: ({ sopInstanceUid }: Stored) => ({ write () {}, end: () => verdict(sopInstanceUid, ++count), abort () {} }) }
}

const every = (value: number, uids: readonly string[] = UIDS): Record<string, number> => Object.fromEntries(uids.map(uid => [uid, value]))

test('objects go into the PACS byte for byte, on one association, and the answer says where each is', async t => {
  const { pacs, url, box } = await site(t)
  const files = await filesOf(STUDY)
  const answer = await post(url, storeRequest(files))
  t.equal(answer.status, 200)
  t.equal(answer.headers['content-type'], 'application/dicom+json')
  t.same(verdicts(answer), { stored: every(0), failed: {}, other: [] })
  const json = JSON.parse(answer.body.toString()) as DicomJson
  t.equal(json['00081190'].Value?.[0], `${url}/${STUDY.studyUid}`)
  const [first] = json['00081199'].Value as DicomJson[]
  t.equal(first['00081190'].Value?.[0], `${box.dicomweb}/studies/${STUDY.studyUid}/series/${STUDY.series[0].seriesUid}/instances/${STUDY.series[0].instances[0].sopInstanceUid}`)
  t.equal(first['00081150'].Value?.[0], '1.2.840.10008.5.1.4.1.1.2')
  t.equal(pacs.stored.length, 3)
  t.ok(pacs.stored.every(({ bytes }, place) => files[place].subarray(-bytes.length).equals(bytes)))
  t.equal(pacs.events.filter(({ type }) => type === 'accepted').length, 1)
  await until(() => pacs.associations === 0)
})

test('storing is off unless a setting says otherwise, and never on for other methods', async t => {
  const { url } = await site(t, {}, { enabled: false })
  const off = await post(url, storeRequest(await filesOf(STUDY)))
  t.equal(off.status, 501)
  t.equal(codeOf(off), 'NOT_OFFERED')
  t.match(off.body.toString(), /stow\.enabled/)
})

test('an object of another study than the path names is refused, the others are stored', async t => {
  const { url } = await site(t)
  const other = smallStudy('another', { series: [1] })
  const mixed = await post(`${url}/${STUDY.studyUid}`, storeRequest([...await filesOf(STUDY), ...await filesOf(other)]))
  t.equal(mixed.status, 202)
  t.same(verdicts(mixed), { stored: every(0), failed: every(0xA901, instancesOf(other)), other: [] })
  const none = await post(`${url}/${STUDY.studyUid}`, storeRequest(await filesOf(other)))
  t.equal(none.status, 409)
  t.same(verdicts(none).failed, every(0xA901, instancesOf(other)))
  t.equal((await post(`${url}/not-a-uid`, storeRequest(await filesOf(other)))).status, 400)
})

test('two studies at once have no common address', async t => {
  const { url } = await site(t)
  const other = smallStudy('another', { series: [1] })
  const answer = await post(url, storeRequest([...await filesOf(STUDY), ...await filesOf(other)]))
  t.equal(answer.status, 200)
  t.same((JSON.parse(answer.body.toString()) as DicomJson)['00081190'], { vr: 'UR' })
})

test('what the PACS answers is passed on: warnings, refusals, each with its instance', async t => {
  const [a, b, c] = (await filesOf(STUDY)).map((_, place) => STUDY.series.flatMap(({ instances }) => instances)[place].sopInstanceUid)
  const answers: Record<string, number> = { [a]: 0xB007, [b]: 0xA700, [c]: 0x0000 }
  const { url } = await site(t, answering(uid => answers[uid]))
  const answer = await post(url, storeRequest(await filesOf(STUDY)))
  t.equal(answer.status, 202)
  t.same(verdicts(answer), { stored: { [a]: 0xB007, [c]: 0 }, failed: { [b]: 0xA700 }, other: [] })
  for (const status of [0xA700, 0xA900, 0xC000, 0x0110, 0x0122, 0x0124]) {
    const { url } = await site(t, answering(() => status))
    const refused = await post(url, storeRequest(await filesOf(STUDY)))
    t.equal(refused.status, 409)
    t.same(verdicts(refused), { stored: {}, failed: every(status), other: [] })
  }
})

test('a PACS that doesn\'t take a class, or a transfer syntax, is never sent such an object', async t => {
  const classless = await site(t, { abstractSyntaxes: new Set([VERIFICATION]) })
  const first = await post(classless.url, storeRequest(await filesOf(STUDY)))
  t.equal(first.status, 409)
  t.same(verdicts(first).failed, every(0x0122))
  const { url, pacs } = await site(t, { transferSyntaxes: [IMPLICIT_LE] })
  const second = await post(url, storeRequest(await filesOf(STUDY)))
  t.equal(second.status, 409)
  t.same(verdicts(second).failed, every(0xC122))
  t.equal(pacs.stored.length, 0)
})

test('what a part lacks is told for that part; the others are stored', async t => {
  const { url, pacs } = await site(t)
  const [whole, cut, second] = await filesOf(STUDY)
  const answer = await post(url, storeRequest([Buffer.from('{"not":"DICOM"}'), cut.subarray(0, -100), whole, Buffer.alloc(0), second]))
  t.equal(answer.status, 202)
  t.same(Object.keys(verdicts(answer).stored).length, 2)
  t.same(Object.values(verdicts(answer).failed), [0xC000], 'an object cut on its way is known by its UID')
  t.same(verdicts(answer).other, [0xC000, 0xC000])
  t.equal(pacs.stored.length, 2, 'the PACS never saw half an object')
  const bad = await post(url, storeRequest([Buffer.from('nothing')]))
  t.equal(bad.status, 400)
  t.same(verdicts(bad).other, [0xC000])
  const json = await post(url, storeRequest([whole], 'application/dicom+json'))
  t.equal(json.status, 400)
})

test('the answer comes as XML to whoever wants that', async t => {
  const { url } = await site(t)
  const answer = await post(url, storeRequest(await filesOf(STUDY)), { accept: 'application/dicom+xml' })
  t.equal(answer.headers['content-type'], 'application/dicom+xml')
  const text = answer.body.toString()
  t.match(text, /<NativeDicomModel/)
  for (const uid of UIDS) t.ok(text.includes(`<Value number="1">${uid}</Value>`))
})

test('storing is among the capabilities where it is on, and only there', async t => {
  for (const enabled of [true, false]) {
    const { url, box } = await site(t, {}, { enabled })
    const options = await fetch(url, { method: 'OPTIONS' })
    t.equal(options.headers.get('allow')?.includes('POST'), enabled)
    const { paths } = await (await fetch(`${box.dicomweb}/openapi.json`)).json() as { paths: Record<string, object> }
    t.equal(Object.entries(paths).some(([path, methods]) => path.endsWith('/studies') && 'post' in methods), enabled)
  }
})

test('one object may come without multipart', async t => {
  const { url } = await site(t)
  const [file] = await filesOf(STUDY)
  const answer = await post(url, { type: 'application/dicom', body: file })
  t.equal(answer.status, 200)
  t.equal(Object.keys(verdicts(answer).stored).length, 1)
})

test('bodies of other types are refused by name before anything is read', async t => {
  const { url, pacs } = await site(t)
  for (const type of ['multipart/related; type="application/dicom+json"; boundary=x', 'multipart/related; type="application/dicom+xml"; boundary=x', 'application/json', 'text/plain', 'multipart/form-data; boundary=x']) {
    const answer = await post(url, { type, body: Buffer.from('--x--') })
    t.equal(answer.status, 415, type)
    t.equal(codeOf(answer), 'MEDIA_UNSUPPORTED')
    t.match(answer.body.toString(), /application\/dicom/)
  }
  t.equal(codeOf(await post(url, { type: 'nonsense', body: Buffer.from('x') })), 'MEDIA_UNSUPPORTED')
  const files = await filesOf(STUDY)
  t.equal((await post(url, storeRequest(files), { 'content-encoding': 'gzip' })).status, 415)
  t.equal((await post(url, storeRequest(files), { accept: 'text/html' })).status, 406)
  t.equal((await post(url, { type: 'multipart/related; type="application/dicom"', body: Buffer.from('x') })).status, 400)
  t.equal(pacs.events.length, 0, 'the PACS was never disturbed')
})

test('a body that ends too early, or has another boundary, tells what is in and what isn\'t', async t => {
  const { url } = await site(t)
  const whole = storeRequest(await filesOf(STUDY))
  const cut = await post(url, { ...whole, body: whole.body.subarray(0, -500) })
  t.equal(cut.status, 202)
  t.equal(Object.keys(verdicts(cut).stored).length, 2)
  t.same(verdicts(cut).other, [0xC000])
  const foreign = await post(url, { ...whole, type: 'multipart/related; type="application/dicom"; boundary=other' })
  t.equal(foreign.status, 400)
  t.equal(codeOf(foreign), 'DATA_MALFORMED')
})

test('a PACS that is gone is told as such while nothing is stored, and names what isn\'t in once something is', async t => {
  const { url, pacs } = await site(t)
  await pacs.close()
  const gone = await post(url, storeRequest(await filesOf(STUDY)))
  t.equal(gone.status, 503)
  t.equal(codeOf(gone), 'PACS_UNREACHABLE')

  const many = smallStudy('many', { series: [20] })
  const midway: Site = await site(t, answering(async (_, count) => {
    if (count <= 5) return 0
    await midway.pacs.close()
    return 0
  }))
  const answer = await post(midway.url, storeRequest(await filesOf(many)))
  t.equal(answer.status, 202)
  const { stored, failed } = verdicts(answer)
  t.same(stored, every(0, many.series[0].instances.slice(0, 5).map(({ sopInstanceUid }) => sopInstanceUid)))
  t.equal(Object.keys(failed).length, 15)
  t.ok(Object.values(failed).every(reason => reason === 0x0110))
})

test('a PACS that drops the connection is tried again, and an object that always makes it do so doesn\'t stop the rest', async t => {
  const poison = STUDY.series[0].instances[1].sopInstanceUid
  for (const drops of [1, Infinity]) {
    let left = drops
    const wire = await cuttableWire(t)
    const { url, pacs } = await site(t, {
      onStore: request => ({
        write () { if (request.sopInstanceUid === poison && left-- > 0) wire.cut() },
        end () {
          pacs.stored.push({ request, bytes: Buffer.alloc(0) })
          return 0
        },
        abort () {}
      })
    }, {}, wire)
    const answer = await post(url, storeRequest(await filesOf(STUDY)))
    const others = UIDS.filter(uid => uid !== poison)
    if (drops === 1) {
      t.equal(answer.status, 200)
      t.same(verdicts(answer).stored, every(0))
    } else {
      t.equal(answer.status, 202)
      t.same(verdicts(answer), { stored: every(0, others), failed: { [poison]: 0x0110 }, other: [] })
    }
  }
})

test('classes and syntaxes come mixed, and each gets its context', async t => {
  const { url, pacs } = await site(t)
  const studies = [0, 1, 2, 3].map(place => smallStudy(`mixed ${place}`, {
    series: [2],
    image: { sopClassUid: ['1.2.840.10008.5.1.4.1.1.2', '1.2.840.10008.5.1.4.1.1.4'][place % 2], transferSyntaxUid: place < 2 ? EXPLICIT_LE : IMPLICIT_LE, attributes: { Rows: 1 } }
  }))
  const files = (await Promise.all(studies.map(filesOf)))
  const interleaved = files[0].flatMap((_, place) => files.map(list => list[place]))
  const answer = await post(url, storeRequest(interleaved))
  t.equal(answer.status, 200)
  t.equal(pacs.stored.length, 8)
  t.same(new Set(pacs.stored.map(({ request: { sopClassUid, transferSyntaxUid } }) => `${sopClassUid} ${transferSyntaxUid}`)).size, 4)
  t.ok(pacs.events.filter(({ type }) => type === 'accepted').length <= 5, 'at most one association more for each new pair')
})

test('a large object goes by the disk, leaves nothing there, and arrives byte for byte', async t => {
  const large = smallStudy('large', { series: [1, 1], pixelBytes: 8 << 20 })
  const { url, pacs } = await site(t)
  const files = await filesOf(large)
  const answer = await post(url, storeRequest(files))
  t.equal(answer.status, 200)
  t.ok(pacs.stored.every(({ bytes }, place) => files[place].subarray(-bytes.length).equals(bytes)))
})

test('an object longer than the setting allows, or than the spool has room for, is out of resources', async t => {
  const large = smallStudy('large', { series: [1], pixelBytes: 4 << 20 })
  for (const stow of [{ objectBytesMax: 1 << 20 }, { spoolBytesMax: 1 << 20 }]) {
    const { url } = await site(t, {}, stow)
    const answer = await post(url, storeRequest([...await filesOf(large), ...await filesOf(STUDY)]))
    t.equal(answer.status, 202)
    t.same(verdicts(answer), { stored: every(0), failed: every(0xA700, instancesOf(large)), other: [] })
  }
})

test('a caller who leaves in the middle frees the PACS and the disk', async t => {
  const { url, pacs } = await site(t)
  const { type, body } = storeRequest([...await filesOf(STUDY), ...await filesOf(smallStudy('large', { series: [1], pixelBytes: 8 << 20 }))])
  const sent = request(url, { method: 'POST', headers: { 'content-type': type, 'content-length': String(body.length) } })
  sent.on('error', () => {})
  sent.write(body.subarray(0, body.length - (2 << 20)))
  await until(() => pacs.stored.length === 3)
  sent.destroy()
  await until(() => pacs.associations === 0)
  t.equal((await post(url, storeRequest(await filesOf(STUDY)))).status, 200, 'and the next one is served')
})

test('a slow caller doesn\'t hold an association of the PACS', async t => {
  const { url, pacs } = await site(t)
  const { type, body } = storeRequest(await filesOf(STUDY))
  const sent = request(url, { method: 'POST', headers: { 'content-type': type, 'content-length': String(body.length) } })
  sent.write(body.subarray(0, body.length / 2))
  await until(() => pacs.stored.length === 1)
  await until(() => pacs.associations === 0)
  sent.end(body.subarray(body.length / 2))
  const [answer] = await once(sent, 'response') as [{ statusCode: number, resume (): void }]
  answer.resume()
  t.equal(answer.statusCode, 200)
  t.equal(pacs.stored.length, 3)
})

test('beyond so many callers the next is told to come back', async t => {
  const { url } = await site(t, {}, { requestsMax: 1 })
  const { type, body } = storeRequest(await filesOf(STUDY))
  const sent = request(url, { method: 'POST', headers: { 'content-type': type, 'content-length': String(body.length) } })
  sent.on('error', () => {})
  sent.write(body.subarray(0, 100))
  await until(() => sent.socket?.bytesWritten !== undefined && sent.socket.bytesWritten > 100)
  let busy = await post(url, storeRequest(await filesOf(STUDY)))
  while (busy.status === 200) busy = await post(url, storeRequest(await filesOf(STUDY)))
  t.equal(busy.status, 503)
  t.equal(codeOf(busy), 'BUSY')
  t.ok(Number(busy.headers['retry-after']) > 0)
  sent.destroy()
})

test('many who store at once never open more associations than the PACS bears', async t => {
  let associationsMax = 0
  const one: Site = await site(t, {
    onStore: () => ({
      write () {},
      end () {
        associationsMax = Math.max(associationsMax, one.pacs.associations)
        return 0
      },
      abort () {}
    })
  }, { requestsMax: 16 })
  const files = await filesOf(STUDY)
  const answers = await Promise.all(Array.from({ length: 10 }, async () => await post(one.url, storeRequest(files))))
  t.same(answers.map(({ status }) => status), answers.map(() => 200))
  t.equal(associationsMax, 2, 'pacs.associationsMax')
})

test('a hundred thousand parts of nothing are refused at a bound, and the box lives on', async t => {
  const { url } = await site(t)
  const parts = Buffer.from('\r\n--b\r\n\r\nx'.repeat(100_000))
  const answer = await post(url, { type: 'multipart/related; type="application/dicom"; boundary=b', body: Buffer.concat([parts, Buffer.from('\r\n--b--\r\n')]) })
  t.equal(answer.status, 400)
  t.equal(verdicts(answer).other.at(-1), 0xA700)
  t.equal((await post(url, storeRequest(await filesOf(STUDY)))).status, 200)
})

test('a request that says nothing of its body is answered, not waited for', async t => {
  const { url } = await site(t)
  const { hostname, port, pathname } = new URL(url)
  const socket = connect(Number(port), hostname)
  socket.write(`POST ${pathname} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`)
  const [answer] = await once(socket, 'data') as [Buffer]
  t.match(answer.toString(), /^HTTP\/1.1 415/)
  socket.destroy()
})
