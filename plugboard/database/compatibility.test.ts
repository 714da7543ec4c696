import { expect, test } from 'vitest'
import { isOlder } from './compatibility.ts'

test.each([
  ['0.1.0', '0.1.0', false],
  ['0.1.0', '0.1.1', true],
  ['0.9.9', '0.10.0', true],
  ['1.0.0', '0.10.0', false],
  ['0.2.0-rc.1', '0.2.0', false],
  ['2.0.0', '10.0.0', true],
])('version %s before %s: %s', (version, other, older) => {
  expect(isOlder(version, other)).toBe(older)
})
