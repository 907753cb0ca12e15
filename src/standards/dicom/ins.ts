/**
 * The patient's national identifier (INS), added to an object on its way out.
 *
 * Source: DRIM-M profile, duties of the image source; DICOM PS3.3 §C.7.1.1 (Other Patient IDs
 * Sequence) and §10.14 (issuer of a patient ID), PS3.5 §7.5.
 * Rewrites nothing but the length fields around the place where it inserts. Pixel data and all other
 * elements leave as views of what came in; identifiers that the hospital wrote stay.
 */

import { RequestError } from '#core/errors.ts'
import { isUid } from '#core/uid.ts'
import {
  IMPLICIT_FORM, UNDEFINED, endOf, formOf, malformed, newHead, readHead, vrCode, type ElementHead, type Form
} from './elements.ts'
import { transferSyntax } from './transfer-syntax.ts'

export interface Ins {
  /** Matricule with its key: 15 characters. */
  readonly value: string
  /** Its assigning authority: 1.2.250.1.213.1.4.8 for a NIR, .9 for a NIA, .10 and .11 in tests. */
  readonly oid: string
}

const PATIENT_GROUP_LENGTH = 0x00100000
const OTHER_PATIENT_IDS_SEQUENCE = 0x00101002

const VR_SQ = vrCode('SQ')
const VR_UN = vrCode('UN')

/** A matricule: digits, save for the A or B of a Corsican department. */
const MATRICULE = /^\d{6}[\dAB]\d{8}$/

/**
 * Appends the INS item to Other Patient IDs Sequence, which is made in its place where it is absent.
 * A group length of group 0010, where an old writer left one, is corrected.
 *
 * @param head bytes of the data set from its start to the pixel data, or to any earlier element after
 *   group 0010
 * @returns pieces to send instead of `head`, and by how many bytes they are longer
 * @throws RequestError DATA_MALFORMED when the head cannot be walked, NOT_OFFERED for a deflated data
 *   set, whose head cannot be exchanged without inflating all of it
 */
export function spliceIns (head: Uint8Array, transferSyntaxUid: string, ins: Ins): { pieces: Uint8Array[], growth: number } {
  if (transferSyntax(transferSyntaxUid).deflated) {
    throw new RequestError('NOT_OFFERED', 'a deflated object cannot be given an INS as it is', { facts: { transferSyntaxUid } })
  }
  const form = formOf(transferSyntaxUid)
  const element = newHead()
  let groupLengthAt: number | undefined
  let groupLength = 0
  let at = 0
  let start = 0
  let isThere = false
  while (at < head.length) {
    start = at
    if (!readHead(head, at, head.length, form, element)) throw malformed('an element is cut', at)
    if (element.tag >= OTHER_PATIENT_IDS_SEQUENCE) {
      isThere = element.tag === OTHER_PATIENT_IDS_SEQUENCE
      break
    }
    at = endOf(head, element, head.length, form)
    if (element.tag === PATIENT_GROUP_LENGTH && element.length === 4) {
      groupLengthAt = element.value
      groupLength = readUint32(head, element.value, form)
    }
  }
  const splice = isThere ? append(head, element, form, ins) : insert(head, at < head.length ? start : at, form, ins)
  if (groupLengthAt === undefined) return splice
  const [first, ...others] = splice.pieces
  const corrected = uint32((groupLength + splice.growth) >>> 0, form)
  return {
    pieces: [first!.subarray(0, groupLengthAt), corrected, first!.subarray(groupLengthAt + 4), ...others],
    growth: splice.growth
  }
}

interface Splice { readonly pieces: Uint8Array[], readonly growth: number }

function insert (head: Uint8Array, at: number, form: Form, ins: Ins): Splice {
  const { sequence } = encoded(ins, form)
  return { pieces: [head.subarray(0, at), sequence, head.subarray(at)], growth: sequence.length }
}

function append (head: Uint8Array, sequence: Readonly<ElementHead>, form: Form, ins: Ins): Splice {
  if (sequence.vr !== 0 && sequence.vr !== VR_SQ && sequence.vr !== VR_UN) {
    throw malformed('Other Patient IDs Sequence is no sequence', sequence.value)
  }
  // What an archive stored as UN is implicit inside (PS3.5 §6.2.2).
  const { item } = encoded(ins, sequence.vr === VR_UN ? IMPLICIT_FORM : form)
  const end = endOf(head, sequence, head.length, form)
  if (sequence.length === UNDEFINED) {
    const DELIMITER_BYTES = 8
    const delimiter = end - DELIMITER_BYTES
    return { pieces: [head.subarray(0, delimiter), item, head.subarray(delimiter)], growth: item.length }
  }
  const length = sequence.length + item.length
  if (length >= UNDEFINED) throw malformed('a sequence without room', sequence.value)
  return {
    pieces: [head.subarray(0, sequence.value - 4), uint32(length, form), head.subarray(sequence.value, end), item, head.subarray(end)],
    growth: item.length
  }
}

/** An identity goes into every object of a study: it is written once, in each form that these have. */
const ENCODED = new WeakMap<Ins, Map<Form, { readonly item: Buffer, readonly sequence: Buffer }>>()

/** @throws RequestError DATA_MALFORMED when this is no identity */
function encoded (ins: Ins, form: Form): { readonly item: Buffer, readonly sequence: Buffer } {
  let forms = ENCODED.get(ins)
  if (forms === undefined) {
    if (!MATRICULE.test(ins.value) || !isUid(ins.oid)) throw new RequestError('DATA_MALFORMED', 'not an INS')
    ENCODED.set(ins, forms = new Map())
  }
  let bytes = forms.get(form)
  if (bytes === undefined) {
    const item = insItem(ins, form)
    forms.set(form, bytes = { item, sequence: encode(OTHER_PATIENT_IDS_SEQUENCE, 'SQ', item, form) })
  }
  return bytes
}

/** PatientID, TypeOfPatientID, IssuerOfPatientIDQualifiersSequence: ASCII in any character set. */
function insItem (ins: Ins, form: Form): Buffer {
  const issuer = Buffer.concat([
    encode(0x00400032, 'UT', even(ins.oid), form), // UniversalEntityID
    encode(0x00400033, 'CS', even('ISO'), form) // UniversalEntityIDType
  ])
  return encode(0xfffee000, '', Buffer.concat([
    encode(0x00100020, 'LO', even(ins.value), form),
    encode(0x00100022, 'CS', even('TEXT'), form),
    encode(0x00100024, 'SQ', encode(0xfffee000, '', issuer, form), form)
  ]), form)
}

/** One element of these few VRs: UT and SQ have long lengths, LO and CS short ones, items no VR. */
function encode (tag: number, vr: 'CS' | 'LO' | 'SQ' | 'UT' | '', value: Buffer, form: Form): Buffer {
  const hasVr = form.explicit && vr !== ''
  const isLong = vr === 'SQ' || vr === 'UT'
  const bytes = Buffer.alloc((hasVr && isLong ? 12 : 8) + value.length)
  if (form.bigEndian) bytes.writeUInt32BE(tag)
  else bytes.writeUInt32LE(((tag & 0xffff) * 0x10000) + (tag >>> 16))
  const lengthAt = bytes.length - value.length - 4
  if (hasVr) bytes.write(vr, 4, 'latin1')
  if (!hasVr || isLong) uint32(value.length, form).copy(bytes, lengthAt)
  else if (form.bigEndian) bytes.writeUInt16BE(value.length, 6)
  else bytes.writeUInt16LE(value.length, 6)
  value.copy(bytes, bytes.length - value.length)
  return bytes
}

function even (text: string): Buffer {
  return Buffer.from(text.length % 2 === 0 ? text : text + ' ', 'latin1')
}

function uint32 (value: number, form: Form): Buffer {
  const bytes = Buffer.alloc(4)
  if (form.bigEndian) bytes.writeUInt32BE(value)
  else bytes.writeUInt32LE(value)
  return bytes
}

function readUint32 (bytes: Uint8Array, at: number, form: Form): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getUint32(at, !form.bigEndian)
}
