/**
 * The life of an association as the standard draws it: state × event → action, next state.
 *
 * Source: DICOM PS3.8 §9.2, Tables 9-1 to 9-10. This file is data; upper-layer.ts does what the actions say.
 */

/**
 * Table 9-1 to 9-5. 1 idle; 2 awaiting A-ASSOCIATE-RQ; 3 awaiting local answer to it; 4 awaiting transport;
 * 5 awaiting A-ASSOCIATE-AC or -RJ; 6 association established; 7 awaiting A-RELEASE-RP; 8 awaiting local answer
 * to A-RELEASE-RQ; 9 to 12 release collision; 13 awaiting the transport's close.
 */
export type State = 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10 | 11 | 12 | 13

/** Tables 9-6 to 9-9. */
export type Action =
  | 'AE-1' | 'AE-2' | 'AE-3' | 'AE-4' | 'AE-5' | 'AE-6' | 'AE-7' | 'AE-8'
  | 'DT-1' | 'DT-2'
  | 'AR-1' | 'AR-2' | 'AR-3' | 'AR-4' | 'AR-5' | 'AR-6' | 'AR-7' | 'AR-8' | 'AR-9' | 'AR-10'
  | 'AA-1' | 'AA-2' | 'AA-3' | 'AA-4' | 'AA-5' | 'AA-6' | 'AA-7' | 'AA-8'

export type Event =
  | 'associate request' // Evt1, local
  | 'transport confirm' // Evt2
  | 'A-ASSOCIATE-AC' // Evt3
  | 'A-ASSOCIATE-RJ' // Evt4
  | 'transport indication' // Evt5
  | 'A-ASSOCIATE-RQ' // Evt6
  | 'associate accept' // Evt7, local
  | 'associate reject' // Evt8, local
  | 'data request' // Evt9, local
  | 'P-DATA-TF' // Evt10
  | 'release request' // Evt11, local
  | 'A-RELEASE-RQ' // Evt12
  | 'A-RELEASE-RP' // Evt13
  | 'release response' // Evt14, local
  | 'abort request' // Evt15, local
  | 'A-ABORT' // Evt16
  | 'transport closed' // Evt17
  | 'ARTIM expired' // Evt18
  | 'invalid PDU' // Evt19

type Row = readonly [null, ...(Action | null)[]]

/** Table 9-10. The first column is a filler, so that a row is indexed by the number of its state. */
export const TRANSITIONS: Readonly<Record<Event, Row>> = {
  //                       –     Sta1    Sta2    Sta3    Sta4    Sta5    Sta6    Sta7    Sta8    Sta9    Sta10    Sta11   Sta12   Sta13
  'associate request': [null, 'AE-1', null, null, null, null, null, null, null, null, null, null, null, null],
  'transport confirm': [null, null, null, null, 'AE-2', null, null, null, null, null, null, null, null, null],
  'A-ASSOCIATE-AC': [null, null, 'AA-1', 'AA-8', null, 'AE-3', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-6'],
  'A-ASSOCIATE-RJ': [null, null, 'AA-1', 'AA-8', null, 'AE-4', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-6'],
  'transport indication': [null, 'AE-5', null, null, null, null, null, null, null, null, null, null, null, null],
  'A-ASSOCIATE-RQ': [null, null, 'AE-6', 'AA-8', null, 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-7'],
  'associate accept': [null, null, null, 'AE-7', null, null, null, null, null, null, null, null, null, null],
  'associate reject': [null, null, null, 'AE-8', null, null, null, null, null, null, null, null, null, null],
  'data request': [null, null, null, null, null, null, 'DT-1', null, 'AR-7', null, null, null, null, null],
  'P-DATA-TF': [null, null, 'AA-1', 'AA-8', null, 'AA-8', 'DT-2', 'AR-6', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-6'],
  'release request': [null, null, null, null, null, null, 'AR-1', null, null, null, null, null, null, null],
  'A-RELEASE-RQ': [null, null, 'AA-1', 'AA-8', null, 'AA-8', 'AR-2', 'AR-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-6'],
  'A-RELEASE-RP': [null, null, 'AA-1', 'AA-8', null, 'AA-8', 'AA-8', 'AR-3', 'AA-8', 'AA-8', 'AR-10', 'AR-3', 'AA-8', 'AA-6'],
  'release response': [null, null, null, null, null, null, null, null, 'AR-4', 'AR-9', null, null, 'AR-4', null],
  'abort request': [null, null, null, 'AA-1', 'AA-2', 'AA-1', 'AA-1', 'AA-1', 'AA-1', 'AA-1', 'AA-1', 'AA-1', 'AA-1', null],
  'A-ABORT': [null, null, 'AA-2', 'AA-3', null, 'AA-3', 'AA-3', 'AA-3', 'AA-3', 'AA-3', 'AA-3', 'AA-3', 'AA-3', 'AA-2'],
  'transport closed': [null, null, 'AA-5', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AA-4', 'AR-5'],
  'ARTIM expired': [null, null, 'AA-2', null, null, null, null, null, null, null, null, null, null, 'AA-2'],
  'invalid PDU': [null, null, 'AA-1', 'AA-8', null, 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-8', 'AA-7']
}

/**
 * Where each action leads. Two of them decide: AE-6 may refuse by itself and go to Sta13; AR-8 sends the
 * acceptor to Sta10.
 */
export const NEXT: Readonly<Record<Action, State>> = {
  'AE-1': 4,
  'AE-2': 5,
  'AE-3': 6,
  'AE-4': 1,
  'AE-5': 2,
  'AE-6': 3,
  'AE-7': 6,
  'AE-8': 13,
  'DT-1': 6,
  'DT-2': 6,
  'AR-1': 7,
  'AR-2': 8,
  'AR-3': 1,
  'AR-4': 13,
  'AR-5': 1,
  'AR-6': 7,
  'AR-7': 8,
  'AR-8': 9,
  'AR-9': 11,
  'AR-10': 12,
  'AA-1': 13,
  'AA-2': 1,
  'AA-3': 1,
  'AA-4': 1,
  'AA-5': 1,
  'AA-6': 13,
  'AA-7': 13,
  'AA-8': 13
}
