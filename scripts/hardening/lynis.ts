/**
 * What Lynis (CISOfy) finds inside a running appliance, and why it stays so. A test of Lynis that is not
 * named here makes the command fail.
 */

/** One line of its report: `warning[]=TEST|text|…` or `suggestion[]=…`. */
export interface Finding {
  readonly kind: 'warning' | 'suggestion'
  /** Lynis's name of the test: AUTH-9328 */
  readonly test: string
  readonly text: string
}

/** @param report Lynis's report file (`--report-file`) */
export function findingsOf (report: string): Finding[] {
  return [...report.matchAll(/^(warning|suggestion)\[\]=([A-Z]+(?:-\d+)?)\|([^|]*)\|/gm)]
    .map(([, kind, test, text]) => ({ kind: kind as Finding['kind'], test: test!, text: text!.trim() }))
}

/** Its own figure, of 100; 0 where the report has none. */
export const indexOf = (report: string): number => Number(/^hardening_index=(\d+)/m.exec(report)?.[1] ?? 0)

/** Reason by test. */
export const REASONS: Readonly<Record<string, string>> = {
  LYNIS: 'Debian 12\'s version is the one that was asked',
  'DEB-0280': 'there are no sessions: no PAM, no log-in',
  'DEB-0810': 'there is no package manager: an update replaces the whole system',
  'DEB-0811': 'there is no package manager: an update replaces the whole system',
  'DEB-0831': 'an update replaces the whole system and starts the machine again',
  'DEB-0880': 'nobody can log in; the front limits what one caller may ask, and handshakes that fail',
  'BOOT-5180': 'systemd has no runlevels; what starts stands in one preset (00-drimbox.preset)',
  'BOOT-5264': 'the table of units above',
  'AUTH-9262': 'there are no passwords',
  'USB-1000': 'a stick brings signed settings; it is mounted read-only, noexec, and only two signed files of it are read',
  'STRG-1846': 'the image holds no FireWire module',
  'NAME-4028': 'names come from DHCP or from the settings of the site',
  'NAME-4404': '/etc/hosts is written at each start, with the names that were asked for (drimbox-firewall)',
  'PKGS-7398': 'the bill of materials, made with the image, is compared with Debian\'s security index (`make sbom`)',
  'PKGS-7420': 'Mender\'s client, with a signed image',
  'NETW-3200': 'the image holds none of these modules, and unsigned ones aren\'t loaded',
  'LOGG-2130': 'journald is the log, bounded, on the data partition',
  'LOGG-2138': 'journald reads the kernel\'s log',
  'LOGG-2146': 'journald bounds its own files',
  'ACCT-9622': 'no users whose work would be counted; each unit has its own bounds and figures',
  'ACCT-9626': 'no users whose work would be counted; each unit has its own bounds and figures',
  'ACCT-9628': 'nobody logs in, and no program comes that was not signed; what the services do is told in the journal',
  'CRYP-7902': 'two of the authorities of Debian\'s list have run out; they are Mozilla\'s to remove, and vouch for nothing any more',
  'TOOL-5002': 'settings come signed, on a stick; updates from the fleet server',
  'KRNL-6000': 'kernel.modules_disabled: a stick or a network card that appears needs its (signed) module',
  'HRDN-7230': 'each block of the root is proved by its hash, the data partition runs nothing'
}

/** Those that nobody has explained. */
export const unexplained = (findings: readonly Finding[]): Finding[] => findings.filter(({ test }) => REASONS[test] === undefined)
