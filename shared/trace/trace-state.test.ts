import { expect, it } from 'vitest'
import { isTraceState } from './trace-state.ts'

const members = (count: number): string => Array.from({ length: count }, (_, index) => `k${index}=v`).join()

it.each([
  ['of one member', 'congo=t61rcWkgMzE', true],
  ['of two members with blanks around them', 'rojo=00f067aa0ba902b7 ,\t congo=t61rcWkgMzE', true],
  ['with empty members', ',,congo=1,', true],
  ['with a space within a value', 'a=1 2', true],
  ['with a key of several tenants', '0tenant@system=1', true],
  ['with 32 members', members(32), true],
  ['with 33 members', members(33), false],
  ['with the longest key and value', `${'a'.repeat(256)}=${'b'.repeat(256)}`, true],
  ['with a longer key', `${'a'.repeat(257)}=1`, false],
  ['with a longer value', `a=${'b'.repeat(257)}`, false],
  ['with a key twice', 'a=1,b=2,a=3', false],
  ['with an upper-case key', 'Congo=1', false],
  ['with a member without a value', 'a=', false],
  ['with a member without an equals sign', 'congo', false],
  ['with a second equals sign', 'a=1=2', false],
  ['with a character outside of ASCII', 'a=\xe9', false],
  ['with a control character', 'a=1\x012', false],
  ['that is empty', '', false],
  ['of blanks alone', ' , \t', false],
])('a list %s is valid: %s', (_, text, expected) => expect(isTraceState(text)).toBe(expected))

it('a long list takes no more than linear time', () => {
  expect(isTraceState(' '.repeat(1_000_000))).toBe(false)
  expect(isTraceState(`a=${' '.repeat(1_000_000)}`)).toBe(false)
})
