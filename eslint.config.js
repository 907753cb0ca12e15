/**
 * Format and lint in one: the standard style, plus the one rule that keeps the house in order,
 * imports that point one way (docs/architecture.md, "Which way imports point").
 */
import neostandard from 'neostandard'

/** What each shelf may import beside itself; the rest it may not. */
const shelves = {
  core: [],
  standards: ['core'],
  box: ['core', 'standards'],
  fleet: ['core', 'standards'],
  signer: ['core', 'standards'],
  status: ['core', 'standards'],
  sim: ['core', 'standards'],
  cli: ['core', 'standards', 'box', 'fleet']
}
const names = Object.keys(shelves)
const wrongWays = (shelf, allowed) => [...names, 'test'].filter(name => name !== shelf && !allowed.includes(name)).map(name => `#${name}/*`)

export default [
  ...neostandard({ ts: true, ignores: ['var/**'] }),
  ...Object.entries(shelves).map(([shelf, allowed]) => ({
    files: [`src/${shelf}/**`],
    rules: {
      'no-restricted-imports': ['error', {
        patterns: [
          { group: wrongWays(shelf, allowed), message: 'imports point core <- standards <- box | fleet | signer | status | sim <- cli' },
          { regex: `^\\.\\./.*\\.\\./|^\\.\\./(${names.join('|')})/`, message: 'name another shelf by its #word' }
        ]
      }]
    }
  })),
  {
    files: ['**/*.ts'],
    rules: {
      // `using _held = …` holds something until the end of its block.
      '@typescript-eslint/no-unused-vars': ['error', { args: 'none', caughtErrors: 'none', ignoreRestSiblings: true, vars: 'all', varsIgnorePattern: '^_' }]
    }
  },
  {
    rules: {
      // `void promise` says that nobody waits for it on purpose.
      'no-void': ['error', { allowAsStatement: true }],
      // A standard's line of hexadecimal or a table reads best on one line.
      '@stylistic/max-len': 'off'
    }
  }
]
