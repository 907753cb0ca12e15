/**
 * The two long PDUs, A-ASSOCIATE-RQ and A-ASSOCIATE-AC, with their items and sub-items.
 *
 * Source: DICOM PS3.8 §9.3.2, §9.3.3 and Annex D; PS3.7 §D.3.3.
 * Items that we don't know are passed over, as PS3.8 §9.3.1 asks; a length that leaves its frame is a violation.
 */

import { PDU, encodePdu } from './pdu.ts'
import { ABORT, ProtocolViolation } from './reasons.ts'

export interface ProposedContext {
  /** Odd, 1 to 255. */
  readonly id: number
  readonly abstractSyntax: string
  readonly transferSyntaxes: readonly string[]
}

export interface AnsweredContext {
  readonly id: number
  /** Table 9-18: 0 is acceptance. */
  readonly result: number
  /** Not significant unless accepted. */
  readonly transferSyntax: string
}

/** PS3.7 §D.3.3.4 */
export interface RoleSelection {
  readonly sopClassUid: string
  readonly scu: boolean
  readonly scp: boolean
}

/** PS3.7 §D.3.3.5: what the bytes mean is written at each service class. */
export interface ExtendedNegotiation {
  readonly sopClassUid: string
  readonly information: Uint8Array
}

export interface UserInformation {
  /** Longest P-DATA-TF that the sender of this wants to receive; 0 is any. */
  readonly pduBytesMax: number
  readonly implementationClassUid?: string
  readonly implementationVersion?: string
  readonly roles: readonly RoleSelection[]
  readonly extended: readonly ExtendedNegotiation[]
}

interface Associate {
  /** Bit 0 is version 1, the only one there is. */
  readonly protocolVersion: number
  readonly calledTitle: string
  readonly callingTitle: string
  readonly applicationContext: string
  readonly userInformation: UserInformation
}

export interface AssociateRequest extends Associate {
  readonly contexts: readonly ProposedContext[]
}

export interface AssociateAccept extends Associate {
  readonly contexts: readonly AnsweredContext[]
}

/** PS3.7 §A.2.1, the only one there is. */
export const APPLICATION_CONTEXT = '1.2.840.10008.3.1.1.1'
export const PROTOCOL_VERSION = 1

const ITEM = {
  applicationContext: 0x10,
  proposedContext: 0x20,
  answeredContext: 0x21,
  abstractSyntax: 0x30,
  transferSyntax: 0x40,
  userInformation: 0x50,
  maximumLength: 0x51,
  implementationClassUid: 0x52,
  roleSelection: 0x54,
  implementationVersion: 0x55,
  extendedNegotiation: 0x56
} as const

/** Protocol version, titles and reserved bytes before the first item. */
const FIXED_BYTES = 68
const TITLE_BYTES = 16

export function encodeAssociateRequest (request: AssociateRequest): Buffer {
  const contexts = request.contexts.map(({ id, abstractSyntax, transferSyntaxes }) =>
    item(ITEM.proposedContext, Buffer.from([id, 0, 0, 0]), uidItem(ITEM.abstractSyntax, abstractSyntax),
      ...transferSyntaxes.map(uid => uidItem(ITEM.transferSyntax, uid))))
  return encodePdu(PDU.associateRq, encodeBody(request, contexts))
}

export function encodeAssociateAccept (accept: AssociateAccept): Buffer {
  const contexts = accept.contexts.map(({ id, result, transferSyntax }) =>
    item(ITEM.answeredContext, Buffer.from([id, 0, result, 0]), uidItem(ITEM.transferSyntax, transferSyntax)))
  return encodePdu(PDU.associateAc, encodeBody(accept, contexts))
}

/** @throws ProtocolViolation */
export function decodeAssociateRequest (body: Buffer): AssociateRequest {
  const contexts: ProposedContext[] = []
  const associate = decodeBody(body, (type, value) => {
    if (type === ITEM.proposedContext) contexts.push(decodeProposed(value))
  })
  return { ...associate, contexts }
}

/** @throws ProtocolViolation */
export function decodeAssociateAccept (body: Buffer): AssociateAccept {
  const contexts: AnsweredContext[] = []
  const associate = decodeBody(body, (type, value) => {
    if (type === ITEM.answeredContext) contexts.push(decodeAnswered(value))
  })
  return { ...associate, contexts }
}

function encodeBody (associate: Associate, contexts: readonly Buffer[]): Buffer {
  const fixed = Buffer.alloc(FIXED_BYTES)
  fixed.writeUInt16BE(associate.protocolVersion, 0)
  fixed.write(title(associate.calledTitle), 4, 'latin1')
  fixed.write(title(associate.callingTitle), 20, 'latin1')
  return Buffer.concat([
    fixed,
    uidItem(ITEM.applicationContext, associate.applicationContext),
    ...contexts,
    encodeUserInformation(associate.userInformation)
  ])
}

function encodeUserInformation (user: UserInformation): Buffer {
  const maximumLength = Buffer.alloc(4)
  maximumLength.writeUInt32BE(user.pduBytesMax)
  const parts = [item(ITEM.maximumLength, maximumLength)]
  if (user.implementationClassUid !== undefined) parts.push(uidItem(ITEM.implementationClassUid, user.implementationClassUid))
  for (const { sopClassUid, scu, scp } of user.roles) {
    parts.push(item(ITEM.roleSelection, lengthAndUid(sopClassUid), Buffer.from([Number(scu), Number(scp)])))
  }
  if (user.implementationVersion !== undefined) parts.push(uidItem(ITEM.implementationVersion, user.implementationVersion))
  for (const { sopClassUid, information } of user.extended) {
    parts.push(item(ITEM.extendedNegotiation, lengthAndUid(sopClassUid), information))
  }
  return item(ITEM.userInformation, ...parts)
}

function decodeBody (body: Buffer, visitContext: (type: number, value: Buffer) => void): Associate {
  if (body.length < FIXED_BYTES) throw malformed('A-ASSOCIATE PDU shorter than its fixed part')
  let applicationContext = ''
  let userInformation: UserInformation = { pduBytesMax: 0, roles: [], extended: [] }
  forEachItem(body.subarray(FIXED_BYTES), (type, value) => {
    if (type === ITEM.applicationContext) applicationContext = text(value)
    else if (type === ITEM.userInformation) userInformation = decodeUserInformation(value)
    else visitContext(type, value)
  })
  return {
    protocolVersion: body.readUInt16BE(0),
    calledTitle: text(body.subarray(4, 4 + TITLE_BYTES)),
    callingTitle: text(body.subarray(20, 20 + TITLE_BYTES)),
    applicationContext,
    userInformation
  }
}

function decodeProposed (value: Buffer): ProposedContext {
  if (value.length < 4) throw malformed('presentation context item too short')
  let abstractSyntax = ''
  const transferSyntaxes: string[] = []
  forEachItem(value.subarray(4), (type, inner) => {
    if (type === ITEM.abstractSyntax) abstractSyntax = text(inner)
    else if (type === ITEM.transferSyntax) transferSyntaxes.push(text(inner))
  })
  return { id: value[0]!, abstractSyntax, transferSyntaxes }
}

function decodeAnswered (value: Buffer): AnsweredContext {
  if (value.length < 4) throw malformed('presentation context item too short')
  let transferSyntax = ''
  forEachItem(value.subarray(4), (type, inner) => {
    if (type === ITEM.transferSyntax) transferSyntax = text(inner)
  })
  return { id: value[0]!, result: value[2]!, transferSyntax }
}

function decodeUserInformation (value: Buffer): UserInformation {
  let pduBytesMax = 0
  let implementationClassUid: string | undefined
  let implementationVersion: string | undefined
  const roles: RoleSelection[] = []
  const extended: ExtendedNegotiation[] = []
  forEachItem(value, (type, inner) => {
    switch (type) {
      case ITEM.maximumLength:
        if (inner.length !== 4) throw malformed('maximum length item is not 4 bytes')
        pduBytesMax = inner.readUInt32BE(0)
        break
      case ITEM.implementationClassUid:
        implementationClassUid = text(inner)
        break
      case ITEM.implementationVersion:
        implementationVersion = text(inner)
        break
      case ITEM.roleSelection: {
        const [sopClassUid, rest] = uidAndRest(inner)
        if (rest.length < 2) throw malformed('role selection item too short')
        roles.push({ sopClassUid, scu: rest[0] === 1, scp: rest[1] === 1 })
        break
      }
      case ITEM.extendedNegotiation: {
        const [sopClassUid, information] = uidAndRest(inner)
        extended.push({ sopClassUid, information })
        break
      }
    }
  })
  return {
    pduBytesMax,
    ...(implementationClassUid === undefined ? {} : { implementationClassUid }),
    ...(implementationVersion === undefined ? {} : { implementationVersion }),
    roles,
    extended
  }
}

function forEachItem (bytes: Buffer, visit: (type: number, value: Buffer) => void): void {
  let at = 0
  while (at < bytes.length) {
    if (at + 4 > bytes.length) throw malformed('item header cut')
    const end = at + 4 + bytes.readUInt16BE(at + 2)
    if (end > bytes.length) throw malformed('item longer than what holds it', { item: bytes[at]! })
    visit(bytes[at]!, bytes.subarray(at + 4, end))
    at = end
  }
}

function item (type: number, ...parts: readonly Uint8Array[]): Buffer {
  const header = Buffer.alloc(4)
  header[0] = type
  header.writeUInt16BE(parts.reduce((sum, part) => sum + part.length, 0), 2)
  return Buffer.concat([header, ...parts])
}

function uidItem (type: number, value: string): Buffer {
  return item(type, Buffer.from(value, 'latin1'))
}

function lengthAndUid (uid: string): Buffer {
  const bytes = Buffer.alloc(2 + uid.length)
  bytes.writeUInt16BE(uid.length)
  bytes.write(uid, 2, 'latin1')
  return bytes
}

function uidAndRest (value: Buffer): [string, Buffer] {
  if (value.length < 2) throw malformed('sub-item too short')
  const end = 2 + value.readUInt16BE(0)
  if (end > value.length) throw malformed('UID longer than its sub-item')
  return [text(value.subarray(2, end)), value.subarray(end)]
}

function title (value: string): string {
  return value.slice(0, TITLE_BYTES).padEnd(TITLE_BYTES, ' ')
}

/** Spaces at either end of a title mean nothing (PS3.8 §9.3.2); some pad UIDs with a NUL. */
function text (value: Buffer): string {
  return value.toString('latin1').replace(/^ +|[ \0]+$/g, '')
}

function malformed (message: string, facts?: Record<string, number>): ProtocolViolation {
  return new ProtocolViolation(ABORT.invalidParameter, message, facts)
}
