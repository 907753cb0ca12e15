/**
 * Format and lint in one: the standard style, plus the one rule that keeps the house in order,
 * imports that point one way (docs/architecture.md, "Which way imports point").
 */
import neostandard from 'neostandard'

const shelves = {
  'src/core/**': ['#standards/*', '#box/*', '#fleet/*', '#signer/*', '#status/*', '#sim/*', '#cli/*', '#test/*'],
  'src/standards/**': ['#box/*', '#fleet/*', '#signer/*', '#status/*', '#sim/*', '#cli/*', '#test/*'],
  'src/box/**': ['#fleet/*', '#signer/*', '#status/*', '#sim/*', '#cli/*', '#test/*'],
  'src/fleet/**': ['#box/*', '#signer/*', '#status/*', '#sim/*', '#cli/*', '#test/*'],
  'src/signer/**': ['#box/*', '#fleet/*', '#status/*', '#sim/*', '#cli/*', '#test/*'],
  'src/status/**': ['#box/*', '#fleet/*', '#signer/*', '#sim/*', '#cli/*', '#test/*'],
  'src/sim/**': ['#box/*', '#fleet/*', '#signer/*', '#status/*', '#cli/*', '#test/*'],
  'src/cli/**': ['#signer/*', '#status/*', '#sim/*', '#test/*']
}

export default [
  ...neostandard({ ts: true, ignores: ['var/**'] }),
  ...Object.entries(shelves).map(([files, wrongWays]) => ({
    files: [files],
    rules: {
      'no-restricted-imports': ['error', {
        patterns: [
          { group: wrongWays, message: 'imports point core <- standards <- box | fleet | signer | status | sim <- cli' },
          { regex: '^\\.\\./.*\\.\\./|^\\.\\./(core|standards|box|fleet|signer|status|sim|cli)/', message: 'name another shelf by its #word' }
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
