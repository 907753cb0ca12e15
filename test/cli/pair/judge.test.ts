import { test } from 'tap'
import { judgeMove, type Knock } from '#cli/pair/judge.ts'
import type { MoveResult } from '#standards/dimse/query-retrieve.ts'

const NOTHING_FAILED: MoveResult = { status: 0, completed: 1, failed: 0, failedUids: [] }
const ONE_FAILED: MoveResult = { status: 0xb000, completed: 0, failed: 1, failedUids: ['1.2.3'] }
const REQUEST: Knock = { type: 'request', callingTitle: 'PACS', calledTitle: 'DRIMBOX', address: '10.0.0.5', offered: [] }

function names (result: MoveResult | undefined, knocks: readonly Knock[]): string[] {
  return judgeMove(result, knocks, 'DRIMBOX').map(({ name }) => name)
}

test('each way in which a C-MOVE goes astray leads to the setting behind it', t => {
  t.same(names({ status: 0xa801, failedUids: [] }, []), ['move-title-unknown'])
  t.same(names(NOTHING_FAILED, []), ['move-elsewhere'])
  t.same(names(ONE_FAILED, []), ['move-unreachable'])
  t.same(names({ status: 0xa702, failed: 1, failedUids: [] }, []), ['move-unreachable'])
  t.same(names({ status: 0xc001, failedUids: [] }, []), ['move-refused'])
  t.same(names(undefined, []), ['move-silent'])
  t.end()
})

test('a PACS that calls us by another title is told which one, whatever status it gives', t => {
  const knock: Knock = { type: 'rejected', callingTitle: 'PACS', calledTitle: 'drimbox', address: '10.0.0.5', why: 'called-AE-title-not-recognized' }
  t.match(judgeMove(ONE_FAILED, [REQUEST, knock], 'DRIMBOX'), [{ name: 'return-title-wrong', facts: { calledTitle: 'drimbox', address: '10.0.0.5', status: '0xB000' } }])
  t.same(names(NOTHING_FAILED, [knock]), ['return-title-wrong'])
  t.end()
})

test('a PACS that reaches us but not as far as an object is told where it stopped', t => {
  t.same(names(ONE_FAILED, [{ type: 'tls-failed', address: '10.0.0.5', why: 'wrong version number' }]), ['return-tls-failed'])
  t.same(names(ONE_FAILED, [REQUEST, { type: 'accepted', address: '10.0.0.5', contexts: 0 }]), ['return-nothing-agreed'])
  t.same(names(ONE_FAILED, [REQUEST, { type: 'accepted', address: '10.0.0.5', contexts: 3 }, { type: 'ended', address: '10.0.0.5', why: 'the peer closed the connection' }]), ['return-broken'])
  t.end()
})
