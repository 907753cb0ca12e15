/**
 * Where the value of one element lies, however deep in sequences, found without reading the others:
 * bulk data may be larger than memory.
 *
 * Source: DICOM PS3.5 §7.1, §7.5, §6.2.2 (UN), §A.4 (fragments). Reads what `dataset.ts` reads, under
 * the paths that it hands to `bulkDataUri`.
 */

import { RequestError } from '#core/errors.ts'
import { vrOfNumber, type Vr } from './dictionary.ts'
import {
  DEPTH_MAX, HEAD_BYTES_MAX, IMPLICIT_FORM, ITEM, ITEM_END, Nesting, SEQUENCE_END, UNDEFINED, formOf, isVr, malformed, newHead,
  readHead, tagText, type ElementHead, type Form
} from './elements.ts'
import type { Range } from './frames.ts'

/** Reads `length` bytes at `offset` of the data set; fewer only at its end. */
export type Read = (offset: number, length: number) => Promise<Uint8Array>

export interface Located {
  /** 'GGGGEEEE' */
  readonly tag: string
  readonly vr: Vr
  /** In order; several where the value is encapsulated in fragments, without the offset table. */
  readonly ranges: readonly Range[]
  readonly encapsulated: boolean
  readonly bigEndian: boolean
  /** That holds for it (0008,0005). */
  readonly characterSet: readonly string[]
}

export interface ValueStep { readonly tag: number, readonly item?: number }

/** Elements that one search may pass: as many as a head may have. */
const ELEMENTS_MAX = 1_000_000
const FRAGMENTS_MAX = 2_000_000
/** Read ahead: the heads of small elements come many at a time. */
const WINDOW_BYTES = 16 << 10
const CHARACTER_SET = 0x00080005
const CHARACTER_SET_BYTES_MAX = 1024
const SQ = 'SQ'
const ITEM_HEAD_BYTES = 8

/**
 * Reads a path such as '7FE00010' or '00081140/0/00091002'.
 *
 * @throws RequestError BULKDATA_UNKNOWN for anything else
 */
export function parseValuePath (path: string): readonly ValueStep[] {
  if (path.length > PATH_CHARS_MAX || !PATH.test(path)) throw new RequestError('BULKDATA_UNKNOWN', 'not the path of a value')
  const parts = path.split('/')
  const steps: ValueStep[] = []
  for (let at = 0; at < parts.length; at += 2) {
    const item = parts[at + 1]
    steps.push({ tag: Number.parseInt(parts[at]!, 16), ...item !== undefined && { item: Number(item) } })
  }
  return steps
}

const PATH = /^[\dA-F]{8}(\/\d{1,7}\/[\dA-F]{8})*$/
const PATH_CHARS_MAX = DEPTH_MAX * 17

/**
 * @returns undefined where there is no such element, or where it is a sequence
 * @throws RequestError DATA_MALFORMED
 */
export async function locateValue (read: Read, datasetBytes: number, transferSyntaxUid: string, steps: readonly ValueStep[]): Promise<Located | undefined> {
  return await new Walk(read, datasetBytes).find(steps, 0, datasetBytes, formOf(transferSyntaxUid), [])
}

class Walk {
  readonly #read: Read
  readonly #bytes: number
  #window: Uint8Array = new Uint8Array()
  #offset = 0
  #passed = 0

  constructor (read: Read, bytes: number) {
    this.#read = read
    this.#bytes = bytes
  }

  /** Looks through one data set or item, from `at` on, to `end` or its delimiter. */
  async find ([step, ...below]: readonly ValueStep[], at: number, end: number, form: Form, inherited: readonly string[]): Promise<Located | undefined> {
    let characterSet = inherited
    while (at < end) {
      const head = await this.#head(at, end, form)
      if (head === undefined || head.tag === ITEM_END) return undefined
      if (head.length !== UNDEFINED && head.value + head.length > end) throw malformed('a value is longer than what is there', at)
      if (head.tag === CHARACTER_SET && head.length <= CHARACTER_SET_BYTES_MAX) characterSet = await this.#terms(head)
      if (head.tag === step!.tag) return await this.#found(head, end, form, characterSet, step!, below)
      at = await this.#after(head, end, form)
    }
    return undefined
  }

  async #found (head: ElementHead, end: number, form: Form, characterSet: readonly string[], step: ValueStep, below: readonly ValueStep[]): Promise<Located | undefined> {
    const isUnknown = form.explicit && isVr(head.vr) && nameOf(head.vr) === 'UN'
    const known = isVr(head.vr) && !isUnknown ? nameOf(head.vr) : vrOfNumber(head.tag)
    // Unknown to whoever wrote it, it is implicit little endian inside (PS3.5 §6.2.2).
    const inner = isUnknown ? IMPLICIT_FORM : form
    const isSequence = known === SQ || (isUnknown && head.length === UNDEFINED)
    if (step.item !== undefined) {
      const item = isSequence ? await this.#item(head, end, inner, step.item) : undefined
      return item && await this.find(below, item.offset, item.offset + item.length, inner, characterSet)
    }
    if (isSequence) return undefined
    const isFragmented = head.length === UNDEFINED
    return {
      tag: tagText(head.tag),
      vr: isFragmented ? 'OB' : known as Vr,
      ranges: isFragmented ? await this.#fragments(head.value, end, form) : [{ offset: head.value, length: head.length }],
      encapsulated: isFragmented,
      bigEndian: inner.bigEndian,
      characterSet
    }
  }

  /** What the item holds; to the end of what is around it where it has no length of its own. */
  async #item (sequence: ElementHead, outerEnd: number, form: Form, index: number): Promise<Range | undefined> {
    const end = sequence.length === UNDEFINED ? outerEnd : sequence.value + sequence.length
    let at = sequence.value
    for (let place = 0; at < end; place++) {
      const head = await this.#head(at, end, form)
      if (head === undefined || head.tag === SEQUENCE_END) return undefined
      if (head.tag !== ITEM) throw malformed('something else than an item', at)
      const itemEnd = head.length === UNDEFINED ? end : head.value + head.length
      if (itemEnd > end) throw malformed('an item is longer than its sequence', at)
      if (place === index) return { offset: head.value, length: itemEnd - head.value }
      at = head.length === UNDEFINED ? await this.#afterItem(head, end, form) : itemEnd
    }
    return undefined
  }

  async #fragments (start: number, end: number, form: Form): Promise<Range[]> {
    const fragments: Range[] = []
    for (let at = start; at + ITEM_HEAD_BYTES <= end;) {
      const head = await this.#head(at, end, form)
      if (head === undefined || head.tag === SEQUENCE_END) break
      if (head.tag !== ITEM || head.length === UNDEFINED || head.value + head.length > end) throw malformed('something else than a fragment', at)
      if (fragments.length > FRAGMENTS_MAX) throw malformed('too many fragments', at)
      fragments.push({ offset: head.value, length: head.length })
      at = head.value + head.length
    }
    return fragments.slice(1)
  }

  async #after (head: ElementHead, end: number, form: Form): Promise<number> {
    const nesting = new Nesting(form)
    return await this.#pass(nesting, head.value + nesting.pass(head), end, 0)
  }

  async #afterItem (item: ElementHead, end: number, form: Form): Promise<number> {
    const nesting = new Nesting(form)
    nesting.pass({ tag: 0, vr: 0, length: UNDEFINED, value: item.value })
    return await this.#pass(nesting, item.value + nesting.pass(item), end, 1)
  }

  /** Steps over what has no length, down to this depth. */
  async #pass (nesting: Nesting, from: number, end: number, depth: number): Promise<number> {
    let at = from
    while (nesting.depth > depth) {
      const inner = await this.#head(at, end, nesting.form)
      if (inner === undefined) throw malformed('a sequence is cut', at)
      at = inner.value + nesting.pass(inner)
    }
    return at
  }

  async #terms (head: ElementHead): Promise<readonly string[]> {
    return Buffer.from(await this.#read(head.value, head.length)).toString('latin1').split('\\').map(term => term.replace(/[ \0]+$/, '').trimStart())
  }

  /** The next head, in an object of its own; undefined where only padding is left. */
  async #head (at: number, end: number, form: Form): Promise<ElementHead | undefined> {
    if (++this.#passed > ELEMENTS_MAX) throw malformed('too many elements', at)
    if (at < this.#offset || at + HEAD_BYTES_MAX > this.#offset + this.#window.length) {
      this.#window = await this.#read(at, Math.min(WINDOW_BYTES, this.#bytes - at))
      this.#offset = at
    }
    const head = newHead()
    const from = at - this.#offset
    if (!readHead(this.#window, from, Math.min(this.#window.length, end - this.#offset), form, head)) return undefined
    head.value += this.#offset
    return head
  }
}

function nameOf (vr: number): string {
  return String.fromCharCode(vr >> 8, vr & 0xff)
}
