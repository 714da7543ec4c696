import { expect, test } from 'vitest'
import { cookieValue } from './cookie-value.ts'

test.each([
  [['Cookie', 'a=1; session=abc; b=2'], 'abc'],
  [['COOKIE', 'session="quoted value"'], 'quoted value'],
  [['Cookie', 'a=1', 'cookie', 'session=x'], 'x'],
  [['Cookie', 'session=first; session=second'], 'first'],
  [['Cookie', 'session=a=b==;x=y'], 'a=b=='],
  [['Cookie', 'session='], ''],
  [['Cookie', 'session="'], '"'],
  [['Cookie', '  session=spaces  ;'], 'spaces'],
  [['Cookie', 'xsession=1; sessionx=2; Session=3'], undefined],
  [['Cookie', 'session'], undefined],
  [['Cookie', ''], undefined],
  [['X-Cookie', 'session=1'], undefined],
  [[], undefined],
])('%j', (fields, value) => {
  expect(cookieValue(fields, 'session')).toBe(value)
})

test('a field of a million blanks and semicolons has no cookie', () => {
  expect(cookieValue(['Cookie', `${' '.repeat(1e6)}${'; '.repeat(1e6)}`], 'a')).toBeUndefined()
})
