import { Duplex } from 'node:stream'
import type { Socket } from 'node:net'
import { test } from 'tap'
import { APPLICATION_CONTEXT, encodeAssociateAccept, encodeAssociateRequest } from '#standards/dimse/associate.ts'
import { LIMITS, TIMERS } from '#standards/dimse/limits.ts'
import { encodeAbort, encodeReject, encodeReleaseRequest, encodeReleaseResponse } from '#standards/dimse/pdu.ts'
import { PeerError } from '#core/errors.ts'
import { NEXT, TRANSITIONS, type Action, type Event, type State } from '#standards/dimse/states.ts'
import { UpperLayer, type ServiceUser } from '#standards/dimse/upper-layer.ts'
import { associateRequest, echoRequest } from '#test/fixtures/dimse.ts'

/** PS3.8 Table 9-10 as it is printed: a line for each event, a column for each state. */
const TABLE_9_10 = `
  associate request     AE-1 -    -    -    -    -    -    -    -    -     -    -    -
  transport confirm     -    -    -    AE-2 -    -    -    -    -    -     -    -    -
  A-ASSOCIATE-AC        -    AA-1 AA-8 -    AE-3 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
  A-ASSOCIATE-RJ        -    AA-1 AA-8 -    AE-4 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
  transport indication  AE-5 -    -    -    -    -    -    -    -    -     -    -    -
  A-ASSOCIATE-RQ        -    AE-6 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-7
  associate accept      -    -    AE-7 -    -    -    -    -    -    -     -    -    -
  associate reject      -    -    AE-8 -    -    -    -    -    -    -     -    -    -
  data request          -    -    -    -    -    DT-1 -    AR-7 -    -     -    -    -
  P-DATA-TF             -    AA-1 AA-8 -    AA-8 DT-2 AR-6 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
  release request       -    -    -    -    -    AR-1 -    -    -    -     -    -    -
  A-RELEASE-RQ          -    AA-1 AA-8 -    AA-8 AR-2 AR-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-6
  A-RELEASE-RP          -    AA-1 AA-8 -    AA-8 AA-8 AR-3 AA-8 AA-8 AR-10 AR-3 AA-8 AA-6
  release response      -    -    -    -    -    -    -    AR-4 AR-9 -     -    AR-4 -
  abort request         -    -    AA-1 AA-2 AA-1 AA-1 AA-1 AA-1 AA-1 AA-1  AA-1 AA-1 -
  A-ABORT               -    AA-2 AA-3 -    AA-3 AA-3 AA-3 AA-3 AA-3 AA-3  AA-3 AA-3 AA-2
  transport closed      -    AA-5 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4 AA-4  AA-4 AA-4 AR-5
  ARTIM expired         -    AA-2 -    -    -    -    -    -    -    -     -    -    AA-2
  invalid PDU           -    AA-1 AA-8 -    AA-8 AA-8 AA-8 AA-8 AA-8 AA-8  AA-8 AA-8 AA-7`

const rows = TABLE_9_10.split('\n').slice(1).map(line => {
  const event = line.slice(0, 24).trim() as Event
  return { event, actions: line.slice(24).split(/ +/) }
})

test('every cell of PS3.8 Table 9-10 is the standard\'s', async t => {
  t.same(rows.map(({ event }) => event), Object.keys(TRANSITIONS))
  for (const { event, actions } of rows) {
    t.equal(actions.length, 13, event)
    for (const [index, action] of actions.entries()) {
      t.equal(TRANSITIONS[event][index + 1], action === '-' ? null : action, `${event} in Sta${index + 1}`)
    }
  }
})

test('every action leads where Tables 9-6 to 9-9 say', async t => {
  const leads: Readonly<Record<string, string>> = {
    1: 'AE-4 AR-3 AR-5 AA-2 AA-3 AA-4 AA-5',
    2: 'AE-5',
    3: 'AE-6',
    4: 'AE-1',
    5: 'AE-2',
    6: 'AE-3 AE-7 DT-1 DT-2',
    7: 'AR-1 AR-6',
    8: 'AR-2 AR-7',
    9: 'AR-8',
    11: 'AR-9',
    12: 'AR-10',
    13: 'AE-8 AR-4 AA-1 AA-6 AA-7 AA-8'
  }
  const expected = Object.fromEntries(Object.entries(leads).flatMap(([state, actions]) => actions.split(' ').map(action => [action, Number(state)])))
  t.same(NEXT, expected)
})

/** A transport that notes what is written, and brings what it is told to. */
class Transport extends Duplex {
  readonly written: number[] = []
  override _read (): void {}
  override _write (chunk: Buffer, _: unknown, done: () => void): void {
    this.written.push(chunk[0]!)
    done()
  }

  setNoDelay (): void {}
}

interface Scene { readonly transport: Transport, readonly upper: UpperLayer, readonly over: (PeerError | undefined)[] }

function scene (role: 'requestor' | 'acceptor', answer = true): Scene {
  const transport = new Transport()
  const over: (PeerError | undefined)[] = []
  const user: ServiceUser = {
    indicated (request) { if (answer) upper.accept({ ...request, contexts: [] }) },
    confirmed () {},
    fragment () {},
    fragmentEnds () {},
    over (reason) { over.push(reason) },
    closed () {}
  }
  const upper: UpperLayer = new UpperLayer(transport as unknown as Socket, user, { timers: TIMERS, limits: LIMITS, facts: {} }, role === 'requestor' ? associateRequest() : undefined)
  return { transport, upper, over }
}

const request = encodeAssociateRequest(associateRequest())
const accept = encodeAssociateAccept({ ...associateRequest(), applicationContext: APPLICATION_CONTEXT, contexts: [] })

/** How to get to the states in which the engine waits for somebody; it leaves the others within the same turn. */
const WAYS: Readonly<Partial<Record<State, () => Scene>>> = {
  2: () => scene('acceptor'),
  3: () => after(scene('acceptor', false), ({ transport }) => { transport.emit('data', request) }),
  5: () => after(scene('requestor'), () => {}),
  6: () => after(scene('requestor'), ({ transport }) => { transport.emit('data', accept) }),
  7: () => after(WAYS[6]!(), ({ upper }) => { upper.release() }),
  10: () => after(scene('acceptor'), ({ transport, upper }) => {
    transport.emit('data', request)
    upper.release()
    transport.emit('data', encodeReleaseRequest())
  }),
  11: () => after(WAYS[7]!(), ({ transport }) => { transport.emit('data', encodeReleaseRequest()) }),
  13: () => after(WAYS[6]!(), ({ transport }) => { transport.emit('data', encodeReleaseRequest()) })
}

function after (scene: Scene, act: (scene: Scene) => void): Scene {
  act(scene)
  scene.transport.written.length = 0
  return scene
}

const STIMULI: Readonly<Partial<Record<Event, (scene: Scene) => void>>> = {
  'A-ASSOCIATE-AC': ({ transport }) => { transport.emit('data', accept) },
  'A-ASSOCIATE-RJ': ({ transport }) => { transport.emit('data', encodeReject({ result: 1, source: 1, reason: 1 })) },
  'A-ASSOCIATE-RQ': ({ transport }) => { transport.emit('data', request) },
  'P-DATA-TF': ({ transport }) => { transport.emit('data', echoRequest().subarray(0, 12)) },
  'A-RELEASE-RQ': ({ transport }) => { transport.emit('data', encodeReleaseRequest()) },
  'A-RELEASE-RP': ({ transport }) => { transport.emit('data', encodeReleaseResponse()) },
  'abort request': ({ upper }) => { upper.abort(new PeerError('CANCELLED', 'enough')) },
  'A-ABORT': ({ transport }) => { transport.emit('data', encodeAbort({ source: 0, reason: 0 })) },
  'transport closed': ({ transport }) => { transport.emit('end') },
  'invalid PDU': ({ transport }) => { transport.emit('data', Buffer.of(0x2a, 0, 0, 0, 0, 0)) }
}

/** What the peer sees of each action: PDU types written; whether the transport is closed; and where it ends. */
const SEEN: Readonly<Partial<Record<Action, { readonly written: number[], readonly destroyed: boolean, readonly state: State }>>> = {
  'AE-3': { written: [], destroyed: false, state: 6 },
  'AE-4': { written: [], destroyed: true, state: 1 },
  'AE-6': { written: [2], destroyed: false, state: 6 },
  'DT-2': { written: [], destroyed: false, state: 6 },
  'AR-2': { written: [6], destroyed: false, state: 13 },
  'AR-3': { written: [], destroyed: true, state: 1 },
  'AR-5': { written: [], destroyed: true, state: 1 },
  'AR-6': { written: [], destroyed: false, state: 7 },
  'AR-8': { written: [6], destroyed: false, state: 11 },
  'AR-10': { written: [6], destroyed: false, state: 13 },
  'AA-1': { written: [7], destroyed: false, state: 13 },
  'AA-2': { written: [], destroyed: true, state: 1 },
  'AA-3': { written: [], destroyed: true, state: 1 },
  'AA-4': { written: [], destroyed: true, state: 1 },
  'AA-5': { written: [], destroyed: true, state: 1 },
  'AA-6': { written: [], destroyed: false, state: 13 },
  'AA-7': { written: [], destroyed: false, state: 13 },
  'AA-8': { written: [7], destroyed: false, state: 13 }
}

for (const [state, way] of Object.entries(WAYS)) {
  test(`in Sta${state}, whatever comes is answered as the table says`, async t => {
    for (const [event, stimulate] of Object.entries(STIMULI)) {
      const action = TRANSITIONS[event as Event][Number(state)]
      if (action == null) continue
      const current = way()
      t.equal(current.upper.state, Number(state))
      stimulate(current)
      const { transport, upper, over } = current
      t.same({ written: transport.written, destroyed: transport.destroyed, state: upper.state }, SEEN[action], `${event}: ${action}`)
      t.ok(over.length <= 1, 'the end is told once')
      t.equal(over.length, [1, 13].includes(upper.state) ? 1 : 0, `${event}: the end is told`)
      transport.destroy()
      await new Promise(resolve => transport.once('close', resolve))
      t.equal(over.length, 1)
    }
  })
}
