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
  return [...report.matchAll(/^(warning|suggestion)\[\]=([A-Z]+-\d+)\|([^|]*)\|/gm)]
    .map(([, kind, test, text]) => ({ kind: kind as Finding['kind'], test: test!, text: text!.trim() }))
}

/** Its own figure, of 100; 0 where the report has none. */
export const indexOf = (report: string): number => Number(/^hardening_index=(\d+)/m.exec(report)?.[1] ?? 0)

/** Reason by test. */
export const REASONS: Readonly<Record<string, string>> = {
}

/** Those that nobody has explained. */
export const unexplained = (findings: readonly Finding[]): Finding[] => findings.filter(({ test }) => REASONS[test] === undefined)
