import { expect, test } from 'vitest'
import {
  SECURE_SESSION_COOKIE,
  SESSION_COOKIE,
  sessionCookies,
  withoutSessionCookies,
} from './session-cookie.ts'

test.each([
  ['', ''],
  ['a=1', 'a=1'],
  ['plugboard-session=x', ''],
  ['plugboard-session', ''],
  ['a=1; plugboard-session=x', 'a=1'],
  ['plugboard-session=x; a=1; __Host-plugboard-session=y; b=2', 'a=1; b=2'],
  ['plugboard-session=x;plugboard-session=y', ''],
  ['a=plugboard-session; plugboard-session-2=x', 'a=plugboard-session; plugboard-session-2=x'],
  ['a=1; Plugboard-Session=x', 'a=1; Plugboard-Session=x'],
])('%j without session cookies is %j', (field, rest) => {
  expect(withoutSessionCookies(field)).toBe(rest)
})

test('finds all cookies of one name', () => {
  const field = 'plugboard-session=a==; x=1; __Host-plugboard-session = b; plugboard-session=c'
  expect(sessionCookies(field, SESSION_COOKIE)).toEqual(['a==', 'c'])
  expect(sessionCookies(field, SECURE_SESSION_COOKIE)).toEqual(['b'])
  expect(sessionCookies('x=1', SESSION_COOKIE)).toEqual([])
})
