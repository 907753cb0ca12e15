/**
 * The return-path proof as data: which steps there are, how each ended, and what was found out on the way. Words
 * for people are made of it elsewhere, so that a script reads the same.
 */

import type { Facts } from '#core/errors.ts'

/** In the order in which they are taken. */
export const STEPS = ['name', 'tcp', 'tls', 'association', 'echo', 'find', 'move', 'get'] as const

export type StepName = typeof STEPS[number]

/** `warned`: not as it should be, yet the box works with it. `skipped`: a step before it failed, or nobody needs it. */
export type Mark = 'passed' | 'warned' | 'failed' | 'skipped'

/**
 * Whose work it is to change something: the PACS's keeper, the network's, or ours. A finding's name is a promise, as
 * an error's code is: scripts quote it.
 */
export const FINDINGS = {
  'name-unknown': 'network',
  'tcp-refused': 'pacs',
  'tcp-silent': 'network',
  'tcp-no-route': 'network',
  'tcp-failed': 'network',
  'tls-failed': 'pacs',
  'called-title-refused': 'box',
  'calling-title-refused': 'pacs',
  'association-busy': 'pacs',
  'association-refused': 'pacs',
  'association-closed': 'pacs',
  'association-silent': 'pacs',
  'protocol-broken': 'pacs',
  'service-not-offered': 'pacs',
  'echo-failed': 'pacs',
  'find-failed': 'pacs',
  'find-empty': 'pacs',
  'find-no-instance': 'pacs',
  'port-taken': 'box',
  'port-forbidden': 'box',
  'port-failed': 'box',
  'port-random': 'box',
  'listens-elsewhere': 'box',
  'move-title-unknown': 'pacs',
  'move-refused': 'pacs',
  'move-unreachable': 'pacs',
  'move-elsewhere': 'pacs',
  'move-silent': 'pacs',
  'return-title-wrong': 'pacs',
  'return-tls-failed': 'pacs',
  'return-nothing-agreed': 'pacs',
  'return-broken': 'network',
  'sender-not-admitted': 'box',
  'get-failed': 'pacs',
  'get-nothing': 'pacs',
  'method-get-works': 'box',
  'box-refused': 'box',
  'box-had-it': 'box',
  interrupted: 'box'
} as const satisfies Record<string, 'pacs' | 'network' | 'box'>

export type FindingName = keyof typeof FINDINGS

export interface Finding {
  readonly name: FindingName
  readonly facts: Facts
}

export interface Step {
  readonly step: StepName
  readonly mark: Mark
  readonly milliseconds: number
  readonly facts: Facts
  readonly findings: readonly Finding[]
}

/** Both ends, as the words name them. */
export interface Site {
  readonly ourTitle: string
  /** Ours, as this machine has it towards the PACS; undefined while that is unknown. */
  readonly ourAddress: string | undefined
  readonly ourPort: number
  readonly pacsTitle: string
  readonly pacsHost: string
  readonly pacsPort: number
}

/** What one step leaves behind. */
export interface Outcome {
  readonly mark?: Mark
  readonly facts?: Facts
  readonly findings?: readonly Finding[]
}

export function found (name: FindingName, facts: Facts = {}): Finding {
  return { name, facts }
}
