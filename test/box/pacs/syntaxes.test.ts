import fc from 'fast-check'
import { test } from 'tap'
import { proposedSyntaxes, receivingOrder, ReceivingOrders, RECEIVED_SYNTAXES } from '#box/pacs/syntaxes.ts'
import { objectAccept, parseAccept, wishedSyntaxes } from '#standards/dicomweb/accept.ts'
import { EXPLICIT_LE, IMPLICIT_LE, JPEG_2000, JPEG_2000_LOSSLESS, JPEG_BASELINE, JPEG_LOSSLESS, JPEG_LS_LOSSLESS, RLE_LOSSLESS, TRANSFER_SYNTAXES, transferSyntax } from '#standards/dicom/transfer-syntax.ts'

const preferences = fc.uniqueArray(fc.constantFrom(...TRANSFER_SYNTAXES.keys(), '1.2.3'), { maxLength: 20 })
const isLossy = (uid: string): boolean => transferSyntax(uid).lossy

test('whatever a caller likes best, a pack that others share is never asked for in a lossy syntax before a lossless one', t => {
  fc.assert(fc.property(preferences, fc.nat(3), (preference, attempt) => {
    for (const order of [receivingOrder(preference, attempt), proposedSyntaxes(preference, attempt)]) {
      const firstLossy = order.findIndex(isLossy)
      if (firstLossy >= 0 && !order.slice(firstLossy).every(isLossy)) return false
      if (isLossy(order[0])) return false
    }
    return true
  }))
  t.end()
})

test('whatever a caller likes best, every syntax is received', t => {
  fc.assert(fc.property(preferences, fc.nat(3), (preference, attempt) => {
    const order = receivingOrder(preference, attempt)
    return order.length === RECEIVED_SYNTAXES.length && RECEIVED_SYNTAXES.every(uid => order.includes(uid))
  }))
  fc.assert(fc.property(preferences, fc.integer({ min: 1, max: 3 }), (preference, attempt) => proposedSyntaxes(preference, attempt).length === RECEIVED_SYNTAXES.length))
  t.end()
})

test('a caller\'s lossless syntaxes come first, in their order', t => {
  t.same(receivingOrder([RLE_LOSSLESS, JPEG_BASELINE, EXPLICIT_LE]).slice(0, 3), [RLE_LOSSLESS, EXPLICIT_LE, JPEG_LS_LOSSLESS])
  t.same(proposedSyntaxes([RLE_LOSSLESS, JPEG_BASELINE, EXPLICIT_LE]), [RLE_LOSSLESS, EXPLICIT_LE])
  t.same(proposedSyntaxes([JPEG_BASELINE, JPEG_2000]), RECEIVED_SYNTAXES, 'who accepts only lossy ones gets no say')
  t.same(receivingOrder([], 0), RECEIVED_SYNTAXES)
  t.same(receivingOrder([JPEG_LOSSLESS], 1).slice(0, 2), [EXPLICIT_LE, IMPLICIT_LE], 'what doesn\'t come so is likely held uncompressed')
  t.end()
})

test('what a caller likes no better than anything else is no wish', t => {
  const wished = (accept: string): readonly string[] => wishedSyntaxes(objectAccept(parseAccept(accept), 'application/dicom'))
  const range = (uid: string, q = 1): string => `multipart/related; type="application/dicom"; transfer-syntax=${uid}; q=${q}`
  t.same(wished([range(JPEG_2000_LOSSLESS, 0.5), range(EXPLICIT_LE)].join()), [EXPLICIT_LE, JPEG_2000_LOSSLESS])
  t.same(wished([range(EXPLICIT_LE), range('*', 0.1)].join()), [EXPLICIT_LE])
  t.same(wished([range(EXPLICIT_LE), range('*')].join()), [])
  t.same(wished('multipart/related; type="application/dicom"'), [])
  t.end()
})

test('retrieves that are under way together are heard only while they agree', async t => {
  const orders = new ReceivingOrders()
  const [own, other] = [receivingOrder([RLE_LOSSLESS]), receivingOrder([EXPLICIT_LE])]
  t.same(orders.current, RECEIVED_SYNTAXES)
  await orders.during(own, async () => {
    t.same(orders.current, own)
    await orders.during([...own], async () => { t.same(orders.current, own) })
    await orders.during(other, async () => { t.same(orders.current, RECEIVED_SYNTAXES) })
    await t.rejects(orders.during(other, async () => { throw new Error('failed') }))
    t.same(orders.current, own)
  })
  t.same(orders.current, RECEIVED_SYNTAXES)
})
