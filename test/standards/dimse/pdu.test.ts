import fc from 'fast-check'
import { test } from 'tap'
import { bytes } from '#test/fixtures/bytes.ts'
import { APPLICATION_CONTEXT, decodeAssociateAccept, decodeAssociateRequest, encodeAssociateAccept, encodeAssociateRequest, type UserInformation } from '#standards/dimse/associate.ts'
import { decodeAbort, decodeReject, encodeAbort, encodeReject, encodeReleaseRequest, encodeReleaseResponse, writeFragmentHeader } from '#standards/dimse/pdu.ts'
import { REJECTIONS, abortWords, rejectionWords } from '#standards/dimse/reasons.ts'

test('A-RELEASE says nothing but its own name', async t => {
  t.same(encodeReleaseRequest(), bytes`
    05 00        type, reserved (PS3.8 §9.3.6)
    00 00 00 04  length of what follows
    00 00 00 00  reserved`)
  t.same(encodeReleaseResponse(), bytes`
    06 00        type, reserved (PS3.8 §9.3.7)
    00 00 00 04  length of what follows
    00 00 00 00  reserved`)
})

test('A-ABORT says who and why', async t => {
  const pdu = bytes`
    07 00        type, reserved (PS3.8 §9.3.8)
    00 00 00 04  length of what follows
    00 00        reserved
    02           source: service-provider
    06           reason: invalid-PDU-parameter value`
  t.same(encodeAbort({ source: 2, reason: 6 }), pdu)
  t.same(decodeAbort(pdu.subarray(6)), { source: 2, reason: 6 })
  t.equal(abortWords(2, 6), 'invalid-PDU-parameter-value')
  t.equal(abortWords(2, 3), 'reserved')
  t.equal(abortWords(0, 6), 'service-user', 'a user\'s reason is not significant')
})

test('A-ASSOCIATE-RJ gives the reasons of Table 9-21, in its words', async t => {
  const pdu = bytes`
    03 00        type, reserved (PS3.8 §9.3.4)
    00 00 00 04  length of what follows
    00           reserved
    01           result: rejected-permanent
    01           source: DICOM UL service-user
    07           reason: called-AE-title-not-recognized`
  t.same(encodeReject(REJECTIONS.calledTitle), pdu)
  t.same(decodeReject(pdu.subarray(6)), { result: 1, source: 1, reason: 7 })
  t.same(Object.values(REJECTIONS).map(rejectionWords), [
    'no-reason-given', 'application-context-name-not-supported', 'calling-AE-title-not-recognized', 'called-AE-title-not-recognized',
    'protocol-version-not-supported', 'temporary-congestion', 'local-limit-exceeded'])
  t.equal(rejectionWords({ result: 1, source: 1, reason: 9 }), 'reserved')
})

test('a P-DATA-TF has one header for itself and one for its value', async t => {
  const header = Buffer.alloc(12)
  writeFragmentHeader(header, 0, 3, 2, 10)
  t.same(header, bytes`
    04 00        type, reserved (PS3.8 §9.3.5)
    00 00 00 10  length of what follows: 16
    00 00 00 0c  length of the presentation data value: 12
    03           presentation context ID
    02           message control header: data set, last fragment`)
})

const REQUEST = bytes`
  01 00                                            type, reserved (PS3.8 §9.3.2)
  00 00 00 c3                                      length of what follows
  00 01 00 00                                      protocol version 1, reserved
  42 4f 58 20 20 20 20 20 20 20 20 20 20 20 20 20  called AE title: BOX
  50 41 43 53 20 20 20 20 20 20 20 20 20 20 20 20  calling AE title: PACS
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  reserved
  00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00  reserved
  10 00 00 15                                      application context item
  31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 33 2e 31 2e 31 2e 31
  20 00 00 2e                                      presentation context item
  01 00 00 00                                      ID 1, reserved
  30 00 00 11                                      abstract syntax: Verification
  31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 31
  40 00 00 11                                      transfer syntax: implicit VR little endian
  31 2e 32 2e 38 34 30 2e 31 30 30 30 38 2e 31 2e 32
  50 00 00 30                                      user information item
  51 00 00 04 00 00 40 00                          maximum length: 16384
  52 00 00 05 31 2e 32 2e 33                       implementation class UID: 1.2.3
  54 00 00 09 00 05 31 2e 32 2e 34 00 01           role selection of 1.2.4: SCP only
  55 00 00 02 56 31                                implementation version name: V1
  56 00 00 08 00 05 31 2e 32 2e 35 01              extended negotiation of 1.2.5: 01`

const REQUESTED = {
  protocolVersion: 1,
  calledTitle: 'BOX',
  callingTitle: 'PACS',
  applicationContext: APPLICATION_CONTEXT,
  contexts: [{ id: 1, abstractSyntax: '1.2.840.10008.1.1', transferSyntaxes: ['1.2.840.10008.1.2'] }],
  userInformation: {
    pduBytesMax: 16384,
    implementationClassUid: '1.2.3',
    implementationVersion: 'V1',
    roles: [{ sopClassUid: '1.2.4', scu: false, scp: true }],
    extended: [{ sopClassUid: '1.2.5', information: Buffer.of(1) }]
  }
}

test('A-ASSOCIATE-RQ is written as the standard draws it', async t => {
  t.equal(encodeAssociateRequest(REQUESTED).toString('hex'), REQUEST.toString('hex'))
  t.same(decodeAssociateRequest(REQUEST.subarray(6)), REQUESTED)
})

test('items and sub-items that nobody here knows are passed over', async t => {
  const asynchronousOperations = bytes`53 00 00 04 00 01 00 01`
  const userIdentity = bytes`58 00 00 02 01 00`
  const body = Buffer.concat([REQUEST.subarray(6), bytes`77 00 00 01 ff`])
  t.same(decodeAssociateRequest(body), REQUESTED)
  const user = body.indexOf(Buffer.from('50000030', 'hex'))
  const longer = Buffer.concat([body.subarray(0, user + 4), asynchronousOperations, userIdentity, body.subarray(user + 4, user + 4 + 0x30)])
  longer.writeUInt16BE(0x30 + asynchronousOperations.length + userIdentity.length, user + 2)
  t.same(decodeAssociateRequest(longer), REQUESTED)
})

test('an item that claims more than what holds it is a violation', async t => {
  const body = REQUEST.subarray(6)
  for (const [name, marker] of [['application context', '10000015'], ['presentation context', '2000002e'], ['abstract syntax', '30000011'], ['user information', '50000030'], ['maximum length', '51000004'], ['role selection', '54000009']] as const) {
    const wrong = Buffer.from(body)
    wrong.writeUInt16BE(0xffff, wrong.indexOf(Buffer.from(marker, 'hex')) + 2)
    t.throws(() => decodeAssociateRequest(wrong), { code: 'PROTOCOL_VIOLATION', abortReason: 6 }, name)
  }
  const uid = Buffer.from(body)
  uid.writeUInt16BE(500, uid.indexOf(Buffer.from('54000009', 'hex')) + 4)
  t.throws(() => decodeAssociateRequest(uid), { code: 'PROTOCOL_VIOLATION' })
  t.throws(() => decodeAssociateRequest(body.subarray(0, 67)), { code: 'PROTOCOL_VIOLATION' })
  t.throws(() => decodeAssociateRequest(body.subarray(0, 70)), { code: 'PROTOCOL_VIOLATION' })
})

const uid = fc.stringMatching(/^[0-9](\.[1-9][0-9]{0,5}){1,8}$/)
const title = fc.stringMatching(/^[A-Z0-9_]{1,16}$/)
const user: fc.Arbitrary<UserInformation> = fc.record({
  pduBytesMax: fc.nat(),
  implementationClassUid: uid,
  implementationVersion: title,
  roles: fc.array(fc.record({ sopClassUid: uid, scu: fc.boolean(), scp: fc.boolean() }), { maxLength: 5 }),
  extended: fc.array(fc.record({ sopClassUid: uid, information: fc.uint8Array({ maxLength: 6 }).map(array => Buffer.from(array)) }), { maxLength: 3 })
}, { requiredKeys: ['pduBytesMax', 'roles', 'extended'] })
const associate = { protocolVersion: fc.integer({ min: 0, max: 0xffff }), calledTitle: title, callingTitle: title, applicationContext: uid, userInformation: user }

test('whatever is asked for or accepted is read back as it was written', async () => {
  fc.assert(fc.property(fc.record({
    ...associate,
    contexts: fc.array(fc.record({ id: fc.nat(255), abstractSyntax: uid, transferSyntaxes: fc.array(uid, { maxLength: 4 }) }), { maxLength: 20 })
  }), request => {
    const pdu = encodeAssociateRequest(request)
    const read = decodeAssociateRequest(pdu.subarray(6))
    return encodeAssociateRequest(read).equals(pdu) && JSON.stringify(read.contexts) === JSON.stringify(request.contexts)
  }))
  fc.assert(fc.property(fc.record({
    ...associate,
    contexts: fc.array(fc.record({ id: fc.nat(255), result: fc.nat(4), transferSyntax: uid }), { maxLength: 20 })
  }), accept => {
    const pdu = encodeAssociateAccept(accept)
    const read = decodeAssociateAccept(pdu.subarray(6))
    return encodeAssociateAccept(read).equals(pdu) && JSON.stringify(read.contexts) === JSON.stringify(accept.contexts)
  }))
})

test('any bytes in place of an association are read or refused, never anything else', async t => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(230), (noise, at) => {
    const body = Buffer.from(REQUEST.subarray(6))
    Buffer.from(noise).copy(body, at)
    try {
      decodeAssociateRequest(body)
    } catch (error) {
      return (error as { code?: string }).code === 'PROTOCOL_VIOLATION'
    }
    return true
  }))
  t.pass()
})
