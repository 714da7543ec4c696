import { expect, test } from 'vitest'
import { ManualClock } from '../../../test/support/manual-clock.ts'
import { LoginLinks } from './login-links.ts'

test('a link works once', () => {
  const links = new LoginLinks(new ManualClock())
  const { code } = links.create('vsk_a')
  expect(links.keyOf(code)).toBe('vsk_a')
  expect(links.redeem(code)).toBe(true)
  expect(links.keyOf(code)).toBeUndefined()
  expect(links.redeem(code)).toBe(false)
})

test('a link works for an hour', () => {
  const clock = new ManualClock(0, 0)
  const links = new LoginLinks(clock)
  const { code, expiresAt } = links.create('vsk_a')
  expect(expiresAt.getTime()).toBe(3_600_000)
  clock.advance(3_599_999)
  expect(links.keyOf(code)).toBe('vsk_a')
  clock.advance(1)
  expect(links.keyOf(code)).toBeUndefined()
  expect(links.redeem(code)).toBe(false)
})

test('knows no other code', () => {
  const links = new LoginLinks(new ManualClock())
  links.create('vsk_a')
  for (const code of ['', 'vsl_', `vsl_${'a'.repeat(32)}`, 'x'.repeat(100_000)])
    expect(links.keyOf(code)).toBeUndefined()
})

test.each([
  ['of a key', 11, () => 'key'],
  ['of all keys', 1001, (at: number) => `key ${at}`],
])('removes the oldest link %s for one too many', (_, length, keyOf) => {
  const links = new LoginLinks(new ManualClock())
  const other = length === 11 ? links.create('other key') : undefined
  const [oldest, ...rest] = Array.from({ length }, (_none, at) => links.create(keyOf(at)))
  expect(links.keyOf(oldest!.code)).toBeUndefined()
  for (const { code } of rest) expect(links.keyOf(code)).toMatch(/^key/)
  if (other !== undefined) expect(links.keyOf(other.code)).toBe('other key')
})
