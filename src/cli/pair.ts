/**
 * `drimbox pair`: proves a PACS end to end, names every setting that is missing, and writes the sheet for whoever keeps
 * the PACS.
 */

import { writeFile } from 'node:fs/promises'
import { CapacityError } from '#core/errors.ts'
import { assertCount, readOptions } from './options.ts'
import { prove } from './pair/proof.ts'
import { introduction, stepLines, verdict } from './pair/report.ts'
import { sheet } from './pair/sheet.ts'
import { PACS_OPTIONS, settingsOf } from './settings.ts'
import { EXIT, type Verb } from './terminal.ts'

export const pairVerb: Verb = async (args, terminal) => {
  const { words, signal } = terminal
  const given = readOptions(args, { ...PACS_OPTIONS, sheet: 'text', json: 'flag' }, words)
  assertCount(given, 0, 0, words)
  const config = await settingsOf(given, words)
  const isForPeople = !given.flag('json')
  let isIntroduced = false
  const proof = await prove(config, {
    signal,
    language: words.language,
    onBegin (step, site) {
      if (isForPeople && !isIntroduced) terminal.out(introduction(site, words))
      isIntroduced = true
      terminal.progress(words.pair.underWay(words.pair.steps[step]))
    },
    onStep (step, site) {
      if (isForPeople) terminal.out(stepLines(step, site, words))
    }
  })
  terminal.progress(undefined)
  const file = given.text('sheet')
  if (isForPeople) {
    terminal.out(verdict(proof, words))
    if (file === undefined) terminal.out(`\n${sheet(config, proof, words, { whole: false })}`)
  } else {
    terminal.out(JSON.stringify({
      ...proof,
      steps: proof.steps.map(step => ({ ...step, findings: step.findings.map(finding => ({ ...finding, ...words.pair.findings[finding.name](proof.site, finding.facts) })) }))
    }, undefined, 2))
  }
  if (file !== undefined) {
    try {
      await writeFile(file, sheet(config, proof, words, { whole: true }))
    } catch (error) {
      throw new CapacityError('STORE_FAILED', 'the sheet could not be written', { cause: error, facts: { file } })
    }
    terminal.err(words.pair.sheetWritten(file))
  }
  return proof.passed ? EXIT.ok : EXIT.failed
}
