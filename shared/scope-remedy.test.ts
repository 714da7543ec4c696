// Checks that the command of the remedy issues a token with the needed scope.

import { expect, it } from 'vitest'
import { coverageText, scopeRemedy, type TokenScope } from './scope-remedy.ts'

const own: TokenScope = { issuer: undefined, subject: 'ada', services: ['tunnel-*'], mounts: ['*.t.test'] }

it.each([
  [
    { service: 'web', mount: undefined },
    own,
    "--name ada --service 'tunnel-*' --service web --mount '*.t.test'",
  ],
  [
    { service: 'tunnel-x', mount: 'app.test/a' },
    own,
    "--name ada --service 'tunnel-*' --mount '*.t.test' --mount app.test/a",
  ],
  [
    { service: 'web', mount: 'x.t.test' },
    own,
    "--name ada --service 'tunnel-*' --service web --mount '*.t.test'",
  ],
  [
    { service: 'web', mount: 'app.test' },
    { ...own, subject: undefined, services: Array.from({ length: 9 }, (_, index) => `s${index}`) },
    "--name <name> --service web --mount '*.t.test' --mount app.test",
  ],
  [
    { service: 'web', mount: undefined },
    { ...own, services: ['s'.repeat(200)], mounts: [] },
    '--name ada --service web',
  ],
])('adds %j to the present scope', (needed, token, flags) => {
  expect(scopeRemedy(needed, token)).toBe(`Issue a token that does: plugboard token issue ${flags}`)
})

it('names the issuer when Plugboard cannot issue the token', () => {
  const token = { ...own, issuer: 'https://id.test' }
  expect(scopeRemedy({ service: 'web', mount: 'app.test' }, token)).toBe(
    'Get a token that has it in the claims "services" and "mounts" from its issuer, https://id.test',
  )
})

it('lists a few names, and prints the number of many', () => {
  expect(coverageText([])).toBe('it covers no name')
  expect(coverageText(['a', 'b-*'])).toBe('it covers a, b-*')
  expect(coverageText(Array.from({ length: 1000 }, () => 'x'))).toBe('it covers 1000 names')
  expect(coverageText(['x'.repeat(2000)])).toBe('it covers one long name')
})
