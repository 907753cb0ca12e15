#!/usr/bin/env node
/**
 * The command line: finds the verb, hands it a terminal, turns its end into an exit code.
 *
 *     drimbox pair --config=/var/lib/drimbox/config.json
 */

import { BoxRefusal } from '#cli/admin.ts'
import { benchVerb } from '#cli/bench.ts'
import { cacheVerb } from '#cli/cache.ts'
import { drainVerb } from '#cli/drain.ts'
import { echoVerb } from '#cli/echo.ts'
import { tellFailure, tellRefusal } from '#cli/failure.ts'
import { findVerb } from '#cli/find.ts'
import { fleetVerb } from '#cli/fleet.ts'
import { getVerb } from '#cli/get.ts'
import { UsageError } from '#cli/options.ts'
import { pairVerb } from '#cli/pair.ts'
import { statusVerb } from '#cli/status.ts'
import { EXIT, openTerminal, type Terminal, type Verb } from '#cli/terminal.ts'
import { wordsFor } from '#cli/words.ts'

const VERBS = { echo: echoVerb, find: findVerb, get: getVerb, pair: pairVerb, bench: benchVerb, cache: cacheVerb, status: statusVerb, drain: drainVerb, fleet: fleetVerb } as const satisfies Record<string, Verb>

const args = process.argv.slice(2)
const interrupted = new AbortController()
// The first Ctrl-C ends the work in good order, the second one ends the program.
process.once('SIGINT', () => { interrupted.abort() })
process.once('SIGTERM', () => { interrupted.abort() })
// `drimbox find | head` is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? EXIT.ok : EXIT.failed) })
process.exitCode = await run(args, openTerminal(wordsFor(languageIn(args), process.env), interrupted.signal))

async function run (args: readonly string[], terminal: Terminal): Promise<number> {
  const { words } = terminal
  const [name, ...rest] = withoutLeadingLanguage(args)
  const verb = name !== undefined && Object.hasOwn(VERBS, name) ? VERBS[name as keyof typeof VERBS] : undefined
  if (verb === undefined) {
    const isAsked = name === undefined || name === '--help' || name === 'help'
    if (!isAsked) terminal.err(words.usage.unknownVerb(name))
    terminal.out(words.help.drimbox)
    return isAsked ? EXIT.ok : EXIT.usage
  }
  if (rest.includes('--help')) {
    terminal.out(words.help[name as keyof typeof VERBS])
    return EXIT.ok
  }
  try {
    return await verb(rest, terminal)
  } catch (error) {
    terminal.progress(undefined)
    if (error instanceof UsageError) {
      terminal.err(`${error.message}\n${words.usage.seeHelp(name!)}`)
      return EXIT.usage
    }
    terminal.err(error instanceof BoxRefusal ? tellRefusal(error) : tellFailure(error, words))
    return EXIT.failed
  }
}

function withoutLeadingLanguage (args: readonly string[]): readonly string[] {
  if (args[0]?.startsWith('--lang=') === true) return args.slice(1)
  return args[0] === '--lang' ? args.slice(2) : args
}

/** Needed before the options are read, since they may have to be complained about. */
function languageIn (args: readonly string[]): string | undefined {
  const at = args.findLastIndex(arg => arg === '--lang' || arg.startsWith('--lang='))
  if (at === -1) return undefined
  return args[at] === '--lang' ? args[at + 1] : args[at]!.slice('--lang='.length)
}
