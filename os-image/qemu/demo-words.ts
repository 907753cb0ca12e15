/** What `make demo-update` says: French first, English below it. */

import type { State } from '#fleet/mender/states.ts'

export const STATES: Readonly<Record<State, readonly [fr: string, en: string]>> = {
  pending: ['proposée, l\'appareil n\'a pas encore demandé', 'offered, the box has not asked yet'],
  downloading: ['téléchargement dans l\'emplacement libre', 'downloading into the idle slot'],
  pause_before_installing: ['en pause avant l\'installation', 'paused before installing'],
  installing: ['installation, puis contrôle', 'installing, then checking'],
  pause_before_rebooting: ['en pause avant le redémarrage', 'paused before rebooting'],
  rebooting: ['redémarrage sur la nouvelle version', 'rebooting into the new version'],
  pause_before_committing: ['en pause avant la validation', 'paused before committing'],
  success: ['validée', 'committed'],
  failure: ['refusée ou abandonnée par l\'appareil', 'refused or given up by the box'],
  'already-installed': ['déjà en place', 'already there'],
  incompatible: ['non destinée à cet appareil', 'not made for this box'],
  aborted: ['abandonnée par l\'opérateur', 'aborted by the operator']
}

/** One line for people: French, then English, dimmed where a terminal watches. */
export function say (fr: string, en: string): void {
  const [dim, plain] = process.stdout.isTTY ? ['\u001b[2m', '\u001b[0m'] : ['', '']
  console.log(`${clock()}  ${fr}\n${' '.repeat(10)}${dim}${en}${plain}`)
}

const bar = (share: number): string => '█'.repeat(Math.round(share * 30)).padEnd(30, '░')

/** The line of progress, drawn over itself; nothing where nobody watches. */
export function draw ({ sentBytes, bytes }: { readonly sentBytes: number, readonly bytes: number }): void {
  if (process.stdout.isTTY) process.stdout.write(`\r\u001b[2K${' '.repeat(10)}${bar(sentBytes / bytes)} ${(sentBytes / 1e6).toFixed(0)} / ${(bytes / 1e6).toFixed(0)} Mo${sentBytes === bytes ? '\n' : '\r'}`)
}

function clock (): string {
  return new Date().toTimeString().slice(0, 8)
}
